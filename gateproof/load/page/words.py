"""Numbers and names as the page says them."""

from __future__ import annotations

import math

from gateproof.report.text import shorten

METRICS = {
    "ttft": "time to first token",
    "tpot": "time per output token",
    "gap": "gap between tokens",
    "latency": "latency",
    "ttft_service": "time to first token, service",
    "latency_service": "latency, service",
    "slip": "schedule slip",
    "first_byte": "first byte",
    "first_event": "first event",
    "connect": "connect",
    "read_delay": "our own read delay",
    "prompt_tokens": "prompt tokens",
    "completion_tokens": "completion tokens",
}
"""In the order of the page; others follow by their names."""

STAGES = {"gap_p99": "p99 gap of a request"}
"""Of a comparison with the backend itself, beside those above."""

STARTS = {
    "scheduled": "when due",
    "sent": "when sent",
    "dispatched": "when dispatched",
    "first_token": "the first token",
    "token before": "the token before",
    "": "–",
}
NONE = "–"
"""What is not known."""

SECONDS_FROM, MILLISECONDS_FROM = 10.0, 1e-5


LEGEND_WIDTH = 32  # characters of a name from outside


def named(name: str) -> str:
    """As a legend has room for."""
    return shorten(name, LEGEND_WIDTH)


def number(value: float | None, digits: int = 3) -> str:
    """Three figures, thousands apart: `0.0123`, `12.3`, `12,345`."""
    if value is None or math.isnan(value):
        return NONE
    if value == round(value) and abs(value) < 1000:
        return f"{value:.0f}"
    size = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if size >= digits - 1:
        return f"{value:,.0f}"
    if size < -4:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{digits - 1 - size}f}"


def seconds(value: float | None) -> str:
    """`3.21 ms`, `12.3 s`."""
    if value is None or math.isnan(value):
        return NONE
    if abs(value) >= SECONDS_FROM:
        return f"{number(value)} s"
    return f"{number(value * 1e3)} ms" if value == 0 or abs(value) >= MILLISECONDS_FROM else f"{number(value * 1e6)} µs"


def measured(value: float | None, unit: str) -> str:
    return seconds(value) if unit == "s" else number(value)


def clock(at: float) -> str:
    """`0:05`, `1:02:03`, tenths where there are some."""
    whole, tenths = divmod(round(at * 10), 10)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{tenths}" if tenths else ""
    return f"{hours}:{minutes:02}:{rest:02}{fraction}" if hours else f"{minutes}:{rest:02}{fraction}"


def percent(share: float | None) -> str:
    return NONE if share is None else f"{number(share * 100)} %"
