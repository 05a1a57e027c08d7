"""The settings file that a domain publishes for mail programs (Mozilla's "autoconfig", config-v1.1.xml).

On the thread of the caller, which a request may block for some seconds. Only over HTTPS with a checked certificate:
whoever could change the file on its way would get the password. The file is not trusted: bounded, and no DTD.
"""

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from vxtray.core.mail.plaintext import one_line
from vxtray.core.mail.providers import Server
from vxtray.core.settings.tree import Security
from vxtray.core.settings.wellformed import is_host

if TYPE_CHECKING:
    import ssl

    import httpx

#: Octets of a file; real ones have one to five thousand.
_LARGEST = 65536
_SECONDS = 5.0
_REDIRECTS = 3
_SECURITIES = {"SSL": Security.TLS, "STARTTLS": Security.STARTTLS}


class Published(Server, frozen=True):
    """A server that a domain's file names, and the user name it asks for."""

    username: str = ""


def places(domain: str, address: str) -> tuple[str, ...]:
    """Return where a domain may publish the file, in the order in which to ask."""
    from urllib.parse import quote

    return (
        f"https://autoconfig.{domain}/mail/config-v1.1.xml?emailaddress={quote(address)}",
        f"https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml",
    )


def fetch(url: str) -> bytes:
    """Return the file, empty where there is none or it cannot be had safely. Redirects are followed within HTTPS."""
    import httpx

    try:
        with httpx.Client(verify=_trust(), timeout=_SECONDS, trust_env=False) as client:
            request = client.build_request("GET", url)
            for _ in range(_REDIRECTS + 1):
                if request.url.scheme != "https":
                    return b""
                answer = client.send(request, stream=True)
                try:
                    if answer.status_code == 200:
                        return _bounded(answer)
                    if answer.next_request is None:
                        return b""
                    request = answer.next_request
                finally:
                    answer.close()
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):
        pass
    return b""


def _trust() -> "ssl.SSLContext":
    import ssl

    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _bounded(answer: "httpx.Response") -> bytes:
    data = bytearray()
    for piece in answer.iter_bytes():
        data += piece
        if len(data) > _LARGEST:
            return b""
    return bytes(data)


def servers_of(data: bytes, address: str) -> tuple[Published, ...]:
    """Return the protected SMTP servers that a file names; none where it is not such a file."""
    if len(data) > _LARGEST or b"<!" in data.replace(b"<!--", b"").replace(b"<![CDATA[", b""):
        return ()  # a DTD could define entities that grow without end
    try:
        root = ET.fromstring(data)  # noqa: S314 - see above
    except (ET.ParseError, ValueError, LookupError):
        return ()
    found = [_server(node, address) for node in root.findall("./emailProvider/outgoingServer")]
    return tuple(dict.fromkeys(server for server in found if server is not None))


def _server(node: ET.Element, address: str) -> Published | None:
    def text(name: str) -> str:
        return one_line(node.findtext(name) or "", 255)

    host, port, security = (
        _filled(text("hostname"), address).lower(),
        text("port"),
        _SECURITIES.get(text("socketType").upper()),
    )
    if node.get("type") != "smtp" or security is None or not is_host(host):
        return None
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        return None
    return Published(host, int(port), security, _filled(text("username"), address))


def _filled(text: str, address: str) -> str:
    local, _, domain = address.rpartition("@")
    for name, value in (("EMAILADDRESS", address), ("EMAILLOCALPART", local), ("EMAILDOMAIN", domain)):
        text = text.replace(f"%{name}%", value)
    return text
