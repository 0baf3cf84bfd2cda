"""What is measured, each against its goal. Costs are differences of a long and a short run: starting up is left out."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.clients import limit, open_loop, ours, plain_locust, streams, unary
from bench.processes import BenchError, Done, Machine, sink
from bench.rows import Row

TTFT_MS, GAP_MS, TOKENS = 200, 10, 200  # a stream of the sink: 100 tokens/s for 2 s
SHORT, LONG = 400, 2000  # requests of 200 streams: two and ten rounds
MANY, MANY_REQUESTS = 500, 1500  # streams, 50,000 events/s; three rounds
CLIENTS = 32  # requests under way at once where they are answered at once
UNARY_SHORT, UNARY_LONG = 5_000, 25_000
PLAIN_SHORT, PLAIN_LONG = 3.0, 10.0  # s
RATE, OPEN_SECONDS, OPEN_TOKENS = 1000.0, 15.0, 4

CPU_GOAL = 2.5  # times the C client
TTFT_P50_GOAL, TTFT_P99_GOAL, TTFT_MANY_GOAL = 0.3, 3.0, 3.0  # ms
UNARY_GOAL = 1.0  # times plain Locust
SLIP_GOAL = 2.0  # ms

Case = Callable[[Machine, Path], list[Row]]


def streaming(machine: Machine, work: Path) -> list[Row]:
    """CPU per event and the error of the time to first token at 200 streams of 100 events/s."""
    with sink(machine, TTFT_MS, GAP_MS) as short_sink:
        short = ours(machine, short_sink, work, streams(200, TOKENS, SHORT))
    with sink(machine, TTFT_MS, GAP_MS) as long_sink:
        long = ours(machine, long_sink, work, streams(200, TOKENS, LONG))
    with sink(machine, TTFT_MS, GAP_MS) as limit_sink:
        least = [limit(machine, limit_sink, 200, TOKENS, requests) for requests in (SHORT, LONG)]
    events = long_sink.truth["events"] - short_sink.truth["events"]
    cost = _apart(short.done, long.done) / events * 1e6
    floor = _apart(*least) / events * 1e6
    truth = long_sink.truth
    errors = {name: long.quantile("ttft_service", name) - truth[f"true_ttft_{name}_ms"] for name in ("p50", "p99")}
    detail = f"true p50 {truth['true_ttft_p50_ms']:.2f} p99 {truth['true_ttft_p99_ms']:.2f} ms, {long.verdict}"
    return [
        Row(
            "CPU per event, 200 streams x 100/s, to C",
            cost / floor,
            CPU_GOAL,
            "<=",
            detail=f"{cost:.2f} us, C {floor:.2f} us, {events:,} events",
        ),
        Row("TTFT p50 off, the same load", abs(errors["p50"]), TTFT_P50_GOAL, "<=", "ms", detail),
        Row("TTFT p99 off, the same load", abs(errors["p99"]), TTFT_P99_GOAL, "<=", "ms"),
    ]


def many_streams(machine: Machine, work: Path) -> list[Row]:
    """The error at 50,000 events/s."""
    with sink(machine, TTFT_MS, GAP_MS) as serving:
        run = ours(machine, serving, work, streams(MANY, TOKENS, MANY_REQUESTS))
    true = serving.truth["true_ttft_p50_ms"]
    told = run.quantile("ttft_service", "p50")
    detail = f"told {told:.2f}, true {true:.2f} ms, {run.verdict}"
    return [Row("TTFT p50 off, 500 streams x 100/s", abs(told - true), TTFT_MANY_GOAL, "<=", "ms", detail)]


def unary_requests(machine: Machine, work: Path) -> list[Row]:
    """Requests per second of processor time, beside plain Locust's."""
    mine, plain = [], []
    for requests in (UNARY_SHORT, UNARY_LONG):
        with sink(machine, 1, 1) as serving:
            run = ours(machine, serving, work, unary(CLIENTS, requests))
        if run.report["outcomes"] != {"ok": requests}:
            raise BenchError(f"not every request ended well: {run.report['outcomes']}")
        mine.append((requests, run.done))
    for seconds in (PLAIN_SHORT, PLAIN_LONG):
        with sink(machine, 1, 1) as serving:
            done = plain_locust(machine, serving, CLIENTS, seconds)
        plain.append((int(serving.truth["requests"]), done))
    own, its = (
        (long[0] - short[0]) / _apart(short[1], long[1]) for short, long in ((mine[0], mine[1]), (plain[0], plain[1]))
    )
    detail = f"{own:,.0f} requests per CPU second, plain FastHttpUser {its:,.0f}"
    return [Row("unary requests per CPU, to plain Locust", own / its, UNARY_GOAL, ">=", detail=detail)]


def arrivals(machine: Machine, work: Path) -> list[Row]:
    """How late requests leave that are due at 1,000/s."""
    with sink(machine, 20, GAP_MS) as serving:
        run = ours(machine, serving, work, open_loop(RATE, OPEN_SECONDS, OPEN_TOKENS))
    p99 = run.quantile("slip", "p99")
    detail = f"p50 {run.quantile('slip', 'p50'):.2f} ms, {run.report['due']:,} arrivals, {run.verdict}"
    return [Row(f"slip p99, {RATE:,.0f} arrivals/s, streamed", p99, SLIP_GOAL, "<=", "ms", detail)]


def _apart(short: Done, long: Done) -> float:
    """Seconds of processor time that the longer run took more."""
    more = long.cpu - short.cpu
    if more <= 0:
        raise BenchError(f"a longer run cost less ({long.cpu:.2f} s, {short.cpu:.2f} s): this machine is too busy")
    return more


def timed(case: Case, machine: Machine, work: Path) -> tuple[list[Row], float]:
    """The rows of a case, and how long it took."""
    begun = time.monotonic()
    return case(machine, work), time.monotonic() - begun
