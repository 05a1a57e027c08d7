"""Certificates that no honest authority would make, by cryptography."""

import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def pem_of(key: Key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class Paper:
    """A certificate with its key; ``issuer`` None signs itself."""

    def __init__(
        self,
        name: str,
        issuer: "Paper | None" = None,
        *,
        authority: bool = False,
        critical: bool = True,
        identifiers: bool = True,
        key: Key | None = None,
        extra: tuple[x509.ExtensionType, ...] = (),
    ) -> None:
        self.key: Key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signs = issuer or self
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(signs.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=critical)
        else:
            names = x509.SubjectAlternativeName([x509.DNSName(name)])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(names, critical=False).add_extension(usage, critical=False)
        if identifiers:
            own = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
            builder = builder.add_extension(own, critical=False)
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        self.certificate = builder.sign(signs.key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key."""
        return pem_of(self.key)


def with_sha1(paper: Paper, issuer: Paper) -> bytes:
    """Return the certificate (PEM) signed anew with SHA-1, which cryptography itself no longer does.

    The names of both signature algorithms (RFC 8017, A.2.4) have the same length, so no length in the DER changes.
    """
    assert isinstance(issuer.key, rsa.RSAPrivateKey)
    sha256, sha1 = bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")
    body = paper.certificate.tbs_certificate_bytes.replace(sha256, sha1)
    signature = issuer.key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    whole = paper.certificate.public_bytes(Encoding.DER)
    whole = whole.replace(paper.certificate.tbs_certificate_bytes, body).replace(sha256, sha1)
    whole = whole.replace(paper.certificate.signature, signature)
    return ssl.DER_cert_to_PEM_cert(whole).encode()
