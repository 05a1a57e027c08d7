"""Whom we trust: the operating system's store, plus the CA file of the settings. The only maker of TLS contexts here.

Pure but for reading the CA file; any thread.
"""

import hashlib
import ssl
from datetime import UTC, datetime

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Stage, TlsError
from vxtray.core.mail.plaintext import one_line


def client_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies chain and host name, TLS 1.2 or newer.

    ``ca_file`` (PEM, may be empty) is trusted in addition to the system's store. Raises ``TlsError``.
    """
    import truststore

    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    # RFC 9525 dropped the common name; Python still accepts it where the certificate has no other name.
    context.hostname_checks_common_name = False
    # Set explicitly, so that Python 3.11 and 3.13 (whose default is stricter) come to the same verdict.
    context.verify_flags = ssl.VerifyFlags.VERIFY_X509_TRUSTED_FIRST | ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    if ca_file:
        _add(context, ca_file)
    return context


def _add(context: ssl.SSLContext, ca_file: str) -> None:
    try:
        context.load_verify_locations(cafile=ca_file)
    except (OSError, ValueError) as fault:  # ssl.SSLError is an OSError: the file holds no certificate
        raise TlsError(
            N_("The certificate file {path} cannot be used."),
            N_("Choose a readable file with the authority's certificate in PEM form, or leave the field empty."),
            step=Stage.TLS,
            kind=Kind.ACCOUNT,
            path=ca_file,
        ) from fault


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified server showed. ``until`` is an ISO date; names are empty where the platform hides them."""

    version: str
    cipher: str
    subject: str
    names: tuple[str, ...]
    issuer: str
    until: str
    sha256: str


def describe(tls: ssl.SSLObject) -> Certificate:
    """Return what is worth telling about an established TLS connection."""
    shown = tls.getpeercert() or {}
    cipher = tls.cipher()
    until = shown.get("notAfter")
    return Certificate(
        version=tls.version() or "",
        cipher=cipher[0] if cipher else "",
        subject=_common_name(shown.get("subject", ())),
        names=tuple(one_line(str(value), 253) for _, value in list(shown.get("subjectAltName", ()))[:20]),
        issuer=_common_name(shown.get("issuer", ())),
        until=datetime.fromtimestamp(ssl.cert_time_to_seconds(str(until)), UTC).date().isoformat() if until else "",
        sha256=hashlib.sha256(tls.getpeercert(binary_form=True) or b"").hexdigest(),
    )


def _common_name(distinguished: object) -> str:
    """Return the common name of a distinguished name as the ssl module gives it, else its last part."""
    parts = {key: value for row in distinguished for key, value in row}  # type: ignore[attr-defined]
    return one_line(str(parts.get("commonName") or next(reversed(parts.values()), "")), 253)
