"""A run's report on loopback while the run goes on: a page that takes newer states of itself from the server.

The server looks at the run's folder and at nothing else, so any run can be watched, from any process of the same
machine. Newer states travel as server-sent events (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from common.errors import InputError
from hothouse.report.page import Page, paragraph
from hothouse.report.records import Records
from hothouse.report.run import run_page
from server.record.observers import Observer

HOST = "127.0.0.1"
PORT = 8642
"""Where the page is looked for first."""

_LOOK_SECONDS = 0.5
_HEARTBEAT_SECONDS = 10.0
_WATCHED = ("metrics.jsonl", "events.jsonl", "summary.json", "final.json")

_log = logging.getLogger("hothouse.running.live")


class LivePage(Observer):
    """Serves the report of a run from the moment when it has a folder until `close`."""

    def __init__(self, port: int | None = None) -> None:
        """`port` is the port to serve at; 8642 if left out, or any where that is taken.

        Raises InputError where the given port is taken.
        """
        self._server = _bound(port)
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self._server.server_port}/"

    def opened(self, folder: Path) -> None:
        """Serve the run in this folder."""
        self._server.feed = _Feed(folder)
        if self._thread is None:
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Give every open page its last state, and end."""
        if self._thread is not None:
            self._server.ending.set()
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """The server, and what its pages have in common."""

    daemon_threads = False
    block_on_close = True
    feed: _Feed

    def __init__(self, port: int) -> None:
        self.ending = threading.Event()
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed is no error."""


class _Feed:
    """The newest state of a run's page, made when somebody wants it and the folder has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._seen: list[tuple[int, int]] | None = None
        self._data, self.version = "{}", 0
        self._next = 0.0

    def page(self) -> Page:
        """The page as it is now."""
        records = Records(self._folder)
        if not records.summary or not (self._folder / "scenario.yaml").is_file():
            page = Page(self._folder.name)
            page.section("At a glance", paragraph("Waiting for the run to begin …"))
            return page
        return run_page(records)

    def state(self, last: bool = False) -> tuple[int, str]:
        """The newest state as JSON, and a number that grows with each; the `last` one whatever it costs."""
        with self._lock:
            seen = [_stamp(self._folder / name) for name in _WATCHED]
            if seen != self._seen and (last or time.monotonic() >= self._next):
                started = time.monotonic()
                try:
                    self._data, self.version = self._encoded(), self.version + 1
                    self._seen = seen
                except Exception:
                    # The run may be writing just now; what is wrong for good is in the log again and again.
                    _log.info("the page could not be made", exc_info=True)
                # A page that takes long to make is made less often, so that the run is not held up.
                self._next = time.monotonic() + 4 * (time.monotonic() - started)
            return self.version, self._data

    def _encoded(self) -> str:
        state = self.page().state()
        state["ended"] = Records(self._folder).status != "running"
        return json.dumps(state, allow_nan=False, separators=(",", ":"))


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; the events' goes on until the page is closed."""

    server: _Server
    timeout = 30
    """Seconds after which a page that takes nothing is given up."""

    def do_GET(self) -> None:
        """The page, or its events. Other sites' pages, which know us by other names, get nothing."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(403)
        elif self.path == "/":
            content = self.server.feed.page().html(live=True).encode()
            self._head("text/html; charset=utf-8", len(content))
            self.wfile.write(content)
        elif self.path == "/events":
            self._head("text/event-stream")
            with suppress(OSError):
                self._stream()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants to read of every request."""

    def _head(self, kind: str, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _stream(self) -> None:
        shown, spoken, ending = 0, time.monotonic(), False
        while True:
            version, data = self.server.feed.state(ending)
            if version != shown:
                self._send("state", data)
                shown, spoken = version, time.monotonic()
            if ending:
                self._send("bye", "{}")
                return
            if time.monotonic() - spoken > _HEARTBEAT_SECONDS:
                # Tells us of a page that was closed.
                self.wfile.write(b": still here\n\n")
                self.wfile.flush()
                spoken = time.monotonic()
            ending = self.server.ending.wait(_LOOK_SECONDS)

    def _send(self, event: str, data: str) -> None:
        self.wfile.write(f"event: {event}\ndata: {data}\n\n".encode())
        self.wfile.flush()


def _bound(port: int | None) -> _Server:
    try:
        return _Server(PORT if port is None else port)
    except OSError as error:
        if port is not None:
            raise InputError(f"--port {port}: cannot be used ({error.strerror}); leave it out for a free one") from None
    return _Server(0)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
