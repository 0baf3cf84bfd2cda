"""What a summary says of servers and of drift: short where there is nothing to see."""

from __future__ import annotations

from typing import Any

from gateproof.load.beside import in_words

NO_SERVER: dict[str, Any] = {"sources": {}, "compared": []}


def compared(quantile: str, apart: float, source: str = "target") -> dict[str, Any]:
    return {"metric": "ttft", "quantile": quantile, "source": source, "apart_s": apart, "said": f"{quantile} differs"}


def phase(**verdicts: str) -> dict[str, Any]:
    series = [{"series": name, "verdict": told, "said": f"{name} {told}"} for name, told in verdicts.items()]
    return {"phase": "steady", "window_s": 2.0, "series": series}


def test_views_that_agree_are_one_line() -> None:
    views = [compared("p50", 0.0), compared("p95", 0.0), compared("p95", 0.1, "upstream")]
    assert in_words({"server": {"sources": {}, "compared": views}}) == [
        "Client and server: p95 differs.",
        "Client and server agree: ttft p50 (target), ttft p95 (target).",
    ]


def test_a_run_in_which_nothing_can_be_told_says_so_once() -> None:
    told = phase(**{"errors": "cannot tell", "ttft p50": "cannot tell"})
    assert in_words({"server": NO_SERVER, "drift": [told]}) == ["Drift in steady, windows of 2 s: too short to tell."]


def test_what_cannot_be_told_beside_what_can_is_named() -> None:
    told = phase(**{"errors": "steady", "ttft p50": "cannot tell", "memory": "drifts"})
    assert in_words({"server": NO_SERVER, "drift": [told]}) == [
        "Drift in steady, windows of 2 s: memory drifts; steady: errors; cannot tell: ttft p50."
    ]
