"""The keys of a deployment: a private CA, the SuperLink's certificate, and a key pair for each SuperNode.

What is there already stays as it is, so a further node, or a new certificate after the old one was removed, is one
more call. Keys are on the curve P-384; those of nodes are in OpenSSH's format, which Flower wants.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.errors import InputError

_CA = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hothouse private CA")])


def make_credentials(out: Path, nodes: int, hosts: list[str], days: int) -> list[Path]:
    """Make what is missing in `out`: ca.crt, ca.key, server.pem, server.key, and node-0, node-0.pub, …

    The server's certificate is for `hosts`, names or addresses, for so many days. Returns the files that were made;
    private keys can be read by their owner only. Raises InputError where `out` cannot be written.
    """
    made: list[Path] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "ca.crt").exists():
            key = _new_key(out / "ca.key", made)
            _certify(out / "ca.crt", _CA, key, key, _authority(), days, made)
        if not (out / "server.pem").exists():
            authority = load_pem_private_key((out / "ca.key").read_bytes(), None)
            assert isinstance(authority, ec.EllipticCurvePrivateKey)
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
            key = _new_key(out / "server.key", made)
            _certify(out / "server.pem", name, key, authority, _server(hosts), days, made)
        for node in range(nodes):
            if not (out / f"node-{node}").exists():
                key = _new_key(out / f"node-{node}", made, PrivateFormat.OpenSSH)
                public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
                _write(out / f"node-{node}.pub", public + b"\n", made)
    except OSError as error:
        raise InputError(f"{error.filename}: it cannot be written or read ({error.strerror})") from None
    return made


Extension = tuple[x509.ExtensionType, bool]
"""An extension, and whether it is critical."""


def _certify(
    path: Path,
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    extensions: list[Extension],
    days: int,
    made: list[Path],
) -> None:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_CA)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # clocks differ
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    _write(path, builder.sign(authority, hashes.SHA384()).public_bytes(Encoding.PEM), made)


def _authority() -> list[Extension]:
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return [(x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)]


def _server(hosts: list[str]) -> list[Extension]:
    return [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName([_host(host) for host in hosts]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
    ]


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key(path: Path, made: list[Path], form: PrivateFormat = PrivateFormat.PKCS8) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP384R1())
    _write(path, key.private_bytes(Encoding.PEM, form, NoEncryption()), made, mode=0o600)
    return key


def _write(path: Path, content: bytes, made: list[Path], mode: int = 0o644) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    made.append(path)
