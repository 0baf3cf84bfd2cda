"""Admin APIs that fail or lie, and keys that die in use: what the user is told, and that the gateway is not blamed."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.rogue import TIMEOUTS, Handler, polite, stalls_after
from tests.hostile.runs import Ended, run
from tests.plugin.toy import HEAD, KEY, Project
from tests.unit.wire_server import answer, serving

ADMIN = "sk-admin-0123456789abcdef"
MINT = f", mint: {{adapter: reference, key: {ADMIN}, requests: {{limit: 5, window: 2s}}}}"
JSON = "content-type: application/json"

CATALOGUE = """
area: TOY
title: toys
requirements:
  - {id: TOY-001, level: MUST, basis: S, claim: "served", source: "RFC 1", check: "c", gate: []}
  - {id: TOY-002, level: MUST, basis: S, claim: "served to a made tenant", source: "RFC 2", check: "c", gate: []}
  - {id: TOY-003, level: MUST, basis: S, claim: "served to another one", source: "RFC 3", check: "c", gate: []}
"""
CHECKS = (
    HEAD
    + """
@requirement("TOY-001", requests=2)
def test_served(api: Api) -> None:
    assert [api.chat().status for _ in range(2)] == [200, 200]

@requirement("TOY-002", requests=2)
def test_served_made(tenant_with) -> None:
    api = tenant_with(requests=True)
    assert [api.chat().status for _ in range(2)] == [200, 200]

@requirement("TOY-003", requests=2)
def test_served_made_too(tenant_with) -> None:
    api = tenant_with(requests=True)
    assert [api.chat().status for _ in range(2)] == [200, 200]
"""
)
OWN, MADE = "TOY-001", ("TOY-002", "TOY-003")


def said(body: object, status: str = "200 OK") -> Handler:
    return answer(json.dumps(body).encode(), JSON, status=status)


UNAUTHORIZED = said({"error": {"message": "no such key"}}, "401 Unauthorized")


class Gateway:
    """Serves the key of the project and those that it made. The attributes are what is wrong with it."""

    def __init__(self, **wrong: Any) -> None:
        self.admin: dict[str, Handler] = wrong.get("admin", {})
        """By method, instead of what it should do."""
        self.made_keys_work = wrong.get("made_keys_work", True)
        self.calls_of_a_key: int | None = wrong.get("calls_of_a_key")
        self.forgets_the_dead = wrong.get("forgets_the_dead", True)
        self.tenants: dict[str, str] = {}
        self.calls: dict[str, int] = {}
        """By key, to the API itself."""
        self.asked: dict[str, int] = {}
        """By method, of the admin API."""

    def __call__(self, sock: socket.socket, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        method, path, _ = head.decode().split(" ", 2)
        key = found[1] if (found := re.search(r"(?im)^authorization: Bearer (\S+)", head.decode())) else ""
        if path.startswith("/admin/keys"):
            self.asked[method] = self.asked.get(method, 0) + 1
            handler = self.admin.get(method) or (self.manage(method, path, body) if key == ADMIN else UNAUTHORIZED)
        else:
            handler = polite if self.serves(key) else UNAUTHORIZED
        handler(sock, request)

    def serves(self, key: str) -> bool:
        self.calls[key] = self.calls.get(key, 0) + 1
        if key != KEY and (key not in self.tenants or not self.made_keys_work):
            return False
        alive = self.calls_of_a_key is None or self.calls[key] <= self.calls_of_a_key
        if not alive and self.forgets_the_dead:
            self.tenants.pop(key, None)
        return alive

    def manage(self, method: str, path: str, body: bytes) -> Handler:
        if method == "POST":
            key = f"gp-{len(self.tenants):032d}"
            self.tenants[key] = json.loads(body)["tenant"]
            return said({"key": key})
        if method == "DELETE":
            self.tenants.pop(path.rpartition("/")[2], None)
            return said({})
        return said({"keys": [{"tenant": tenant, "id": key} for key, tenant in self.tenants.items()]})


def played(path: Path, gateway: Gateway, more: str = MINT, *options: str) -> Ended:
    project = Project(path)
    with serving(gateway) as server:
        project.write(server.url, CHECKS, TIMEOUTS + more, catalogue=CATALOGUE)
        ended = run(project, *options)
    assert ADMIN not in ended.output
    return ended


def verdicts(ended: Ended) -> dict[str, str]:
    return {name: row["verdict"] for name, row in ended.rows.items()}


def assert_untestable(ended: Ended, told: str, *, but: dict[str, str]) -> None:
    """Every check of a made tenant; its message says why."""
    assert verdicts(ended) == {**dict.fromkeys(MADE, "UNTESTABLE"), **but}
    wrong = [name for name in MADE if name not in but and told not in ended.rows[name]["message"]]
    assert [ended.rows[name]["message"] for name in wrong] == []
    assert ended.status == pytest.ExitCode.TESTS_FAILED, "a MUST that could not be tested is not fulfilled"
    assert ADMIN not in ended.everything()


def test_nothing_is_wrong_with_a_sound_one(tmp_path: Path) -> None:
    gateway = Gateway()
    ended = played(tmp_path, gateway)

    assert verdicts(ended) == dict.fromkeys((OWN, *MADE), "PASS")
    assert gateway.tenants == {}


BROKEN = {
    "500": (said({"error": "database down"}, "500 Internal Server Error"), 'POST /admin/keys: 500 {"error": "database'),
    "a web page": (answer(b"<html>Sign in</html>", "content-type: text/html"), "the answer has no `key`: <html>Sign"),
    "a cut": (stalls_after(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"), "POST /admin/keys: ConnectionError"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_admin_api_that_makes_no_key(tmp_path: Path, name: str) -> None:
    handler, told = BROKEN[name]
    ended = played(tmp_path, Gateway(admin={"POST": handler}))

    assert_untestable(ended, told, but={OWN: "PASS"})


def test_a_dead_admin_api_is_told_at_the_start_and_asked_seldom(tmp_path: Path) -> None:
    """Nothing at all comes from it, and each call takes as long as the target's timeouts allow."""
    silent = stalls_after(b"")
    gateway = Gateway(admin=dict.fromkeys(("GET", "POST"), silent))
    ended = played(tmp_path, gateway)

    assert_untestable(ended, "waiting for the response", but={OWN: "PASS"})
    assert "toy: the admin API does not work, so no keys can be made: GET /admin/keys: " in ended.output
    # one to each check that wants a key, and what looks for leftovers: at the start, of each process, at the end
    assert gateway.asked == {"POST": len(MADE), "GET": 3}


