"""A run's report on loopback during the run: a page that takes newer states of itself from the server.

The server looks at the run's folder and at nothing else, so any run can be watched, from any process of the same
machine. Its address has a random token, which other users of the machine do not know. Newer states travel as
server-sent events (WHATWG HTML, section 9.2).
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from common.errors import InputError
from common.extend.events import Event, Observer, RunOpened
from hothouse.report.page import Page
from hothouse.report.parts import paragraph
from hothouse.report.run import run_page
from hothouse.results.records import RunRecords, naming_folder

HOST = "127.0.0.1"
PORT = 8642
"""Where the page is looked for first."""

_LOOK_SECONDS = 0.5
_REQUEST_SECONDS = 10.0
"""How long a request may take to arrive."""
_LEAVE_SECONDS = 3.0
"""How long open pages may take to receive their last state when the server ends."""
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
        return f"http://{HOST}:{self._server.server_port}/{self._server.token}/"

    def on_event(self, event: Event) -> None:
        """Serve the run when it has a folder."""
        if isinstance(event, RunOpened):
            self.serve(event.folder)

    def serve(self, folder: Path) -> None:
        """Serve the run in this folder."""
        self._server.feed = _Feed(folder)
        if self._thread is None:
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Give every open page its last state, as far as it takes it within seconds, and end."""
        if self._thread is not None:
            self._server.ending.set()
            self._server.shutdown()
            self._thread.join()
            self._server.wait_for_streams(_LEAVE_SECONDS)
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """The server, and what its pages have in common."""

    # Whoever is slow does not hold up the end of the process.
    daemon_threads = True
    feed: _Feed

    def __init__(self, port: int) -> None:
        self.ending = threading.Event()
        self.token = secrets.token_urlsafe(24)
        self._streams = 0
        self._changed = threading.Condition()
        super().__init__((HOST, port), _Handler)

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count a page that is given events while this lasts."""
        with self._changed:
            self._streams += 1
        try:
            yield
        finally:
            with self._changed:
                self._streams -= 1
                self._changed.notify_all()

    def wait_for_streams(self, seconds: float) -> None:
        """Wait until no page is given events any more, at most so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._streams, seconds)

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
        try:
            with naming_folder(self._folder):
                records = RunRecords(self._folder)
                if records.summary and (self._folder / "scenario.yaml").is_file():
                    return run_page(records)
            told = "Waiting for the run to begin …"
        except InputError as error:
            told = str(error)
        page = Page(self._folder.name)
        page.section("At a glance", paragraph(told))
        return page

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
        with suppress(InputError):
            state["ended"] = RunRecords(self._folder).status != "running"
        return json.dumps(state, allow_nan=False, separators=(",", ":"))


class _Handler(BaseHTTPRequestHandler):
    """Answers one request; that for events lasts until the page is closed."""

    server: _Server
    timeout = 30
    """Seconds after which a page that takes nothing is given up."""

    def setup(self) -> None:
        """Begin to wait for the request."""
        super().setup()
        # The timeout starts anew with every byte.
        self._deadline = threading.Timer(_REQUEST_SECONDS, self._give_up)
        self._deadline.daemon = True
        self._deadline.start()

    def finish(self) -> None:
        """End the connection."""
        self._deadline.cancel()
        super().finish()

    def do_GET(self) -> None:
        """The page, or its events, for who knows the token. Other sites name another host and get nothing."""
        self._deadline.cancel()
        port = self.server.server_port
        root = f"/{self.server.token}/"
        known = hmac.compare_digest(self.path[: len(root)].encode(), root.encode())
        place = self.path[len(root) :]
        if not known or self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            self.send_error(403)
        elif place == "":
            content = self.server.feed.page().html(live=True).encode()
            self._head("text/html; charset=utf-8", len(content))
            self.wfile.write(content)
        elif place == "events":
            self._head("text/event-stream")
            with suppress(OSError), self.server.streaming():
                self._stream()
        else:
            self.send_error(404)

    def _give_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

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
