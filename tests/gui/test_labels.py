"""Where a text may be broken and where not, without the person ever copying a sign that is only for that."""

import pytest
from PySide6.QtGui import QGuiApplication, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel

from vxtray.gui.widgets import PlainLabel


def lines(label: PlainLabel, width: float) -> list[str]:
    """Return the lines of a label's text at a width, as Qt breaks them."""
    text = QLabel.text(label)
    layout = QTextLayout(text, label.font())
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WordWrap)
    layout.setTextOption(option)
    layout.beginLayout()
    found = []
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        found.append(text[line.textStart() : line.textStart() + line.textLength()].replace("\u200b", "").strip())
    layout.endLayout()
    return found


def shown(qtbot, text: str) -> PlainLabel:
    label = PlainLabel(text)
    qtbot.addWidget(label)
    return label


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("/var/log/suricata/eve.json.", ["/var/log/suricata/", "eve.json."]),
        ("C:\\ProgramData\\suricata\\eve.json", ["C:\\ProgramData\\suricata\\", "eve.json"]),
        ("https://support.example.com/a?b=c", ["https://support.example.com/", "a?b=c"]),
        ("security.reports.long@contoso.example", ["security.reports.long@", "contoso.example"]),
    ],
)
def test_paths_and_addresses_break_between_their_parts(qtbot, text: str, broken: list[str]) -> None:
    label = shown(qtbot, text)
    width = label.fontMetrics().horizontalAdvance(broken[0]) + 4
    assert lines(label, width) == broken
    assert label.text() == text


def test_a_run_without_parts_breaks_anywhere(qtbot) -> None:
    label = shown(qtbot, "x" * 100)
    width = label.fontMetrics().horizontalAdvance("x" * 26)
    assert all(len(line) <= 26 for line in lines(label, width))
    assert label.text() == "x" * 100


def test_e_mail_stays_one_word(qtbot) -> None:
    label = shown(qtbot, "aurait envoyé 1 e-mail en 7 jours, E-mail")
    width = label.fontMetrics().horizontalAdvance("aurait envoyé 1 e-m")
    said = [line.replace("\u2060", "") for line in lines(label, width)]
    assert said[0] == "aurait envoyé 1"
    assert said[1].startswith("e-mail")
    assert label.text() == "aurait envoyé 1 e-mail en 7 jours, E-mail"


def test_a_copy_is_the_text_as_it_was_given(qtbot) -> None:
    text = "e-mail to security.reports.long@contoso.example"
    label = shown(qtbot, text)
    label.allow_selection()
    label.setSelection(0, len(text))
    assert label.selectedText() == text
    label._copy()
    assert QGuiApplication.clipboard().text() == text
    label.setSelection(2, 4)
    assert label.selectedText() == "mail"
