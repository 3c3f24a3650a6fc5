"""`hothouse keys`: what is there is checked and stays; nothing is written through links; nobody else reads a key."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import InputError
from hothouse.deployment.credentials import make_credentials

HOSTS = ["localhost", "127.0.0.1"]


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        make_credentials(folder, 1, HOSTS, days=2)
    return str(caught.value)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_credentials(tmp_path / "keys", 1, HOSTS, days=2)
    return tmp_path / "keys"


def test_private_keys_are_their_owners_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_credentials(tmp_path, 2, HOSTS, days=2)
    finally:
        os.umask(before)
    for name in ("ca.key", "server.key", "node-0", "node-1"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name


@pytest.mark.parametrize("name", ["ca.key", "server.key", "node-0"])
def test_a_key_that_others_can_read_is_complained_about(keys: Path, name: str) -> None:
    (keys / name).chmod(0o644)
    (keys / "server.pem").unlink()
    assert refusal(keys).startswith(f"{keys / name}: others can use this private key (mode 0644); chmod 600")


def test_a_key_that_was_put_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ca.key").write_text("planted")
    (tmp_path / "ca.key").chmod(0o644)
    assert "others can use this private key" in refusal(tmp_path)
    assert (tmp_path / "ca.key").read_text() == "planted"


@pytest.mark.parametrize("name", ["ca.key", "ca.crt", "server.key", "server.pem", "node-0", "node-0.pub"])
def test_nothing_is_written_through_links(tmp_path: Path, name: str) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "keys"
    folder.mkdir()
    precious.write_text("mine")
    precious.chmod(0o600)
    (folder / name).symlink_to(precious)
    refusal(folder)
    assert precious.read_text() == "mine"
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "nowhere")
    refusal(folder)
    assert not (tmp_path / "nowhere").exists()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")


@pytest.mark.parametrize("change", [empty, garbage])
@pytest.mark.parametrize("name", ["node-0", "server.pem", "server.key", "node-0.pub"])
def test_a_file_that_is_not_what_it_should_be_is_named(keys: Path, name: str, change: Callable[[Path], None]) -> None:
    change(keys / name)
    assert refusal(keys).startswith(f"{keys / name}: ")


def test_a_certificate_of_another_key_is_named(keys: Path, tmp_path: Path) -> None:
    make_credentials(tmp_path / "other", 1, HOSTS, days=2)
    (tmp_path / "other" / "server.pem").replace(keys / "server.pem")
    assert "not the certificate of the key beside it" in refusal(keys)


def test_a_certificate_that_was_removed_is_made_anew_for_the_same_key(keys: Path) -> None:
    key, old = (keys / "server.key").read_bytes(), (keys / "server.pem").read_bytes()
    (keys / "server.pem").unlink()
    assert make_credentials(keys, 1, HOSTS, days=2) == [keys / "server.pem"]
    assert (keys / "server.key").read_bytes() == key
    assert (keys / "server.pem").read_bytes() != old
