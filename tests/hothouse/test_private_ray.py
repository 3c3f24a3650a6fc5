"""A Ray that Hothouse starts: who can reach it, and who it listens to."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from server.grid.socket_pool import SocketPool
from server.grid.worker import ClientWorker

_NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become another user")

_SESSION = """
import json, os, sys
import ray
from hothouse.running.logs import Logs
from hothouse.running.private_ray import private_ray
from hothouse.running.ray_session import RaySession

before = dict(os.environ)
session = RaySession(1, Logs(lambda source, text: None, verbose=False), store_bytes=100_000_000)

@ray.remote
class Worker:
    def ready(self):
        return os.getpid()

worker = Worker.remote()
ray.get(worker.ready.remote())
folder = ray.get_runtime_context().worker.node.get_session_dir_path()
print(json.dumps({"address": session.address, "token": os.environ["RAY_AUTH_TOKEN"], "folder": folder}), flush=True)
sys.stdin.read()
session.close()
changed = {name for name in before | os.environ if "RAY" in name and before.get(name) != os.environ.get(name)}
print(json.dumps(sorted(changed)), flush=True)
"""

_STRANGER = """
import json, os, sys
import grpc
from ray.core.generated import core_worker_pb2, core_worker_pb2_grpc, gcs_service_pb2, gcs_service_pb2_grpc
from ray.core.generated import node_manager_pb2, node_manager_pb2_grpc

questions, user = json.loads(sys.argv[1]), int(sys.argv[2])
if user != os.getuid():
    os.setgid(user)
    os.setuid(user)
answers = []
for kind, address, token in questions:
    channel = grpc.insecure_channel(address)
    metadata = [("authorization", f"Bearer {token}")] if token else []
    calls = {
        "gcs": (gcs_service_pb2_grpc.InternalKVGcsServiceStub(channel).InternalKVPut,
                gcs_service_pb2.InternalKVPutRequest(namespace=b"fun", key=b"k", value=b"v", overwrite=True)),
        "raylet": (node_manager_pb2_grpc.NodeManagerServiceStub(channel).GetNodeStats,
                   node_manager_pb2.GetNodeStatsRequest()),
        "worker": (core_worker_pb2_grpc.CoreWorkerServiceStub(channel).PushTask, core_worker_pb2.PushTaskRequest()),
    }
    call, request = calls[kind]
    try:
        call(request, timeout=60, metadata=metadata)
        answers.append("OK")
    except grpc.RpcError as error:
        answers.append(error.code().name)
print(json.dumps(answers))
"""


class Session(NamedTuple):
    """A Ray session in a process of its own."""

    process: subprocess.Popen[str]
    address: str
    token: str
    folder: Path


class Listener(NamedTuple):
    """A TCP socket that listens."""

    host: str
    port: int
    command: str


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A RaySession with a worker, whose environment is the same after it as before."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or "{}")
        yield Session(process, told["address"], told["token"], Path(told["folder"]))
        rest, _ = process.communicate(timeout=60)
        assert json.loads(rest) == []
        assert not Path(told["folder"]).exists()
    finally:
        process.kill()
        process.wait()


def listeners(ancestor: int) -> list[Listener]:
    """The listening TCP sockets of a process and its descendants, from /proc."""
    owners = {}
    for process in [ancestor, *(one.pid for one in psutil.Process(ancestor).children(recursive=True))]:
        # Processes and their files come and go.
        with suppress(OSError):
            for entry in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    if found := re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink())):
                        owners[found[1]] = process
    listening = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] != "0A" or fields[9] not in owners:
                continue
            address, port = fields[1].split(":")
            words = [int(address[start : start + 8], 16).to_bytes(4, "little") for start in range(0, len(address), 8)]
            command = Path(f"/proc/{owners[fields[9]]}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            listening.append(Listener(socket.inet_ntop(family, b"".join(words)), int(port, 16), command))
    return listening


def ask(user: int, *questions: tuple[str, str, str]) -> list[str]:
    """How processes of Ray's, of this kind, at this address, answer a user who has this token: OK, or gRPC's status."""
    command = [sys.executable, "-c", _STRANGER, json.dumps(questions), str(user)]
    answers: list[str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return answers


@pytest.mark.slow
def test_every_listener_is_on_loopback(session: Session) -> None:
    found = listeners(session.process.pid)
    assert {Path(one.command.split()[0]).name for one in found} >= {"gcs_server", "raylet"}
    assert {one.host for one in found} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.mark.slow
@pytest.mark.parametrize("user", [os.getuid(), pytest.param(_NOBODY, marks=as_root)])
def test_nobody_without_the_token_is_listened_to(session: Session, user: int) -> None:
    gcs = [("gcs", session.address, token) for token in (session.token, "", "0" * 64)]
    kinds = {"raylet/raylet": "raylet", "ray::Worker": "worker"}
    others = [
        (kinds[word], f"127.0.0.1:{one.port}", "")
        for one in listeners(session.process.pid)
        for word in kinds
        if word in one.command
    ]
    assert {kind for kind, *_ in others} == {"raylet", "worker"}
    answers = ask(user, *gcs, *others)
    assert answers[:3] == ["OK", "UNAUTHENTICATED", "UNAUTHENTICATED"], "only who has the token is listened to"
    for kind in ("raylet", "worker"):
        found = {answer for (asked, *_), answer in zip(others, answers[3:], strict=True) if asked == kind}
        assert found <= {"UNAUTHENTICATED", "UNIMPLEMENTED"}, "a raylet has a port for another service"
        assert "UNAUTHENTICATED" in found


@pytest.mark.slow
def test_the_token_is_on_no_command_line_and_in_no_file(session: Session) -> None:
    for process in [
        session.process.pid,
        *(one.pid for one in psutil.Process(session.process.pid).children(recursive=True)),
    ]:
        assert session.token.encode() not in Path(f"/proc/{process}/cmdline").read_bytes()
    files = [path for path in session.folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if session.token.encode() in path.read_bytes()]


@pytest.mark.slow
def test_nobody_else_can_enter_the_folder_with_logs_and_sockets(session: Session) -> None:
    assert {path.name for path in session.folder.iterdir()} >= {"logs", "sockets"}
    outer = session.folder.parents[1]
    assert outer.name.startswith("hothouse-")
    assert outer.stat().st_mode & 0o777 == 0o700


class TestTheSocketsOfWorkers:
    @as_root
    def test_a_caller_that_is_another_user_is_not_let_in(self) -> None:
        lines = SocketPool("clients.app:app", 1)
        code = (
            "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); "
            "s.connect(sys.argv[1].replace('@', chr(0))); print(s.recv(1))"
        )
        address = lines._address.replace("\0", "@")
        caller = subprocess.Popen([sys.executable, "-c", code, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            lines._listener.settimeout(60)
            lines._accept_workers()
            told, complaint = caller.communicate(timeout=60)
            assert told == b"b''\n", f"it was hung up on: {complaint.decode()}"
        finally:
            lines.close()

    @as_root
    def test_a_worker_answers_nobody_who_took_the_name(self) -> None:
        address = "\0hothouse-taken"
        ready, done = os.pipe()
        child = os.fork()
        if not child:
            os.setuid(_NOBODY)
            taken = socket.socket(socket.AF_UNIX)
            taken.bind(address)
            taken.listen()
            os.write(done, b"x")
            taken.accept()
            threading.Event().wait()
        try:
            os.read(ready, 1)
            with pytest.raises(PermissionError, match="belongs to another user"):
                ClientWorker.__new__(ClientWorker).serve(address, 0)
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)
            os.close(ready)
            os.close(done)
