"""Reads the servers' pages once a second, beside the load and never in its way.

Sockets are gevent's, parsing gives way every few milliseconds, and each source has a greenlet, a connection and a
deadline of its own: a server that answers slowly or not at all costs samples of itself, and nothing else.
"""

from __future__ import annotations

import http.client
import ssl
import time
from typing import Any
from urllib.parse import urlsplit

import gevent
import gevent.socket
import gevent.ssl
from gevent.event import Event

from gateproof.load.metrics.exposition import MalformedPage, Page, lines
from gateproof.load.metrics.samples import FLUSH_ROWS, FLUSH_SECONDS, SampleWriter, samples_of
from gateproof.load.metrics.sources import Source
from gateproof.load.wire.clock import Clock

INTERVAL = 1.0  # s between two looks at one source
TIMEOUT = 5.0  # s for a whole scrape; a page that takes longer is a gap
MOST_BYTES = 8 << 20  # of a page: some hundred times what vLLM shows
SLICE = 0.002  # s that parsing may take before the loop gets its turn
LOOK = 64  # lines between two looks at the time
PAUSE = 0.001  # s; a sleep of 0 would come back before any timer that is due
ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


class NoPage(Exception):
    """Why there is nothing to read."""


class Scraper:
    """``start`` is the run's zero on this process's monotonic clock, in ns; instants before it are negative."""

    def __init__(self, sources: list[Source], writer: SampleWriter, start: int, interval: float = INTERVAL) -> None:
        self._writer, self._start, self._interval = writer, start, interval
        self._doors = [_Door(source) for source in sources]
        self._over = Event()
        self._flushed = time.monotonic()
        self._greenlets: list[Any] = []
        self.lost: str | None = None
        """Why samples could not be written, once they could not."""

    def begin(self) -> None:
        self._greenlets = [gevent.spawn(self._follow, door) for door in self._doors]

    def end(self) -> None:
        """One last look at every source, so that the end of the run is covered; then everything is written."""
        self._over.set()
        gevent.joinall(self._greenlets, timeout=TIMEOUT + INTERVAL)
        gevent.killall(self._greenlets)
        self._flush(now=True)

    def _follow(self, door: _Door) -> None:
        """At whole multiples of the interval; what a slow page makes late is left out, not made up for."""
        due = time.monotonic()
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._scrape(door)
            due = max(due + self._interval, time.monotonic())
        self._scrape(door)
        door.close()

    def _scrape(self, door: _Door) -> None:
        source = door.source
        begun = Clock.now()
        try:
            with gevent.Timeout(TIMEOUT, NoPage(f"no whole page within {TIMEOUT:g} s")):
                answered, text = door.fetch()
                families = _parsed(text, source)
        except (NoPage, MalformedPage, OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            door.close()
            self._writer.gap(source.name, begun - self._start, Clock.now() - begun, _reason(error))
        else:
            at = (begun + answered) // 2 - self._start
            found = samples_of(source.name, at, families, source.words)
            self._writer.page(source.name, at, Clock.now() - begun, found)
        self._flush()

    def _flush(self, *, now: bool = False) -> None:
        due = time.monotonic() - self._flushed >= FLUSH_SECONDS
        if not (now or due or self._writer.waiting >= FLUSH_ROWS):
            return
        self._flushed = time.monotonic()
        try:
            self._writer.flush()
        except OSError as error:
            self.lost = f"{error.strerror or error}: {self._writer.waiting} samples wait in memory"
        else:
            self.lost = None


class _Door:
    """One source and its connection, used again while both sides keep it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        parts = urlsplit(source.url)
        self._path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Accept": ACCEPT, "Accept-Encoding": "identity", **source.headers}
        self._connection: http.client.HTTPConnection | None = None

    def fetch(self) -> tuple[int, str]:
        """When the answer's head came, and the page."""
        reused = self._connection is not None
        try:
            return self._ask()
        except (http.client.RemoteDisconnected, ConnectionError, BrokenPipeError):
            self.close()
            if not reused:  # a server may close what was idle; anything else is a gap
                raise
            return self._ask()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self) -> tuple[int, str]:
        if self._connection is None:
            self._connection = _Connection(self.source)
        self._connection.request("GET", self._path or "/", headers=self._headers)
        with self._connection.getresponse() as answer:
            answered = Clock.now()
            data = answer.read(MOST_BYTES + 1)
            if answer.status != http.client.OK:
                raise NoPage(f"status {answer.status}")
            if len(data) > MOST_BYTES:
                raise NoPage(f"a page of more than {MOST_BYTES >> 20} MiB")
            return answered, data.decode("utf-8")


class _Connection(http.client.HTTPConnection):
    """http.client over gevent's sockets, whether the standard library was patched or not."""

    def __init__(self, source: Source) -> None:
        parts = urlsplit(source.url)
        self._secure = parts.scheme == "https"
        self._source = source
        super().__init__(parts.hostname or "", parts.port or (443 if self._secure else 80), timeout=TIMEOUT)

    def connect(self) -> None:
        address = self._source.address or (self.host, self.port)
        self.sock: Any = gevent.socket.create_connection(address, self.timeout)
        if self._secure:
            name = self._source.server_name or self.host
            self.sock = _context(self._source).wrap_socket(self.sock, server_hostname=name)


def _context(source: Source) -> Any:
    context: Any = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not source.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    elif source.ca is not None:
        context.load_verify_locations(source.ca)
    else:
        context.load_default_certs()
    return context


def _parsed(text: str, source: Source) -> list[Any]:
    page = Page(source.words)
    until = time.monotonic() + SLICE
    for number, line in enumerate(lines(text)):
        page.line(line)
        if number % LOOK == 0 and time.monotonic() > until:
            gevent.sleep(PAUSE)
            until = time.monotonic() + SLICE
    return list(page.families().values())


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) or type(error).__name__
