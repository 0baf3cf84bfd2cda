"""What tells about the inside, and what only looks so."""

from __future__ import annotations

import pytest

from gateproof.shape.leaks import leaks, versions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Traceback (most recent call last):\n", ["stack trace: Traceback (most recent call last)"]),
        ("x\n    at Object.run (node:internal/x.js:10:5)\n", ["stack trace: at Object.run (node:internal/x.js:10:5)"]),
        ("open /srv/engine/worker.py failed", ["file path: /srv/engine/worker.py"]),
        ("handler gateway/server.go:88 failed", ["file path: gateway/server.go:88"]),
        (r"in C:\app\main.py", [r"file path: C:\app\main.py"]),
        ("connect to 10.1.2.3:8000 refused", ["internal address: 10.1.2.3:8000"]),
        ("http://172.20.0.4/v1", ["internal address: 172.20.0.4"]),
        ("127.0.0.1:9 and 127.0.0.1:80", ["internal address: 127.0.0.1:9"]),
        ("vllm.models.svc.cluster.local:8000 down", ["internal address: vllm.models.svc.cluster.local:8000"]),
        ("key sk-abcdefghijklmnop1234 expired", ["credential: sk-abcdefghijklmnop1234"]),
    ],
)
def test_leaks(text: str, found: list[str]) -> None:
    assert leaks(text, own=["127.0.0.1:80"]) == found


@pytest.mark.parametrize(
    "text",
    [
        "Unknown request URL: POST /v1/chat/completions. See https://platform.openai.com/docs/api-reference",
        "expected a value <= 2.0, got 3; line 1 column 11 (char 10)",
        "8.8.8.8 is public, 172.32.0.1 too, 1.10.0.0.1 is no address",
        "The model `sk-learn` does not exist",
        "at most 5 (or 6) requests",
    ],
)
def test_harmless(text: str) -> None:
    assert leaks(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"version": "1.4.2"}', ["version: 1.4.2"]),
        ("server v0.32.0rc1 up", ["version: v0.32.0rc1"]),
        ("10.1.2.3 since 2.5 s", []),
    ],
)
def test_versions(text: str, found: list[str]) -> None:
    assert versions(text) == found
