"""A deployment on loopback for tests: a real SuperLink and real SuperNodes, TLS and node authentication on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hothouse.deployment.credentials import make_credentials

REPOSITORY = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Deployment:
    """Processes of one SuperLink and its SuperNodes, their logs and keys in one folder."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.folder, self.nodes = folder, nodes
        self.keys, self.logs, self.home = folder / "keys", folder / "logs", folder / "flwr"
        for made in (self.logs, self.home):
            made.mkdir(parents=True)
        make_credentials(self.keys, nodes, ["localhost", "127.0.0.1"], days=2)
        self.port = free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "FLWR_HOME": str(self.home),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PYTHONPATH": f"{_installed(folder / 'installed')}:{REPOSITORY}",
            # A Ray of its own, whatever else runs here; its sockets need a short path.
            "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray-"),
        }
        self.simulation_port = free_port()
        (self.home / "config.toml").write_text(f"""
[superlink.test]
address = "127.0.0.1:{self.port}"
root-certificates = "{self.keys / "ca.crt"}"

[superlink.simulation]
address = "127.0.0.1:{self.simulation_port}"
insecure = true
""")

    def start_superlink(self, certificate: str = "server") -> None:
        """Start the SuperLink; returns once it listens."""
        self.start(
            "superlink",
            "flower-superlink",
            *("--ssl-certfile", self.keys / f"{certificate}.pem", "--ssl-keyfile", self.keys / f"{certificate}.key"),
            *("--ssl-ca-certfile", self.keys / "ca.crt", "--enable-supernode-auth"),
            *("--database", self.folder / "state.db", "--disable-runtime-dependency-installation"),
            *("--host", "127.0.0.1", "--port", self.port),
        )
        self.until(lambda: _listens(self.port), "the SuperLink does not listen")

    def start_simulation(self) -> None:
        """Start what `flwr run . local` starts: a SuperLink that simulates SuperNodes."""
        self.start(
            "simulation",
            *("flower-superlink", "--simulation", "--insecure", "--disable-runtime-dependency-installation"),
            *("--host", "127.0.0.1", "--port", self.simulation_port),
        )
        self.until(lambda: _listens(self.simulation_port), "the simulating SuperLink does not listen")

    def start_gate(self) -> int:
        """Start the filter that lets nothing but SuperNodes' requests through; returns its port once it listens."""
        port = free_port()
        settings = {"KEYS": str(self.keys), "SUPERLINK": f"127.0.0.1:{self.port}", "HOST": "127.0.0.1"}
        given = [f"{name}={value}" for name, value in {**settings, "PORT": port}.items()]
        self.start("gate", "env", *given, sys.executable, REPOSITORY / "docker" / "fleet_api_filter.py")
        self.until(lambda: _listens(port), "the gate does not listen")
        return port

    def register(self, *nodes: int) -> None:
        """Tell the SuperLink of nodes' public keys."""
        for node in nodes or range(self.nodes):
            self.flwr("supernode", "register", self.keys / f"node-{node}.pub", "test", "--name", f"node-{node}")

    def start_node(
        self,
        node: int,
        data: Path,
        key: Path | None = None,
        name: str = "",
        extra: Sequence[object] = (),
        port: int = 0,
        command: Sequence[str] = ("hothouse", "supernode"),
        **config: Any,
    ) -> subprocess.Popen[bytes]:
        """Start a SuperNode whose folder of data is `data`, and which looks for the SuperLink at `port`, if given."""
        settings = {"data-dir": str(data), **config}
        return self.start(
            name or f"node-{node}",
            *command,
            *("--superlink", f"127.0.0.1:{port or self.port}", "--host", "127.0.0.1", "--port", free_port()),
            *("--root-certificates", self.keys / "ca.crt"),
            *("--auth-supernode-private-key", key or self.keys / f"node-{node}"),
            *("--node-config", " ".join(f"{key}={json.dumps(value)}" for key, value in settings.items())),
            *extra,
        )

    def bring_back(self, node: int, data: Path) -> None:
        """Start a SuperNode that died until it is let in: before Flower counts it as gone it exits at once."""
        name, welcome = f"node-{node}", "Connection successful"
        while True:
            seen, process = self.log(name).count(welcome), self.start_node(node, data)
            while process.poll() is None:
                if self.log(name).count(welcome) > seen:
                    return
                time.sleep(0.1)
            self.kill(name)

    def start(self, name: str, *command: object) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, its output in logs/NAME.log."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                # As on machines of their own, nothing lies in one cache for all.
                env={**self.environment, "HOTHOUSE_CACHE": str(self.folder / "caches" / name)},
                start_new_session=True,
            )
        return self.processes[name]

    def kill(self, name: str, how: int = signal.SIGKILL) -> None:
        """End a process and all that it started."""
        process = self.processes.pop(name)
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        process.wait()

    def submit(
        self,
        out: Path,
        superlink: str = "test",
        options: Sequence[object] = (),
        app: Path = REPOSITORY,
        **config: Any,
    ) -> None:
        """Submit a run of an app whose folder is `out`, with this config."""
        settings = written({"out": out, **config})
        self.flwr("run", app, superlink, *options, "--run-config", settings)

    def finished(self, out: Path, seconds: float = 1500.0) -> dict[str, Any]:
        """Wait until the run in `out` has ended; returns its summary."""
        self.until(lambda: bool(_ending(out)), f"the run in {out} does not end", seconds)
        return _ending(out)

    def told(self) -> str:
        """What the SuperLink says of its runs, for when a run does not begin."""
        return self.flwr("list", "test", "--format", "json")

    def flwr(self, *arguments: object) -> str:
        """What `flwr` prints; raises where it fails."""
        done = subprocess.run(
            ["flwr", *map(str, arguments)], env=self.environment, cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.logs / f"{name}.log").read_text(errors="replace")

    def until(self, holds: Callable[[], bool], complaint: str, seconds: float = 300.0, pause: float = 0.1) -> None:
        """Wait until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"{complaint}; logs in {self.logs}"
            time.sleep(pause)

    def signal(self, name: str, how: int) -> None:
        """Send a signal to a process and all that it started."""
        os.killpg(self.processes[name].pid, how)

    def close(self) -> None:
        """End all processes."""
        for name in sorted(self.processes, reverse=True):
            self.kill(name)
        shutil.rmtree(self.environment["RAY_TMPDIR"], ignore_errors=True)


@contextmanager
def deployed(folder: Path, parts: Path, nodes: int = 3, **config: Any) -> Iterator[Deployment]:
    """A deployment whose nodes have the parts of data that `hothouse cut` left in `parts`."""
    deployment = Deployment(folder, nodes)
    try:
        deployment.start_superlink()
        deployment.register()
        for node in range(nodes):
            deployment.start_node(node, parts / f"node-{node}", **config)
        yield deployment
    finally:
        deployment.close()


def app_with(folder: Path, *files: Path) -> Path:
    """A copy of this app in a folder, with these files in its `uses`."""
    for name in ("common", "server", "clients", "scenarios", "uses"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, folder)
    for file in files:
        shutil.copy(file, folder / "uses")
    return folder


def _installed(folder: Path) -> Path:
    """A folder that says of this very checkout that it is the one installed, to be edited: also of a second one."""
    record = folder / f"hothouse-{version('hothouse')}.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hothouse\nVersion: {version('hothouse')}\n")
    (record / "direct_url.json").write_text(json.dumps({"url": REPOSITORY.as_uri(), "dir_info": {"editable": True}}))
    return folder


def _ending(out: Path) -> dict[str, Any]:
    """The summary and, once it is written, the report of a run that has ended; empty before."""
    try:
        summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    except (OSError, ValueError):
        return {}
    if summary.get("reason") == "the run has not ended" or not (out / "report.html").exists():
        return {}
    return summary


def written(config: dict[str, Any]) -> str:
    """A run's config as `flwr run` takes it."""
    return " ".join(f"{key.replace('_', '-')}={_toml(value)}" for key, value in config.items())


def _toml(value: Any) -> str:
    return json.dumps(value if isinstance(value, bool | int | float) else str(value))


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
