"""The floor of the first window's figure: a PySide6 program that shows a window with a word in it."""

import sys

from PySide6.QtWidgets import QApplication, QLabel, QMainWindow

app = QApplication(sys.argv)
window = QMainWindow()
window.setWindowTitle("bare window")
window.setCentralWidget(QLabel("Good morning"))
window.resize(1100, 720)
window.show()
sys.exit(app.exec())
