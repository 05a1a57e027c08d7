"""Reports: which period is due (``period``), its numbers (``build``), and the documents made of them (``document``).

Pure apart from ``period.machine_zone``; runs on the ``vx-report`` worker or in a command.
"""
