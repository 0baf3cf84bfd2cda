"""No secret is ever printed, and what is printed can be read and run."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateproof.wire.evidence import SHOWN_HEAD, SHOWN_TAIL, excerpt
from gateproof.wire.exchange import Answer, Chunk, Exchange
from gateproof.wire.redact import MASK, PIECE, Redactor

KEY = "sk-abcdefghijklmnopqrstuvwxyz/+="


def test_headers_that_carry_credentials_are_masked_by_name() -> None:
    headers = {
        "Authorization": "Bearer x", "x-api-key": "y", "Cookie": "a=b", "x-litellm-api-key": "Bearer z",
        "x-auth-token": "t", "x-ratelimit-remaining-tokens": "5", "content-type": "text/plain", "x-own": "w",
    }  # fmt: skip
    redactor = Redactor(header_names=["X-Own"])
    masked = dict(redactor.headers(headers))
    assert masked["Authorization"] == masked["x-litellm-api-key"] == f"Bearer {MASK}"
    assert {masked[name] for name in ("x-api-key", "Cookie", "x-auth-token", "x-own")} == {MASK}
    assert (masked["x-ratelimit-remaining-tokens"], masked["content-type"]) == ("5", "text/plain")


def test_secrets_are_masked_by_value_wherever_they_are() -> None:
    redactor = Redactor([KEY])
    assert redactor.text(f"a {KEY} b {KEY}") == f"a {MASK} b {MASK}"
    assert "abcdef" not in redactor.text("k=sk-abcdefghijklmnopqrstuvwxyz%2F%2B%3D")
    assert redactor.text("key sk-abcdefghijkl... refused") == f"key {MASK}... refused"
    assert redactor.text("sk-abc") == "sk-abc"


def test_wrapped_secrets_are_revealed_to_the_redactor_only() -> None:
    class Secret(str):
        def __str__(self) -> str:
            return "masked"

        def reveal(self) -> str:
            return KEY

    redactor = Redactor()
    redactor.add(Secret("x"))
    assert redactor.text(KEY) == MASK
    assert KEY not in repr(redactor)


def test_a_secret_within_another_leaves_nothing() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("abcdefgh abcd") == f"{MASK} {MASK}"


@given(st.text(min_size=4, max_size=60), st.text(max_size=80), st.text(max_size=80))
def test_no_text_keeps_a_known_secret(secret: str, before: str, after: str) -> None:
    if secret in MASK or len(secret.strip()) < 4:
        return
    redacted = Redactor([secret]).text(before + secret + after)
    assert secret not in redacted.replace(MASK, "")


@pytest.mark.parametrize("shift", range(0, 60, 7))
def test_no_secret_is_cut_in_two_by_an_excerpt(shift: int) -> None:
    body = b"x" * shift + KEY.encode() * 20_000
    shown = excerpt(body, Redactor([KEY]))
    assert "sk-" not in shown
    assert "xyz" not in shown
    assert len(shown) < SHOWN_HEAD + SHOWN_TAIL + 100


def test_excerpt_says_how_much_is_left_out() -> None:
    shown = excerpt(b"a" * 100_000, Redactor())
    assert f"{100_000 - SHOWN_HEAD - SHOWN_TAIL} of 100000 bytes left out" in shown
    assert "not text" in excerpt(b"RIFF\x00\x00", Redactor())


def exchange(**changes) -> Exchange:
    redactor = Redactor([KEY])
    base = {
        "method": "POST",
        "url": "http://h/v1/x?a=b&c=d",
        "path": "/v1/x?a=b&c=d",
        "sent_headers": httpx.Headers(redactor.headers({"authorization": f"Bearer {KEY}", "x-b": "it's"})),
        "sent_body": json.dumps({"text": "it's $HOME `id` *** !x", "key": KEY}).encode(),
        "answer": Answer(401, httpx.Headers({"x-echo": KEY}), "Unauthorized"),
        "chunks": [Chunk(1.0, f"no {KEY}\r\n\x1b[2J".encode())],
        "redactor": redactor,
        "started": 0.5,
        "ended": 1.0,
    }
    return Exchange(**{**base, **changes})


def test_evidence_is_redacted_and_cannot_drive_a_terminal() -> None:
    shown = exchange().evidence()
    assert KEY not in shown
    assert "\x1b" not in shown
    assert f"< x-echo: {MASK}" in shown
    assert "> POST /v1/x?a=b&c=d HTTP/1.1" in shown
    assert "< HTTP/1.1 401 Unauthorized" in shown
    assert "\\r" in shown
    assert repr(exchange()) == "POST /v1/x?a=b&c=d → 401 in 500 ms"


def test_curl_survives_the_shell_with_the_key_as_a_variable() -> None:
    line = exchange().curl("$MY_KEY")
    assert KEY not in line
    show = "import json, sys; print(json.dumps(sys.argv[1:]))"
    script = f'curl() {{ {shlex.quote(sys.executable)} -c {shlex.quote(show)} "$@"; }}; {line}'
    done = subprocess.run(["/bin/sh", "-c", script], env={"MY_KEY": KEY}, capture_output=True, text=True, check=True)
    words = json.loads(done.stdout)
    assert f"authorization: Bearer {KEY}" in words
    assert "x-b: it's" in words
    assert "http://h/v1/x?a=b&c=d" in words
    assert json.loads(words[-1]) == {"text": "it's $HOME `id` *** !x", "key": KEY}


@pytest.mark.parametrize(("body", "hint"), [(b"x" * 3000, "@body.json"), (b"\xff", "@body.bin"), (b"", "curl")])
def test_curl_leaves_large_bodies_to_a_file(body: bytes, hint: str) -> None:
    line = exchange(sent_body=body).curl()
    assert hint in line
    assert len(line) < 500


@pytest.mark.parametrize("cut", ["{0}...", "...{1}", "a {2} b", "{0}...{1}", "{key}{key}...{1}"])
def test_a_secret_that_others_cut_in_two_is_masked_in_both_halves(cut: str) -> None:
    key = "sk-0123456789abcdefghij"
    shown = Redactor([key]).closely(cut.format(key[:11], key[11:], key[5:17], key=key))
    assert MASK in shown
    assert [start for start in range(len(key) - PIECE + 1) if key[start : start + PIECE] in shown] == []


def test_text_without_a_secret_stays_as_it_is() -> None:
    assert Redactor(["sk-0123456789abcdefghij"]).closely("sk-01234 and 0123") == "sk-01234 and 0123".replace(
        "sk-01234", MASK
    )
    assert Redactor(["short-key"]).closely("a short text") == "a short text"
    assert Redactor().closely("") == ""
