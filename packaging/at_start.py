"""Runs in the bundle before the program: what it starts (a browser, the file manager) shall not get its libraries.

PyInstaller's starter sets the search path of the dynamic loader for the bundle and keeps the person's own under another
name. The loader has read it by now, and a child process of ours goes through the starter again.
"""

import os

for name in ("LD_LIBRARY_PATH", "LIBPATH", "DYLD_LIBRARY_PATH"):
    before = os.environ.pop(f"{name}_ORIG", None)
    if before:
        os.environ[name] = before
    else:
        os.environ.pop(name, None)
