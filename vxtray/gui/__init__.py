"""The window and the tray icon: the only place with Qt. Everything here runs on the GUI thread.

It shows and edits what core holds, and may look down into core; core never looks up.
"""
