"""The live page, in a real browser: it follows a run by itself and stays when the run has ended."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import hothouse
from hothouse.running.live import HOST, LivePage
from tests.browser import Browser
from tests.command import command
from tests.processes import start, until

ROUNDS = "Number(document.getElementById('at-a-glance').innerText.match(/rounds\\s+(\\d+)/)?.[1] ?? -1)"
"""The rounds that the page says are over."""


@pytest.fixture(scope="module")
def finished(quickstart: Path, tmp_path_factory: pytest.TempPathFactory) -> hothouse.Run:
    out = tmp_path_factory.mktemp("run") / "run"
    return hothouse.run(quickstart, overrides=["federation.rounds=6"], engine="local", out=out)


@pytest.fixture
def page() -> Iterator[LivePage]:
    served = LivePage()
    yield served
    served.close()


def fetch(address: str, host: str = "") -> tuple[int, str]:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_a_page_follows_a_run_to_its_end_and_beyond(quickstart: Path, tmp_path: Path, browser: Browser) -> None:
    words = ["run", quickstart, "--live", "--engine", "local", "--out", tmp_path / "run"]
    more = ["--set", "federation.rounds=12", "--set", "training.epochs=60", "--set", "training.trainer=torch"]
    running = start(*words, *more, stdout=subprocess.PIPE)
    assert running.stdout is not None
    address = running.stdout.readline().partition("live: ")[2].strip()
    browser.open(address)
    browser.wait(f"{ROUNDS} >= 2")
    seen = browser.ask(ROUNDS)
    assert seen < 12, "the run goes on"
    browser.ask("document.querySelector('#learning details').open = true")
    browser.ask("window.marked = true")
    browser.wait(f"{ROUNDS} > {seen}")
    assert browser.ask("window.marked"), "it was not loaded again"
    assert browser.ask("document.querySelector('#learning details').open"), "what was unfolded stays so"
    assert "Live: this page follows the run" in browser.text()
    browser.wait(f"{ROUNDS} == 12 && document.getElementById('errors')", 60)
    browser.wait("document.body.innerText.includes('The run has ended; this is the whole of it.')")
    browser.open(address)
    assert browser.ask(ROUNDS) == 12, "it is served after the run's end"
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=20) == 0
    browser.wait("document.body.innerText.includes('Nobody serves this page any more')")
    assert browser.count(".plot .main-svg") > 10, "and what it shows stays"
    assert [told for told in browser.complaints() if "ERR_" not in told] == []


def test_a_run_is_watched_from_elsewhere_through_interruption_and_resumption(
    finished: hothouse.Run, tmp_path: Path, browser: Browser
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    watching = start("watch", folder, stdout=subprocess.PIPE)
    assert watching.stdout is not None
    browser.open(watching.stdout.readline().split()[1])
    browser.wait(f"{ROUNDS} == 6")
    for dark in (True, False):
        browser.dark(dark)
        assert browser.breaches() == []
    browser.resize(375, 800)
    browser.wait("document.querySelector('.plot .main-svg').clientWidth < 375")
    assert browser.ask("document.documentElement.scrollWidth") <= 375, "a phone shows it without scrolling sideways"
    browser.resize(1200, 900)
    hothouse.resume(folder, rounds=9, engine="local")
    browser.wait(f"{ROUNDS} == 9")
    assert browser.complaints() == []
    watching.send_signal(signal.SIGTERM)
    assert watching.wait(timeout=20) == 0


def test_only_this_machine_is_served_and_other_sites_pages_are_not(finished: hothouse.Run, page: LivePage) -> None:
    page.serve(finished.folder)
    assert fetch(page.address)[0] == 200
    assert fetch(page.address, host="evil.example")[0] == 403
    assert fetch(page.address + "summary.json")[0] == 404
    port = urlsplit(page.address).port
    addresses = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)} - {HOST}
    for other in addresses:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((str(other), port), timeout=2)


def test_who_does_not_know_the_token_sees_nothing(finished: hothouse.Run, page: LivePage) -> None:
    page.serve(finished.folder)
    site = f"http://{HOST}:{urlsplit(page.address).port}/"
    token = page.address.removeprefix(site).rstrip("/")
    assert len(token) == 32
    other = "A" * len(token)
    for guess in ("", "events", f"{other}/", f"{other}/events", token[:-1] + "/", f"x/{token}/"):
        assert fetch(site + guess) == (403, ""), guess
    again = LivePage()
    assert token not in again.address, "each has its own"
    again.close()


def test_who_sends_byte_after_byte_does_not_keep_the_server_from_ending(finished: hothouse.Run) -> None:
    page = LivePage()
    page.serve(finished.folder)
    where = (HOST, urlsplit(page.address).port)
    with socket.create_connection(where) as slow, socket.create_connection(where) as reading:
        slow.sendall(b"GET / HT")
        reading.sendall(f"GET {urlsplit(page.address).path}events HTTP/1.0\r\nHost: {HOST}:{where[1]}\r\n\r\n".encode())
        assert reading.recv(1 << 16).startswith(b"HTTP/1.0 200")
        ending = threading.Thread(target=page.close)
        ending.start()
        received = b"".join(iter(lambda: reading.recv(1 << 16), b""))
        assert b"event: bye" in received, "an open page gets its last state"
        ending.join(timeout=60)
        assert not ending.is_alive()


def test_a_request_must_arrive_in_time(finished: hothouse.Run, page: LivePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hothouse.running.live._REQUEST_SECONDS", 0.2)
    page.serve(finished.folder)
    with socket.create_connection((HOST, urlsplit(page.address).port)) as slow:
        slow.sendall(b"GET /")
        assert slow.recv(1) == b"", "it is hung up on"
    assert fetch(page.address)[0] == 200


def test_a_folder_that_cannot_be_read_is_told(finished: hothouse.Run, tmp_path: Path, page: LivePage) -> None:
    shutil.copytree(finished.folder, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"round": "one"}\n')
    page.serve(tmp_path / "run")
    assert "metrics.jsonl:1: round: expected a whole number" in fetch(page.address)[1]


def test_a_run_that_has_not_begun_is_waited_for(tmp_path: Path, page: LivePage) -> None:
    page.serve(tmp_path)
    assert "Waiting for the run to begin" in fetch(page.address)[1]


def test_a_taken_port_is_told_where_it_was_asked_for(page: LivePage) -> None:
    port = urlsplit(page.address).port
    with pytest.raises(hothouse.InputError, match=f"--port {port}: cannot be used"):
        LivePage(port)
    other = LivePage()
    assert other.address != page.address
    other.close()


def test_watching_nothing_is_refused(tmp_path: Path) -> None:
    done = command("watch", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "found no summary.json" in done.stderr


def test_a_failed_run_gives_its_page_the_reason_and_ends(quickstart: Path, tmp_path: Path, browser: Browser) -> None:
    words = ["run", quickstart, "--live", "--engine", "local", "--out", tmp_path / "run"]
    more = ["--set", "federation.rounds=400", "--set", "training.epochs=20"]
    running = start(*words, *more, stdout=subprocess.PIPE)
    assert running.stdout is not None
    browser.open(running.stdout.readline().partition("live: ")[2].strip())
    browser.wait(f"{ROUNDS} >= 2")
    os.kill(running.pid, signal.SIGINT)
    assert running.wait(timeout=30) == 1
    browser.wait("document.querySelector('.pill').innerText === 'incomplete'")
    assert "interrupted" in browser.text()
    until(lambda: (tmp_path / "run" / "report.html").is_file())
