"""Our face towards Locust: its users, web UI, master and workers stay; what they run is one engine per worker.

The master (or the only process) makes the run, tells every worker its share, and writes the report when all are
through. Each request is one request event, fired when the stream has ended and been judged, so Locust's own numbers
agree with ours. https://docs.locust.io/en/stable/extending-locust.html
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from typing import Any

import gevent
import locust.stats
import psutil
from greenlet import getcurrent
from locust import LoadTestShape, User, events, task
from locust.env import Environment
from locust.runners import STATE_INIT

from gateproof.errors import EXIT_INTERNAL, EXIT_VOID, GateproofError
from gateproof.load.profile import PROFILES
from gateproof.load.session import BEGIN, STOP, STOP_SECONDS, Session
from gateproof.load.work import DONE, REFUSED

LIVE_KEY = "gateproof"
LOOK = 1.0  # s between two looks of a worker whether its master lives
SESSION: list[Session] = []
STARTED_BY = os.getpid()
"""The process that read the locustfile: with `--processes`, the master, from which the workers were forked."""


class Gate(User):
    """A place holder: requests come from the schedule, not from users."""

    @task
    def wait_for_the_schedule(self) -> None:
        gevent.sleep(1)


class OnePerWorker(LoadTestShape):
    """As many users as workers, until the schedule is through."""

    def tick(self) -> tuple[int, float] | None:
        session = SESSION[0]
        # the web UI may start several runs; before the first and between two, Locust's state is that of the beginning
        if session.over and session.runner.state != STATE_INIT:
            return None
        return session.workers, float(session.workers)


def register() -> None:
    """Hook the load half into Locust; called by the locustfile, once per process."""
    locust.stats.bucket_response_time = three_digits  # type: ignore[assignment]  # its own makes whole numbers
    for hook, listener in (
        (events.init_command_line_parser, _options),
        (events.init, _init),
        (events.test_start, _test_start),
        (events.test_stopping, _test_stopping),
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
    group.add_argument("--resume", metavar="FOLDER", help="go on with an interrupted run: its target, its profile")
    group.add_argument("--report-dir", default="reports", help="where reports go")


def _init(environment: Environment, **_: Any) -> None:
    runner: Any = environment.runner
    for number in (signal.SIGINT, signal.SIGTERM):  # of which Locust minds the second only with its UI
        gevent.signal_handler(number, getcurrent().throw, KeyboardInterrupt)
    if os.getpid() != STARTED_BY:
        gevent.spawn(_go_with_master)
    try:
        session = Session(environment)
        if session.leads:
            session.prepare()
    except GateproofError as error:
        print(error, file=sys.stderr, flush=True)
        _end_workers()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped before it began", file=sys.stderr, flush=True)
        _end_workers()
        sys.exit(EXIT_VOID)
    SESSION[:] = [session]
    runner.register_message(BEGIN, lambda msg, **_: session.work.begin(msg.data))
    # listeners to the end are called last come, first served: ours before Locust's own, which sends the workers away
    events.quitting.add_listener(_quitting)  # type: ignore[no-untyped-call]
    runner.register_message(STOP, lambda **_: session.work.leave())
    runner.register_message(DONE, lambda msg, **_: session.finished(msg.data))
    runner.register_message(REFUSED, lambda msg, **_: session.refused(msg.data))


def _end_workers() -> None:
    """Of `--processes`: Locust's own way leaves those that are not connected yet, which try to for five minutes."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()


def _go_with_master() -> None:
    """A forked worker whose master was killed."""
    while os.getppid() == STARTED_BY:
        gevent.sleep(LOOK)
    if SESSION:
        SESSION[0].work.leave(STOP_SECONDS)
    os._exit(EXIT_INTERNAL)


def _test_start(**_: Any) -> None:
    if SESSION[0].leads:
        SESSION[0].begin()


def _test_stopping(**_: Any) -> None:
    """At the end of a run, or when somebody stops it; a worker is told by its master."""
    if SESSION[0].leads:
        SESSION[0].end()


def _report(data: dict[str, Any], **_: Any) -> None:
    if news := SESSION[0].work.news():
        data[LIVE_KEY] = news


def _hear(client_id: str, data: dict[str, Any], **_: Any) -> None:
    if LIVE_KEY in data:
        SESSION[0].progress.hear(client_id, data[LIVE_KEY])


def _quitting(**_: Any) -> None:
    if not SESSION:
        return
    if SESSION[0].leads:
        SESSION[0].close()
    else:
        SESSION[0].work.leave(STOP_SECONDS)


def three_digits(milliseconds: float) -> float:
    """Locust keeps two digits; ours and its numbers shall agree."""
    return float(f"{milliseconds:.3g}")
