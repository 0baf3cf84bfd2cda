"""What stands between us and the target: certificates, redirects, a listener that goes away, a rude first answer."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from gateproof.verdict.plugin.lifecycle import EXIT_UNREACHABLE
from tests.hostile.rogue import MISBEHAVIOURS, TIMEOUTS, TOTAL, polite, requirement_of, rogue, said
from tests.hostile.runs import Ended, run
from tests.plugin.toy import HEAD, KEY, Project
from tests.unit.wire_server import answer, serving

STARTUP = 30.0  # s that a run may take beside its requests on a busy machine
BY_NAME = {misbehaviour.name: misbehaviour for misbehaviour in MISBEHAVIOURS}

CATALOGUE = """
area: TOY
title: toys
requirements:
  - {id: TOY-001, level: MUST, basis: S, claim: "before", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-002, level: MUST, basis: S, claim: "unary", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-003, level: MUST, basis: S, claim: "stream", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-004, level: MUST, basis: S, claim: "SDK", source: "RFC 1", check: "c", gate: []}
"""
CHECKS = (
    HEAD
    + """
from fixtures.sdk import read_by_the_sdk
from fixtures.streams import streamed

@requirement("TOY-001", requests=1)
def test_before(api: Api) -> None:
    assert api.chat().status == 200

@requirement("TOY-002", requests=1)
def test_unary(api: Api) -> None:
    assert api.chat().status == 200

@requirement("TOY-003", requests=1)
def test_stream(api: Api) -> None:
    assert streamed(api).done_positions == [1]

@requirement("TOY-004", requests=5)
def test_sdk(api: Api) -> None:
    _, error = read_by_the_sdk(api, api.chat_body())
    assert error is None
"""
)
BEFORE, AFTER = "TOY-001", ("TOY-002", "TOY-003", "TOY-004")


def toy(path: Path, url: str, more: str = "") -> Project:
    project = Project(path)
    project.write(url, CHECKS, TIMEOUTS + more, catalogue=CATALOGUE)
    return project


def broken_after_the_first(ended: Ended, told: str) -> None:
    assert ended.status == pytest.ExitCode.TESTS_FAILED, ended.output
    assert {name: row["verdict"] for name, row in ended.rows.items()} == {
        BEFORE: "PASS",
        **dict.fromkeys(AFTER, "FAIL"),
    }
    assert [row["message"] for name, row in ended.rows.items() if name in AFTER and told not in row["message"]] == []
    assert KEY not in ended.everything()


def test_a_redirect_in_the_middle_takes_no_credentials_along(tmp_path: Path) -> None:
    with serving(answer(b"stolen")) as elsewhere:
        away = answer(b"", f"location: {elsewhere.url}/v1/chat/completions", status="307 Temporary Redirect")
        with rogue(lambda requirement: polite if requirement == BEFORE else away) as server:
            ended = run(toy(tmp_path, server.url))

        assert elsewhere.requests == []
    broken_after_the_first(ended, "307")


def test_a_listener_that_goes_away_fails_what_comes_after(tmp_path: Path) -> None:
    def handler(sock: socket.socket, request: bytes) -> None:
        if requirement_of(request) == BEFORE:
            server.close()
        polite(sock, request)

    with serving(handler) as server:
        ended = run(toy(tmp_path, server.url))

    broken_after_the_first(ended, "refused")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def context(authority: trustme.CA, name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    until = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if expired else None
    since = dt.datetime(2019, 1, 1, tzinfo=dt.UTC) if expired else None
    authority.issue_cert(name, not_before=since, not_after=until).configure_cert(made)
    return made


def trusting(authority: trustme.CA, folder: Path) -> str:
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return f", tls: {{ca: '{file}'}}"


@pytest.mark.parametrize(
    ("name", "expired", "trusted", "told"),
    [
        ("127.0.0.1", False, False, "certificate not accepted: unable to get local issuer"),
        ("gateway.test", False, True, "certificate not accepted: IP address mismatch"),
        ("127.0.0.1", True, True, "certificate not accepted: certificate has expired"),
    ],
    ids=["unknown authority", "wrong host", "expired"],
)
def test_a_bad_certificate_is_seen_before_any_request(
    tmp_path: Path, authority: trustme.CA, name: str, expired: bool, trusted: bool, told: str
) -> None:
    with serving(polite, tls=context(authority, name, expired=expired)) as server:
        more = trusting(authority, tmp_path) if trusted else ""
        ended = run(toy(tmp_path, server.url.replace("http:", "https:"), more))

    assert ended.status == EXIT_UNREACHABLE
    assert told in ended.output
    assert server.requests == []
    assert KEY not in ended.everything()


def test_a_certificate_that_turns_bad_in_the_middle(tmp_path: Path, authority: trustme.CA) -> None:
    contexts = [context(authority)]

    class Turning(ssl.SSLContext):
        def wrap_socket(self, *arguments: object, **options: object) -> ssl.SSLSocket:
            return contexts[-1].wrap_socket(*arguments, **options)  # type: ignore[arg-type]

    def handler(sock: socket.socket, request: bytes) -> None:
        if requirement_of(request) == BEFORE:
            contexts.append(context(authority, expired=True))
        polite(sock, request)

    with serving(handler, tls=Turning(ssl.PROTOCOL_TLS_SERVER)) as server:
        project = toy(tmp_path, server.url.replace("http:", "https:"), trusting(authority, tmp_path))
        ended = run(project)

    broken_after_the_first(ended, "certificate has expired")


@pytest.mark.parametrize("name", ["streams for ever", "garbage for HTTP"])
def test_a_rude_first_answer_ends_the_run_at_once(tmp_path: Path, name: str) -> None:
    with serving(BY_NAME[name].handler) as server:
        ended = run(toy(tmp_path, server.url))

    assert ended.status == EXIT_UNREACHABLE
    assert "could not be reached" in ended.output
    assert BY_NAME[name].unary in ended.output
    assert ended.wall < TOTAL + STARTUP
    assert ended.project.report["complete"] is False
    assert KEY not in ended.everything()


def test_odd_answers_to_the_probes_stop_nothing(tmp_path: Path) -> None:
    body = b'{"choices": [null, {"message": "x", "logprobs": 1}]}'

    def handler(sock: socket.socket, request: bytes) -> None:
        (polite if requirement_of(request) else said(body))(sock, request)

    with serving(handler) as server:
        ended = run(toy(tmp_path, server.url))

    assert ended.rows[BEFORE]["verdict"] == "PASS", ended.output
