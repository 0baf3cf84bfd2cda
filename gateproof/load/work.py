"""What a worker does: its share of each run, from the master's order to its report on itself."""

from __future__ import annotations

import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment

from gateproof.errors import EXIT_INTERNAL, ConfigError, GateproofError
from gateproof.load.engine import Engine, Plan
from gateproof.load.files import room_for
from gateproof.load.keys import declared_keys
from gateproof.load.log import Writer, warm_up
from gateproof.load.plan import make_plan
from gateproof.load.profile import Profile
from gateproof.load.prompts import Scale
from gateproof.load.recorder import Recorder
from gateproof.load.schedule import Rest
from gateproof.load.selves import keep_now, keep_self
from gateproof.load.sweep import Sweep
from gateproof.load.verdict import WorkerSelf
from gateproof.load.wire.call import Call
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Reading
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret
from gateproof.targets.values import Value

DONE, REFUSED = "gateproof-done", "gateproof-refused"
SHORTEST = 1.0  # s over which use of the processor says something
HEARD = 1.0  # s that a refusal has to reach the master before its worker is gone


class Work:
    """``profile`` and ``target`` are as this process read them; the rest comes with the order."""

    def __init__(self, environment: Environment, profile: Profile, target: Target) -> None:
        self._environment, self._profile, self._target = environment, profile, target
        self._engine: Engine | None = None
        self._recorder: Recorder | None = None
        self._said = Event()  # the last word on the run
        self._leaving = False

    def begin(self, order: dict[str, Any]) -> None:
        """Play it beside whatever else goes on here."""
        self._leaving = False
        gevent.spawn(self._begin, order)

    def _begin(self, order: dict[str, Any]) -> None:
        """A worker that cannot do its share says why and goes, so that its master need not wait for it."""
        try:
            self._play(order)
        except GateproofError as error:
            print(error, file=sys.stderr, flush=True)
            self._refuse(order, str(error), error.exit_code)
        except Exception as error:  # noqa: BLE001 - whatever it is, the master would wait for ever
            traceback.print_exc()
            self._refuse(order, f"a defect of ours: {type(error).__name__}", EXIT_INTERNAL)

    def _refuse(self, order: dict[str, Any], why: str, code: int) -> None:
        self._send(REFUSED, {"worker": int(order["worker"]), "why": why})
        gevent.sleep(HEARD)
        os._exit(code)

    def _play(self, order: dict[str, Any]) -> None:
        ahead, play = time.time() - order["told"], int(order["play"])
        profile = self._profile_of(order)
        room_for(profile.in_flight)
        plan, worker = self._plan(profile, order), int(order["worker"])
        start = Clock.now() + int((order["start"] - time.time()) * 1e9)
        folder = Path(order["folder"])
        self._said.clear()
        self._recorder = recorder = Recorder(Writer(folder, worker, play), start)
        warm_up(folder)
        self._engine = engine = Engine(
            plan, worker, int(order["workers"]), recorder, self._fire, Rest.from_plain(order["rest"])
        )
        used, begun = engine.cpu, time.monotonic()

        def own() -> WorkerSelf:
            cpu = (engine.cpu - used) / max(SHORTEST, time.monotonic() - begun)
            clock_steps, stamped = engine.reactor.clock.steps, engine.reactor.stamping
            return WorkerSelf(worker, recorder.rows, cpu, engine.lag, clock_steps, stamped, recorder.lost_rows, ahead)

        keeping = gevent.spawn(keep_self, folder, own, play)
        if self._leaving:  # told so while the plan was made
            engine.stop()
        engine.run(start)
        keeping.kill()
        last = own()
        keep_now(folder, last, ended=True, play=play)
        self._send(DONE, last.to_plain())
        self._said.set()

    def _profile_of(self, order: dict[str, Any]) -> Profile:
        sweep = Sweep.of(self._profile)
        return self._profile if sweep is None else sweep.profile_of(**order["trial"])

    def _plan(self, profile: Profile, order: dict[str, Any]) -> Plan:
        """ConfigError where it is not what the master has."""
        target = self._running(order)
        keys = {name: Secret(key) for name, key in order["keys"].items()} or declared_keys(target)
        scales = [Scale.from_plain(scale) for scale in order["scales"]]
        plan = make_plan(profile, target, keys, scales, salt=int(order["salt"]))
        for what, own in (("another schedule", plan.schedule.digest), ("other requests", plan.requests.digest)):
            if own != order[what.split()[1]]:
                problem = f"worker {order['worker']} has {what} than the master"
                raise ConfigError(problem, accepted="the same versions, profile and files (data set, trace)")
        return plan

    def _running(self, order: dict[str, Any]) -> Target:
        if self._target.launch is None:
            return self._target
        headers = self._target.headers | {n: Value.model_validate(text) for n, text in order["headers"].items()}
        return self._target.running_at(order["base_url"], direct=order["direct"], headers=headers)

    def leave(self, patience: float = 0.0) -> None:
        """Told to go before its end: what it has is written, and said within ``patience`` seconds."""
        self._leaving = True
        if self._engine is not None and self._recorder is not None:
            self._engine.stop()
            self._recorder.flush(now=True)
            self._said.wait(patience)

    def news(self) -> dict[str, Any] | None:
        """What this worker has to tell since the last time."""
        if self._recorder is None or self._engine is None:
            return None
        return {**self._recorder.news(), "in_flight": self._engine.in_flight}

    def _send(self, word: str, data: dict[str, Any]) -> None:
        runner: Any = self._environment.runner
        runner.send_message(word, data)

    def _fire(self, due: int, call: Call, reading: Reading) -> None:
        """One event per request, for Locust and whoever listens to it; its time is the report's ``latency``."""
        failure = None if reading.outcome is Outcome.OK else RequestFailed(reading.outcome.value, reading.detail)
        self._environment.events.request.fire(  # type: ignore[no-untyped-call]  # locust types only part of itself
            request_type="POST",
            name=call.request[5 : call.request.index(b" ", 5)].decode(),
            response_time=(call.ended - due) / 1e6,
            response_length=call.size,
            exception=failure,
            context={},
        )


class RequestFailed(Exception):
    """How a request ended that did not end well; Locust groups failures by its text."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}" if detail else outcome)
