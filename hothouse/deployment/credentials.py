"""The keys of a deployment: a private CA, the SuperLink's certificate, and a key pair for each SuperNode.

What is there already stays as it is, so a further node, or a new certificate after the old one was removed, is one
more call. Keys are on the curve P-384; those of nodes are in OpenSSH's format, which Flower wants.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from common.errors import InputError

_LONGEST_KEY = 1 << 16
_CA = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hothouse private CA")])


def make_credentials(out: Path, nodes: int, hosts: list[str], days: int) -> list[Path]:
    """Make what is missing in `out`: ca.crt, ca.key, server.pem, server.key, and node-0, node-0.pub, …

    The server's certificate is for `hosts`, names or addresses, for this many days. Returns the files that were made;
    private keys can be read by their owner only. What is there is checked and never written to. Raises InputError where
    a file is not what it should be, where a private key belongs to or can be read by others, and where `out` cannot be
    written.
    """
    made: list[Path] = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        authority, certificate = out / "ca.crt", out / "server.pem"
        if not _exists(authority):
            key = _key(out / "ca.key", made)
            _certify(authority, _CA, key, key, _authority(), days, made)
        if not _exists(certificate):
            signing = _loaded(out / "ca.key")
            _check_certificate(authority, signing)
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
            key = _key(out / "server.key", made)
            _certify(certificate, name, key, signing, _server(hosts), days, made)
        _check_certificate(certificate, _loaded(out / "server.key"))
        for node in range(nodes):
            path, public = out / f"node-{node}", out / f"node-{node}.pub"
            key = _key(path, made, PrivateFormat.OpenSSH)
            content = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
            if not _exists(public):
                _write(public, content + b"\n", made)
            elif public.read_bytes().split()[:2] != content.split()[:2]:
                raise InputError(f"{public}: not the public key of {path}; remove it to have it made anew")
    except OSError as error:
        raise InputError(f"{error.filename}: it cannot be written or read ({error.strerror})") from None
    return made


def _exists(path: Path) -> bool:
    """Whether there is something at a path, be it a link that leads nowhere."""
    return os.path.lexists(path)


def _key(path: Path, made: list[Path], form: PrivateFormat = PrivateFormat.PKCS8) -> ec.EllipticCurvePrivateKey:
    """The private key in a file, which is made where there is none."""
    if _exists(path):
        return _loaded(path)
    key = ec.generate_private_key(ec.SECP384R1())
    _write(path, key.private_bytes(Encoding.PEM, form, NoEncryption()), made, mode=0o600)
    return key


def _loaded(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a file that is there. Raises InputError where it is none, or not ours alone."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        found, content = os.fstat(file.fileno()), file.read(_LONGEST_KEY)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
        raise InputError(f"{path}: expected a file of the user who calls; remove it to have a new key made")
    if found.st_mode & 0o077:
        raise InputError(
            f"{path}: others can use this private key (mode {found.st_mode & 0o777:04o}); chmod 600 {path}, or remove "
            "it to have a new one made if somebody may have read it"
        )
    load = load_ssh_private_key if content.startswith(b"-----BEGIN OPENSSH") else load_pem_private_key
    try:
        key = load(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{path}: expected a private key ({error}); remove it to have a new one made") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError(f"{path}: expected a private key on the curve P-384; remove it to have a new one made")
    return key


def _check_certificate(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Raise InputError where a file is no certificate for this key."""
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except ValueError as error:
        raise InputError(f"{path}: expected a certificate ({error}); remove it to have a new one made") from None
    if certificate.public_key() != key.public_key():
        raise InputError(f"{path}: not the certificate of the key beside it; remove it to have a new one made")


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


def _write(path: Path, content: bytes, made: list[Path], mode: int = 0o644) -> None:
    """Write a new file; a file or a link that is there already is an error (FileExistsError)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError:
        path.unlink()
        raise
    made.append(path)
