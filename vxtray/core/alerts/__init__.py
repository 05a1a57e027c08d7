"""Alerts: which events are told at once (``rules``), and the mail that tells them (``document``)."""
