"""A toy project for pytester: a catalogue of five rows, one target, and a gateway of thirty lines behind it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEY = "sk-toy-0123456789abcdef"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

CATALOGUE = """
area: TOY
title: toys
requirements:
  - {id: TOY-001, level: MUST, basis: S, claim: "the first claim", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-002, level: SHOULD, basis: N, claim: "the second claim", source: "RFC 2", check: "c", gate: []}
  - {id: TOY-003, level: MAY, basis: P, claim: "the third claim", source: "RFC 3", check: "c", gate: []}
  - {id: TOY-004, level: MUST, basis: P, claim: "the fourth claim", source: "RFC 4", check: "c", gate: [f.vision]}
  - {id: TOY-005, level: MUST, basis: P, claim: "the fifth claim", source: "RFC 5", check: "c", gate: [], planned: "no"}
"""

HEAD = """
import pytest
from fixtures.api import Api
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared, Observed, Tolerated, Untestable
"""

# One test for every row that needs one, all in order.
SOUND = (
    HEAD
    + """
@requirement("TOY-001", requests=1, smoke=True)
def test_first(api: Api) -> None:
    assert api.chat().status == 200

@requirement("TOY-002", requests=1)
def test_second(api: Api) -> None:
    assert api.chat().json()["usage"]["total_tokens"] == 5

@requirement("TOY-003", requests=0)
def test_third(api: Api) -> None:
    assert True

@requirement("TOY-004", requests=1)
def test_fourth(api: Api) -> None:
    assert api.chat().status == 200
"""
)


class Quiet(ThreadingHTTPServer):
    daemon_threads = True


@dataclass
class Server:
    """A gateway of thirty lines; ``seen`` holds the Authorization of every request."""

    answer: Callable[[BaseHTTPRequestHandler], tuple[int, str, bytes]] | None = None
    seen: list[str | None] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def running(self) -> Iterator[Server]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.seen.append(self.headers.get("authorization"))
                status, kind, body = (outer.answer or chat)(self)
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                if 300 <= status < 400:
                    self.send_header("location", body.decode())
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 - the name that the standard library wants

            def log_message(self, *_: Any) -> None:
                pass

        server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def chat(_: BaseHTTPRequestHandler) -> tuple[int, str, bytes]:
    message = {"role": "assistant", "content": f"your key is {KEY}"}
    body = {"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": USAGE}
    return 200, "application/json", json.dumps(body).encode()


@dataclass(frozen=True)
class Project:
    """The folder that pytester runs in."""

    path: Path

    def write(
        self, url: str, tests: str = SOUND, more: str = "", expectations: str = "", catalogue: str = CATALOGUE
    ) -> None:
        pack = self.path / "conformance"
        (pack / "catalogue").mkdir(parents=True, exist_ok=True)
        (pack / "expectations").mkdir(exist_ok=True)
        (pack / "catalogue" / "toy.yaml").write_text(catalogue)
        (pack / "test_toy.py").write_text(tests)
        if expectations:
            (pack / "expectations" / "toy.yaml").write_text(expectations)
        (self.path / "targets.yaml").write_text(
            f"targets:\n  toy: {{stack: openai, base_url: '{url}', key: {KEY}, models: {{chat: m}}{more}}}\n"
        )
        (self.path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
        (self.path / "pytest.ini").write_text("[pytest]\ntestpaths = conformance\n")

    @property
    def latest(self) -> Path:
        return self.path / "reports" / "toy" / "conformance" / "latest"

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.latest / "report.json").read_text())
        return report

    @property
    def verdicts(self) -> dict[str, str]:
        return {row["id"]: row["verdict"] for row in self.report["requirements"]}

    def everything_written(self) -> str:
        return "".join(file.read_text() for file in self.latest.iterdir())
