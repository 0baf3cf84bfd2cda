"""Our face towards Locust: its users, web UI, master and workers stay; what they run is one engine per worker.

The master (or the only process) makes the run, tells every worker its share, and writes the report when all are
through. Each request is one request event, fired when the stream has ended and been judged, so Locust's own numbers
agree with ours. https://docs.locust.io/en/stable/extending-locust.html
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import gevent
import locust.stats
from locust import LoadTestShape, User, events, task
from locust.env import Environment
from locust.runners import WorkerRunner

from gateproof.errors import GateproofError
from gateproof.load.profile import PROFILES
from gateproof.load.session import BEGIN, DONE, STOP, STOP_SECONDS, Session

LIVE_KEY = "gateproof"
SESSION: list[Session] = []


class Gate(User):
    """A place holder: requests come from the schedule, not from users."""

    @task
    def wait_for_the_schedule(self) -> None:
        gevent.sleep(1)


class OnePerWorker(LoadTestShape):
    """As many users as workers, until the schedule is through."""

    def tick(self) -> tuple[int, float] | None:
        session = SESSION[0] if SESSION else None
        if session is None or session.over:
            return None
        workers = session.run.workers if session.run else 1
        return workers, float(workers)


def register() -> None:
    """Hook the load half into Locust; called by the locustfile, once per process."""
    locust.stats.bucket_response_time = three_digits  # type: ignore[assignment]  # its own makes whole numbers
    for hook, listener in (
        (events.init_command_line_parser, _options),
        (events.init, _init),
        (events.test_start, _test_start),
        (events.report_to_master, _report),
        (events.worker_report, _hear),
    ):
        hook.add_listener(listener)  # type: ignore[no-untyped-call]  # locust types only part of itself


def _options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("gateproof")
    group.add_argument("--target", default="local", help="target of targets.yaml")
    # `--profile NAME` is Locust's own, a label for a run: here it chooses the run
    group.add_argument("--set", action="append", metavar="KEY=VALUE", help="override a key of the profile")
    group.add_argument("--targets", default="targets.yaml", help="the file that describes the targets")
    group.add_argument("--profiles", default=str(PROFILES), help="the folder of profiles")
    group.add_argument("--report-dir", default="reports", help="where reports go")


def _init(environment: Environment, **_: Any) -> None:
    runner: Any = environment.runner
    try:
        session = Session(environment)
        if not isinstance(runner, WorkerRunner):
            session.prepare()
    except GateproofError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(error.exit_code)  # locust would go on without us
    SESSION[:] = [session]
    runner.register_message(BEGIN, lambda msg, **_: gevent.spawn(session.work, msg.data))
    # listeners to the end are called last come, first served: ours before Locust's own, which sends the workers away
    events.quitting.add_listener(_quitting)  # type: ignore[no-untyped-call]
    runner.register_message(STOP, lambda **_: session.leave())
    runner.register_message(DONE, lambda msg, **_: session.finished(msg.data))


def _test_start(environment: Environment, **_: Any) -> None:
    if not isinstance(environment.runner, WorkerRunner):
        SESSION[0].begin()


def _report(data: dict[str, Any], **_: Any) -> None:
    if news := SESSION[0].news():
        data[LIVE_KEY] = news


def _hear(client_id: str, data: dict[str, Any], **_: Any) -> None:
    if LIVE_KEY in data:
        SESSION[0].progress.hear(client_id, data[LIVE_KEY])


def _quitting(**_: Any) -> None:
    if SESSION and isinstance(SESSION[0].runner, WorkerRunner):
        SESSION[0].leave(STOP_SECONDS)
    elif SESSION:
        SESSION[0].close()


def three_digits(milliseconds: float) -> float:
    """Locust keeps two digits; ours and its numbers shall agree."""
    return float(f"{milliseconds:.3g}")
