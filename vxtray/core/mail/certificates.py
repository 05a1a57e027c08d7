"""Whom we trust: the operating system's store, plus the CA file of the settings. The only maker of TLS contexts here.

Pure but for reading the CA file; any thread.
"""

import contextlib
import functools
import hashlib
import os
import re
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vxtray.core.errors import N_
from vxtray.core.mail.faults import Kind, Stage, TlsError
from vxtray.core.mail.plaintext import one_line
from vxtray.core.paths import private_folder

if TYPE_CHECKING:
    from cryptography import x509


def client_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that verifies chain and host name, TLS 1.2 or newer.

    ``ca_file`` (PEM, may be empty) is trusted in addition to the system's store. Unlike ``create_default_context``,
    this heeds no SSLKEYLOGFILE: nobody gets the keys of a connection by an environment variable. Raises ``TlsError``.
    """
    import truststore

    return _strict(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca_file)


def kept_context(ca_file: str) -> ssl.SSLContext:
    """Return what ``client_context`` does, and the same one again while nothing that it trusts has changed.

    OpenSSL reads a system's store that is one file in 20 ms and more, longer than all the rest of a connection takes.
    Other stores are asked anew each time. Whoever gets a context must not change it. Raises ``TlsError``.
    """
    places = ssl.get_default_verify_paths()
    if sys.platform in {"win32", "darwin"} or places.cafile is None:
        return client_context(ca_file)
    return _kept(tuple(_stamp(Path(path)) for path in (places.cafile, places.capath, ca_file) if path), ca_file)


#: A path, and what changes when the file or the folder there does.
_Stamp = tuple[Path, int, int, int, int]


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:  # told by whoever reads it
        return path, 0, 0, 0, 0
    return path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@functools.lru_cache(maxsize=1)
def _kept(_stamps: tuple[_Stamp, ...], ca_file: str) -> ssl.SSLContext:
    """Make a context; the stamps are older than what is read, so a change of meanwhile is seen at the next call."""
    context = _strict(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca_file)
    context.set_default_verify_paths()
    return context


def _strict(context: ssl.SSLContext, ca_file: str) -> ssl.SSLContext:
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


def trust_override() -> str:
    """Return the variables of the environment that replace the system's store, as ``NAME=value``; empty without any.

    OpenSSL honours them (``X509_get_default_cert_file_env``), so whoever sets them decides whom we trust.
    """
    names = ssl.get_default_verify_paths()
    found = ((name, os.environ.get(name)) for name in (names.openssl_cafile_env, names.openssl_capath_env))
    return one_line(", ".join(f"{name}={value}" for name, value in found if value))


def blind_context() -> ssl.SSLContext:
    """Return a context that believes anything: only to look at a certificate that was not believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


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


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate as a server shows it, believed or not: untrusted text, made plain. Dates are ISO dates in UTC."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    since: str
    until: str
    sha256: str
    pem: str


#: Certificates of a chain that are looked at; real chains have two to four.
_LONGEST_CHAIN = 6


def shown(tls: ssl.SSLObject) -> tuple[Shown, ...]:
    """Return the certificates that a server showed, its own first; unreadable ones are left out."""
    found = []
    for der in _chain(tls)[:_LONGEST_CHAIN]:
        with contextlib.suppress(ValueError):
            found.append(_read(der))
    return tuple(found)


def _chain(tls: ssl.SSLObject) -> list[bytes]:
    """Return the chain as the server sent it, in DER; without the means, the server's own certificate."""
    whole = getattr(tls, "get_unverified_chain", None)  # public from Python 3.13 on
    if whole is not None:
        return list(whole())
    # WORKAROUND: before, only the private object had it: https://github.com/python/cpython/issues/62433
    inner = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)
    if inner is not None:
        import _ssl

        return [one.public_bytes(_ssl.ENCODING_DER) for one in inner() or ()]
    own = tls.getpeercert(binary_form=True)
    return [own] if own else []


def _read(der: bytes) -> Shown:
    """Return what a certificate says. Raises ``ValueError``."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = x509.load_der_x509_certificate(der)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [
            *extension.get_values_for_type(x509.DNSName),
            *map(str, extension.get_values_for_type(x509.IPAddress)),
        ]
    except x509.ExtensionNotFound:
        names = []
    return Shown(
        subject=_name_of(certificate.subject),
        names=tuple(one_line(name, 253) for name in names[:20]),
        issuer=_name_of(certificate.issuer),
        since=certificate.not_valid_before_utc.date().isoformat(),
        until=certificate.not_valid_after_utc.date().isoformat(),
        sha256=hashlib.sha256(der).hexdigest(),
        pem=certificate.public_bytes(Encoding.PEM).decode("ascii"),
    )


def _name_of(name: "x509.Name") -> str:
    from cryptography.x509.oid import NameOID

    common = name.get_attributes_for_oid(NameOID.COMMON_NAME) or list(name)[-1:]
    return one_line(str(common[0].value), 253) if common else ""


def keep(folder: Path, host: str, chosen: Shown) -> Path:
    """Write a certificate that a person trusts by itself, for ``ca_file``, and return where. Raises ``TlsError``.

    Only this certificate is believed then, beside those of known authorities: when the server gets another, nothing is
    sent until a person has looked again.
    """
    name = re.sub(r"[^a-z0-9.-]", "_", host.lower())[:80]
    path = folder / f"{name}-{chosen.sha256[:12]}.pem"
    try:
        private_folder(folder)
        path.write_text(chosen.pem, encoding="ascii")
    except OSError as fault:
        raise TlsError(
            N_("The certificate could not be kept in {path}."),
            N_("Check that vxtray may write there, and that the disk is not full."),
            step=Stage.TLS,
            kind=Kind.ACCOUNT,
            path=path,
        ) from fault
    return path
