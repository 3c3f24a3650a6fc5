"""Submits a run to the SuperLink and follows it to its end. Exit status: 0 where it is complete, else 1.

submit.py register     registers every public key in /public as a SuperNode
submit.py run          submits the run that $SCENARIO, $ROUNDS and $SET describe, and shows what it says
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PUBLIC = Path("/public")
CONNECTION = "deployment"
_DARK_SECONDS = 120.0
"""How long the SuperLink may be out of reach, or a run may wait for its start."""
_REGISTERED = "Public key already in use"
"""What Flower says of a node that is registered already."""
_LOOKED_SECONDS = 30.0
"""How often it is looked what has become of the run while its log says that it goes on."""
_LAST_WORDS_SECONDS = 10.0
"""How long the log of a run that has ended may take to end."""


def main() -> int:
    """What the command line asks for."""
    home = Path(os.environ["FLWR_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    address = os.environ.get("SUPERLINK", "superlink:8000")
    (home / "config.toml").write_text(
        f'[superlink]\ndefault = "{CONNECTION}"\n\n[superlink.{CONNECTION}]\n'
        f'address = "{address}"\nroot-certificates = "{PUBLIC / "ca.crt"}"\n'
    )
    return register() if sys.argv[1:] == ["register"] else run()


def register() -> int:
    """Register the nodes that are not registered yet."""
    for path in sorted(PUBLIC.glob("*.pub")):
        try:
            _asked("supernode", "register", str(path), CONNECTION, "--name", path.stem)
        except Failed as failed:
            # Flower lists the nodes that it knows by numbers of its own: which they are shows only here.
            if _REGISTERED not in str(failed):
                raise
        print(f"{path.stem}: registered", flush=True)
    return 0


def run() -> int:
    """Submit the run and follow it."""
    changes = " ".join(
        [*([f"federation.rounds={rounds}"] if (rounds := os.environ.get("ROUNDS")) else []), os.environ.get("SET", "")]
    )
    config = {
        "scenario": os.environ.get("SCENARIO", "scenarios/quickstart.yaml"),
        "set": changes.strip(),
        "nodes": len(list(PUBLIC.glob("*.pub"))),
        "server-data": "/data",
    }
    written = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
    started = _asked("run", "/app", CONNECTION, "--run-config", written)
    number = str(started["run-id"])
    print(f"run {number} is submitted", flush=True)
    status = _followed(number)
    print(f"run {number}: {status}", flush=True)
    return 0 if status == "finished:completed" else 1


def _followed(number: str) -> str:
    """Show the run's log until it ends; returns how it ended."""
    seen = began = time.monotonic()
    log = _log(number)
    while True:
        try:
            log.wait(_LOOKED_SECONDS)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        now = time.monotonic()
        try:
            status = str(_asked("list", CONNECTION, "--run-id", number)["runs"][0]["status"])
        except Failed as failed:
            if now - seen > _DARK_SECONDS:
                return f"lost: {failed}"
            continue
        seen = now
        if status.startswith("finished"):
            _end(log)
            return status
        if status == "pending" and now - began > _DARK_SECONDS:
            _end(log)
            return "the SuperLink does not start it"
        if ended:
            log = _log(number)


def _log(number: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["flwr", "log", number, CONNECTION, "--stream"])


def _end(log: subprocess.Popen[bytes]) -> None:
    """Let the log come to its end, or end it."""
    try:
        log.wait(_LAST_WORDS_SECONDS)
    except subprocess.TimeoutExpired:
        log.terminate()


class Failed(Exception):
    """A command of Flower's failed."""


def _asked(*arguments: str) -> dict[str, Any]:
    """What a `flwr` command answers. Raises Failed."""
    done = subprocess.run(["flwr", *arguments, "--format", "json"], capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"flwr {arguments[0]}: {(done.stderr or done.stdout).strip()}") from None
    if not answer.get("success"):
        raise Failed(f"flwr {arguments[0]}: {answer.get('error-message', done.stdout)}")
    return answer


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failed:
        sys.exit(str(failed))
