"""vxtray: security reports and alerts by e-mail, from a window and a tray icon."""

__version__ = "0.1.0"
