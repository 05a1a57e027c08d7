"""The user guide in the window: its text, its contents and search, and the window that F1 opens from a dialog."""
