"""A browser for the tests: opens the address, follows redirects on loopback, and ends. ``BROWSER`` names it.

Writes status and text of the page it arrives at to the file that ``BROWSER_PAGE`` names, if it does. Like real ones it
resolves ``localhost`` itself, and holds a connection open ahead on which it asks for nothing.
"""

import http.client
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit


def fetch(url: str) -> tuple[int, str, str]:
    """Return status, Location and text of a page."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=20)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location") or "", answer.read().decode()
    finally:
        connection.close()


def browse(url: str) -> tuple[int, str]:
    """Follow an address to its end and return status and text of the last page."""
    for _turn in range(10):
        parts = urlsplit(url)
        if parts.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError(f"not on this machine: {parts.hostname}")
        with socket.create_connection((parts.hostname, parts.port or 80), 20):
            status, location, text = fetch(url)
        if not location:
            return status, text
        url = urljoin(url, location)
    raise ValueError("redirected without end")


if __name__ == "__main__":
    arrived = browse(sys.argv[1])
    if page := os.environ.get("BROWSER_PAGE"):
        Path(page).write_text("{} {}".format(*arrived), "utf-8")
