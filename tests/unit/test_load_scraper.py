"""The scraper reads real sockets on the run's clock; whatever a server does, it costs samples and nothing else."""

from __future__ import annotations

import dataclasses
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import gevent
import pytest
import trustme

from gateproof.load.metrics import scraper as scraping
from gateproof.load.metrics.samples import FOLDER, Samples, SampleWriter, read_samples
from gateproof.load.metrics.scraper import Scraper
from gateproof.load.metrics.sources import Source
from gateproof.load.wire.clock import Clock

EVERY = 0.05  # s between scrapes here
LONG = 0.25  # s that a test follows its servers
PATIENCE = 0.2  # s for a page here
PAGE = b"# TYPE up gauge\nup 1\n"
HANG = 2.0  # s that a slow server keeps silent, at most


class Handler(BaseHTTPRequestHandler):
    """Answers by path; HTTP/1.1, so that connections may be kept."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.asked[self.path] += 1
        self.server.keys.add(self.headers.get("authorization"))
        match self.path:
            case "/slow":
                self.server.over.wait(HANG)
                self.close_connection = True
            case "/closes":
                self.answer(200, PAGE)
                self.close_connection = True  # without saying so
            case "/closed":
                self.answer(401, b"no key")
            case "/endless":
                self.send_response(200)
                self.end_headers()
                while not self.server.over.is_set():
                    self.wfile.write(PAGE * 1000)
            case "/html":
                self.answer(200, b"<html></html>\n")
            case "/binary":
                self.answer(200, b"\xff\xfe\n")
            case _:
                self.answer(200, PAGE)

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.keys: set[str | None] = set()
        self.connections = 0
        self.over = threading.Event()

    def source(self, path: str) -> Source:
        url = f"http://127.0.0.1:{self.server_port}{path}"
        return Source(path, url, {"up": "alive"}, {"Authorization": "Bearer k"})

    def handle_error(self, *_: object) -> None:
        """A client that gave up is no error here."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(scraping, "TIMEOUT", PATIENCE)
    monkeypatch.setattr(scraping, "MOST_BYTES", 1 << 20)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.over.set()
        running.shutdown()
        thread.join()


def followed(folder: Path, *sources: Source, start: int | None = None) -> Samples:
    writer = SampleWriter(folder / FOLDER)
    scraper = Scraper(list(sources), writer, Clock.now() if start is None else start, EVERY)
    scraper.begin()
    gevent.sleep(LONG)
    scraper.end()
    return read_samples(folder)


def test_a_page_is_read_again_and_again_over_one_connection(server: Server, tmp_path: Path) -> None:
    found = followed(tmp_path, server.source("/"))
    assert len(found.samples) == found.scrapes["/"] == server.asked["/"] >= 3
    assert ({(each.word, each.value) for each in found.samples}, found.gaps) == ({("alive", 1.0)}, [])
    assert (server.connections, server.keys) == (1, {"Bearer k"})


def test_instants_are_those_of_the_run(server: Server, tmp_path: Path) -> None:
    ahead = int(1e9)
    found = followed(tmp_path, server.source("/"), start=Clock.now() + ahead)
    instants = [each.at for each in found.samples]
    assert instants == sorted(instants)
    assert -ahead <= instants[0] < instants[-1] < 0


def test_a_connection_that_the_server_closed_is_made_again(server: Server, tmp_path: Path) -> None:
    found = followed(tmp_path, server.source("/closes"))
    assert (list(found.gaps), found.scrapes["/closes"] >= 3) == ([], True)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/closed", "status 401"),
        ("/endless", "a page of more than 1 MiB"),
        ("/html", "line 1: no metric name"),
        ("/binary", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
)
def test_a_scrape_that_fails_is_a_gap_with_its_reason(server: Server, tmp_path: Path, path: str, reason: str) -> None:
    found = followed(tmp_path, server.source(path))
    assert ({gap.reason for gap in found.gaps}, list(found.samples)) == ({reason}, [])


def test_a_server_that_is_not_there_is_a_gap(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as gone:
        port = gone.server_port
    found = followed(tmp_path, Source("gone", f"http://127.0.0.1:{port}/", {}))
    assert {gap.reason for gap in found.gaps} == {"Connection refused"}


@pytest.fixture
def secured(server: Server, tmp_path: Path) -> Source:
    """The same server, with a certificate of an authority that nobody knows."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("gate.example").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    plain = server.source("/")
    return dataclasses.replace(
        plain,
        url="https://gate.example/",
        address=("127.0.0.1", server.server_port),
        ca=str(tmp_path / "ca.pem"),
    )


@pytest.mark.parametrize("change", [{}, {"ca": None, "verify": False}], ids=["known authority", "unchecked"])
def test_pages_are_read_over_tls_where_the_name_is_another(
    secured: Source, tmp_path: Path, change: dict[str, Any]
) -> None:
    found = followed(tmp_path, dataclasses.replace(secured, **change))
    assert (list(found.gaps), found.scrapes["/"] >= 2) == ([], True)


def test_a_certificate_that_proves_nothing_is_a_gap(secured: Source, tmp_path: Path) -> None:
    found = followed(tmp_path, dataclasses.replace(secured, ca=None))
    assert (len(found.samples), all("CERTIFICATE_VERIFY_FAILED" in gap.reason for gap in found.gaps)) == (0, True)
    assert len(found.gaps) >= 1


def test_a_server_that_keeps_silent_delays_neither_the_others_nor_the_end(server: Server, tmp_path: Path) -> None:
    begun = time.monotonic()
    found = followed(tmp_path, server.source("/slow"), server.source("/"))
    assert time.monotonic() - begun < HANG
    assert found.scrapes["/"] >= 3
    assert {(gap.source, gap.reason) for gap in found.gaps} == {("/slow", f"no whole page within {PATIENCE:g} s")}


def test_a_long_page_gives_way_while_it_is_read() -> None:
    """Whoever waits for a turn gets it within a few slices, however long the page."""
    turns: list[float] = []
    text = "".join(f'up{{instance="{number}"}} 1\n' for number in range(20_000))

    def other() -> None:
        while True:
            turns.append(time.monotonic())
            gevent.sleep(0)

    watching = gevent.spawn(other)
    (family,) = scraping._parsed(text, Source("s", "http://127.0.0.1/", {"up": "alive"}))
    watching.kill()
    assert (len(family.values), len(turns) >= 5) == (20_000, True)


def test_a_disk_that_is_full_loses_nothing_and_says_so(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = SampleWriter(tmp_path / FOLDER)
    scraper = Scraper([server.source("/")], writer, Clock.now(), EVERY)

    def full() -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(writer, "flush", full)
        scraper.begin()
        scraper.end()
    assert scraper.lost == f"No space left on device: {writer.waiting} samples wait in memory"
    writer.flush()
    assert read_samples(tmp_path).scrapes["/"] >= 1
