"""The engine against the exact peer, step by step; run by ``__main__``, in a process that gevent has patched."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gateproof.load.arrivals import Process
from gateproof.load.calibrate.result import Departure, Spread, Step, Times, errors
from gateproof.load.engine import Engine, Plan
from gateproof.load.log import Writer, read_log, warm_up
from gateproof.load.plan import CLOSED_REQUESTS
from gateproof.load.profile import Profile
from gateproof.load.recorder import Recorder
from gateproof.load.requests import Door, Requests
from gateproof.load.schedule import Phase, Schedule, closed_loop, open_loop
from gateproof.load.wire.call import Call, Origin
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.reading import Reading
from gateproof.load.workload import draw

GAP_US = 10_000  # between the events of a stream: that of a fast model
TOKENS, FIRST_US = 50, 20_000  # of a stream, at least
SPREAD = 37  # tokens and ms by which streams differ, so that they do not end together; prime to the numbers of streams
SHORT = 4  # tokens of the streams that arrive on their own
SEED = 1
HEAD_START = 0.3  # s before the first request: the first write of a log and a full collection come before it


class Numbered(Requests):
    """Requests whose headers tell the peer what to do; they have no body."""

    def __init__(self, *, tokens: int) -> None:
        self._tokens = tokens
        self._only = Door("chat", "/v1/chat/completions", "127.0.0.1", "m", True, {})

    def door(self, index: int) -> Door:  # noqa: ARG002 - of the face
        return self._only

    def build(self, index: int) -> bytes:
        spread = index % SPREAD if self._tokens > SHORT else 0
        door = dataclasses.replace(
            self._only,
            headers={
                "X-Index": str(index),
                "X-Tokens": str(self._tokens + spread),
                "X-First-Us": str(FIRST_US + spread * 1000),
                "X-Gap-Us": str(GAP_US),
            },
        )
        return door.head(0)


@contextmanager
def peer() -> Iterator[int]:
    """Its port; it ends with the block."""
    words = [sys.executable, "-m", "gateproof.load.calibrate.peer"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process:  # closes the pipes, by which the peer ends
        yield int(process.stdout.readline())
        process.stdin.close()


def instants(port: int) -> dict[int, tuple[list[int], list[int]]]:
    """When each event of each stream was written: before and after, by index of the request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/instants")
    told = json.loads(connection.getresponse().read())
    connection.close()
    return {int(index): (before, after) for index, (before, after) in told.items()}


def play(port: int, profile: Profile, schedule: Schedule, tokens: int, folder: Path) -> tuple[dict[int, Times], float]:
    """Arrivals of tokens by index of the request, and the share of a core that it took."""
    told: dict[int, Times] = {}

    def hear(_: int, call: Call, reading: Reading) -> None:
        told[call.index] = reading.token_times

    asked = draw(profile.workload, len(schedule), SEED)
    origin = Origin(("127.0.0.1", port), socket.AF_INET)
    start = Clock.now() + int(HEAD_START * 1e9)
    recorder = Recorder(Writer(folder, 0), start)
    warm_up(folder)
    engine = Engine(Plan(profile, schedule, asked, Numbered(tokens=tokens), origin), 0, 1, recorder, hear)
    cpu, begun = engine.cpu, time.monotonic()
    engine.run(start)
    return told, (engine.cpu - cpu) / (time.monotonic() - begun)


def streaming(port: int, streams: int, seconds: float, folder: Path) -> Step:
    """A closed loop of streams for some seconds."""
    phase = {"name": "streams", "duration": seconds}
    profile = Profile.model_validate(
        {"name": "calibrate", "arrivals": {"kind": "closed", "streams": streams}, "phases": [phase]}
    )
    most = min(CLOSED_REQUESTS, int(streams * (seconds / (TOKENS * GAP_US / 1e6) + 2)))
    schedule = closed_loop(most, Phase("streams", seconds, 0, 0), SEED)
    told, cpu = play(port, profile, schedule, TOKENS, folder)
    sent = instants(port)
    # of what was cut there is no whole truth
    whole = [index for index in told if index in sent and len(told[index]) == len(sent[index][0])]
    pairs = [errors(told[index], *sent[index]) for index in whole]
    arrivals = joined(list(told.values()))
    span = float(np.ptp(arrivals)) / 1e9 if len(arrivals) > 1 else 0.0
    return Step(
        streams,
        len(arrivals) / span if span else 0.0,
        cpu,
        Spread.of(joined([first for first, _ in pairs])),
        Spread.of(joined([gaps for _, gaps in pairs])),
    )


def joined(times: list[Times]) -> Times:
    return np.concatenate([np.empty(0, dtype=np.int64), *times])


def departing(port: int, rate: float, seconds: float, folder: Path) -> Departure:
    """Poisson arrivals of short streams."""
    phase = {"name": "arrivals", "duration": seconds}
    profile = Profile.model_validate(
        {"name": "calibrate", "arrivals": {"kind": "poisson", "rate": rate}, "phases": [phase]}
    )
    schedule = open_loop(Process("poisson"), [Phase("arrivals", seconds, rate, rate)], SEED)
    play(port, profile, schedule, SHORT, folder / "log")
    instants(port)  # forgotten
    table = read_log(folder).table
    left = table.filter(table["dispatched"].is_valid())
    return Departure(rate, Spread.of(left["dispatched"].to_numpy() - left["scheduled"].to_numpy()))


def measure(seconds: float, streams: list[int], rates: list[float]) -> None:
    with peer() as port, tempfile.TemporaryDirectory(prefix="gateproof-calibrate-") as folder:
        for number in streams:
            step = streaming(port, number, seconds, Path(folder) / f"streams-{number}")
            print(json.dumps({"step": dataclasses.asdict(step)}), flush=True)
        for rate in rates:
            departure = departing(port, rate, seconds, Path(folder) / f"rate-{rate:g}")
            print(json.dumps({"arrivals": dataclasses.asdict(departure)}), flush=True)
