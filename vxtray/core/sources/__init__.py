"""Where events come from. ``logfile`` reads files, ``importer`` takes them into the event store, once per line.

Whoever calls decides the thread or process; nothing here starts one.
"""
