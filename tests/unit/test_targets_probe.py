"""What a probe says of a target, against a client that answers from a table."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateproof.targets.model import Target
from gateproof.targets.probe import declared_and_detected, probe
from gateproof.wire.exchange import Answer, Exchange

COMPLETION = b'{"choices": [{"message": {"content": "x"}}]}'


class Answering:
    """Stands for a client: each path has one status; whoever has no key is refused."""

    def __init__(self, statuses: dict[str, int], *, models_open: bool = False) -> None:
        self.statuses, self.models_open = statuses, models_open
        self.sent: list[tuple[str, str, Any]] = []

    def send(self, method: str, path: str, *, headers: dict[str, str], json: Any = None, **_: Any) -> Exchange:
        self.sent.append((method, path, json))
        status = self.statuses.get(path, 404)
        if "authorization" not in headers and path.startswith("/v1") and method != "OPTIONS":
            status = 401 if not (self.models_open and path == "/v1/models") else status
        stream = bool(json and json.get("stream"))
        kind = "text/event-stream" if stream else "application/json"
        answer = Answer(status, httpx.Headers({"content-type": kind, "ratelimit-policy": "x"}), "", "HTTP/1.1")
        exchange = Exchange(method=method, url=path, path=path, answer=answer)
        vars(exchange)["_body"] = COMPLETION
        return exchange


@pytest.fixture
def target() -> Target:
    return Target.model_validate(
        {
            "name": "t",
            "stack": "openai",
            "base_url": "http://127.0.0.1:1",
            "key": "sk-1",
            "models": {"chat": "m", "embeddings": "e", "transcriptions": "a", "speech": "s"},
            "probes": {"live": "/live", "ready": "/ready"},
        }
    )


def detected(target: Target, statuses: dict[str, int], **how: Any) -> dict[str, bool]:
    return probe(target, Answering(statuses, **how))  # type: ignore[arg-type]


SERVED = {"/v1/chat/completions": 200, "/v1/models": 200, "/live": 200, "/v1/embeddings": 501, "/v1/audio/speech": 503}


def test_what_answers_is_there_and_what_is_not_found_is_not(target: Target) -> None:
    seen = detected(target, SERVED)
    shown = {name: seen[name] for name in ("api.chat", "api.models", "health.live", "api.embeddings", "health.ready")}
    assert shown == {
        "api.chat": True,
        "api.models": True,
        "health.live": True,
        "api.embeddings": False,
        "health.ready": False,
    }


def test_a_server_error_and_an_undeclared_api_say_nothing(target: Target) -> None:
    seen = detected(target, SERVED)
    assert not {"api.speech", "api.rerank", "obs.metrics"} & seen.keys()


def test_features_are_seen_in_the_answer(target: Target) -> None:
    seen = detected(target, SERVED)
    assert (seen["f.stream"], seen["f.n"], seen["f.tools"]) == (True, False, False)
    assert seen["lim.headers.ietf"]
    assert "lim.headers.rl03" not in seen


def test_keys_are_asked_for_even_when_the_models_are_open(target: Target) -> None:
    assert detected(target, SERVED, models_open=True)["auth.bearer"]


def test_a_declared_and_an_undeclared_capability_are_told_apart(target: Target) -> None:
    rows = {
        name: (support, shown)
        for name, support, shown in declared_and_detected(target, {"f.n": True, "api.chat": True})
    }
    assert rows["f.n"] == ("unset", True)
    assert rows["api.chat"] == ("supported", True)
    assert rows["api.speech"] == ("supported", None)
    assert "f.tools" not in rows


def test_a_probe_is_cheap(target: Target) -> None:
    client = Answering(SERVED)
    probe(target, client)  # type: ignore[arg-type]
    at_most = 25  # requests: a probe precedes every run, also against paid stacks
    assert len(client.sent) <= at_most
    assert all((json or {}).get("max_tokens", 1) == 1 for _, _, json in client.sent)
