"""What the demo is made of, as far as no engine is needed: names that exist, certificates that verify."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from hothouse.deployment.credentials import make_credentials
from tests.conftest import REPOSITORY

FILES = (REPOSITORY / "docker-compose.yml", REPOSITORY / "docker" / "node-3.yml")
COMPOSE: dict[str, Any] = yaml.safe_load(FILES[0].read_text())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_service_volume_and_network_that_is_named_is_there(file: Path) -> None:
    read = yaml.safe_load(file.read_text())
    services = COMPOSE["services"] | read["services"]
    volumes = set(COMPOSE["volumes"]) | set(read.get("volumes", {}))
    for name, service in read["services"].items():
        assert set(service.get("depends_on", ())) <= set(services), name
        assert set(service.get("networks", ())) <= set(COMPOSE["networks"]), name
        for mount in service.get("volumes", ()):
            source = mount["source"] if isinstance(mount, dict) else mount.partition(":")[0]
            assert source in volumes or source.startswith((".", "$")), (name, source)


def test_every_setting_has_a_value() -> None:
    text = FILES[0].read_text()
    settings = {line.partition("=")[0] for line in (REPOSITORY / ".env").read_text().splitlines() if "=" in line}
    for name in ("SCENARIO", "ROUNDS", "SET", "WORKERS", "BASE_IMAGE", "TORCH_BACKEND"):
        assert name in settings
        assert f"${{{name}" in text


def test_certificates_verify_and_keys_belong_together(tmp_path: Path) -> None:
    make_credentials(tmp_path, 2, ["localhost", "127.0.0.1"], days=2)
    authority, server = (
        x509.load_pem_x509_certificate((tmp_path / name).read_bytes()) for name in ("ca.crt", "server.pem")
    )
    server.verify_directly_issued_by(authority)
    told = subprocess.run(
        ["openssl", "verify", "-verify_ip", "127.0.0.1", "-CAfile", tmp_path / "ca.crt", tmp_path / "server.pem"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    for node in ("node-0", "node-1"):
        private = load_ssh_private_key((tmp_path / node).read_bytes(), None)
        public = load_ssh_public_key((tmp_path / f"{node}.pub").read_bytes())
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        assert private.public_key() == public
        assert (tmp_path / node).stat().st_mode & 0o077 == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert make_credentials(tmp_path, 3, ["localhost"], days=2) == [tmp_path / "node-2", tmp_path / "node-2.pub"]
    assert before.items() <= {path.name: path.read_bytes() for path in tmp_path.iterdir()}.items(), (
        "what is there stays"
    )
