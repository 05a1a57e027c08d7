"""Everything that works: it never imports Qt, so it runs on a server as well as under the window."""