def test_a_wrong_admin_key_is_a_mistake_of_the_user_told_before_anything_is_sent(tmp_path: Path) -> None:
    gateway = Gateway()
    ended = played(tmp_path, gateway, MINT.replace(ADMIN, "sk-another-0123456789abc"))

    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "toy.mint.key: the admin API refuses it: GET /admin/keys: 401" in ended.output
    assert gateway.calls == {}


def test_a_missing_admin_key_is_a_mistake_of_the_user_told_before_anything_is_sent(tmp_path: Path) -> None:
    gateway = Gateway()
    ended = played(tmp_path, gateway, MINT.replace(ADMIN, "{env: TOY_ADMIN_KEY}"))

    assert ended.status == pytest.ExitCode.USAGE_ERROR
    assert "toy.mint.key: environment variable TOY_ADMIN_KEY is not set" in ended.output
    assert gateway.calls == {}


def test_made_keys_that_never_work(tmp_path: Path) -> None:
    ended = played(tmp_path, Gateway(made_keys_work=False))

    assert_untestable(ended, "which it made for this check, yet it never worked (401 twice)", but={OWN: "PASS"})


def test_a_made_key_that_somebody_deletes_in_use(tmp_path: Path) -> None:
    gateway = Gateway(calls_of_a_key=1)
    gateway.calls[KEY] = -100  # the project's own lives on
    ended = played(tmp_path, gateway)

    assert_untestable(ended, "was deleted by somebody else while it was in use", but={OWN: "PASS"})


def test_a_living_key_that_the_gateway_begins_to_refuse_is_the_gateways_failure(tmp_path: Path) -> None:
    gateway = Gateway(calls_of_a_key=1, forgets_the_dead=False)
    gateway.calls[KEY] = -100
    ended = played(tmp_path, gateway)

    assert verdicts(ended) == {OWN: "PASS", **dict.fromkeys(MADE, "FAIL")}


def test_a_declared_key_that_dies_in_use(tmp_path: Path) -> None:
    """Nobody can be asked whether it should work. It dies with the last call that a sound run makes with it."""
    sound = Gateway()
    (tmp_path / "sound").mkdir()
    played(tmp_path / "sound", sound, "", "--requirement", OWN)
    ended = played(tmp_path, Gateway(calls_of_a_key=sound.calls[KEY] - 1), "", "--requirement", OWN)

    assert ended.rows[OWN]["verdict"] == "UNTESTABLE"
    assert "the key of `main` worked before in this run and is refused now (401 twice)" in ended.rows[OWN]["message"]


def test_a_single_401_to_a_living_key_is_the_gateways_failure(tmp_path: Path) -> None:
    class Moody(Gateway):
        def serves(self, key: str) -> bool:
            served = super().serves(key)
            return served and not (key != KEY and self.calls[key] == 1)

    ended = played(tmp_path, Moody())

    assert verdicts(ended) == {OWN: "PASS", **dict.fromkeys(MADE, "FAIL")}


def test_keys_that_cannot_be_taken_back_are_listed_and_change_no_verdict(tmp_path: Path) -> None:
    gateway = Gateway(admin={"DELETE": said({"error": "read-only"}, "503 Service Unavailable")})
    ended = played(tmp_path, gateway)

    assert verdicts(ended) == dict.fromkeys((OWN, *MADE), "PASS")
    (listed,) = re.findall(r"gateproof: toy: left behind: (.*)", ended.output)
    assert listed.split("; ") == sorted(gateway.tenants.values())
    assert len(gateway.tenants) == len(MADE)
