"""Certificates and the authorities that signed them, made anew for each run."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Authority:
    """One that this run trusts; `folder` gets its files."""

    folder: Path
    name: str = "ticker tests"

    def __post_init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        object.__setattr__(self, "_key", key)
        subject = _named(self.name)
        made = _certificate(subject, subject, key.public_key(), key, [self.name], authority=True)
        self.path.write_bytes(made.public_bytes(PEM))

    @property
    def path(self) -> Path:
        """The authority's own certificate, for who is to trust it."""
        return self.folder / f"{self.name}.pem"

    def issue(self, *names: str) -> tuple[str, str]:
        """Paths of a new certificate for these hosts and addresses, and of its key."""
        names = names or ("localhost",)
        key = ec.generate_private_key(ec.SECP256R1())
        signer: ec.EllipticCurvePrivateKey = getattr(self, "_key")  # noqa: B009
        made = _certificate(_named(names[0]), _named(self.name), key.public_key(), signer, names)
        serial = made.serial_number
        certificate, secret = self.folder / f"{serial}.pem", self.folder / f"{serial}.key"
        certificate.write_bytes(made.public_bytes(PEM))
        secret.write_bytes(
            key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return str(certificate), str(secret)

    def client_context(self) -> ssl.SSLContext:
        """For a client that trusts this authority and no other."""
        return ssl.create_default_context(cafile=str(self.path))

    def server_context(self, *names: str) -> ssl.SSLContext:
        """For a server of these names, by a new certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(*names))
        return context


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.replace(" ", "-"))


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([*map(_alternative, names)]), critical=False)
        .sign(signer, hashes.SHA256())
    )
