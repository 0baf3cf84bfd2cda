"""One process's part in a run: the one that leads makes and ends it, every worker sends its share."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner

from gateproof.errors import ConfigError
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.load.engine import Engine
from gateproof.load.histogram import Histogram
from gateproof.load.log import FOLDER, Writer
from gateproof.load.plan import bound_of, make_plan
from gateproof.load.profile import Profile, load_profile
from gateproof.load.prompts import Scale
from gateproof.load.recorder import LIVE, Recorder
from gateproof.load.run import LoadRun
from gateproof.load.verdict import WorkerSelf
from gateproof.load.wire.call import Call
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Reading
from gateproof.targets.loader import load_targets
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_key

BEGIN, DONE = "gateproof-begin", "gateproof-done"
HEAD_START = 1.0  # s between telling the workers and the first request, in which they build their plans
PROGRESS = 5.0  # s between two lines of progress
DEFAULT_PROFILE = "smoke"


class Session:
    """This process's part in the run."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        self.environment, self.options = environment, options
        self.profile: Profile = load_profile(
            options.profile or DEFAULT_PROFILE, Path(options.profiles), options.set or ()
        )
        self.target: Target = load_targets(Path(options.targets)).get(options.target)
        self.keys: dict[str, Secret] = {}
        self.run: LoadRun | None = None
        self.engine: Engine | None = None
        self.recorder: Recorder | None = None
        self.over = False
        self.live = {name: Histogram() for name in LIVE}
        self.outcomes: dict[str, int] = {}
        self.in_flight: dict[str, int] = {}
        self._sequence: dict[str, int] = {}
        self._stop_stack: Callable[[], None] = lambda: None

    @property
    def runner(self) -> Any:
        return self.environment.runner

    # --- the one who leads ---

    def prepare(self) -> None:
        """Launch what is ours to launch, resolve keys, say what will be spent."""
        if self.target.launch is not None:
            launched = launch(self.target)
            self._stop_stack = launched.stop
            self.target = running(self.target, launched)
        self.keys = {
            name: resolve_key(tenant.key, name, self.target.name, cluster=self.target.kubernetes)
            for name, tenant in self.target.tenants.items()
            if tenant.key is not None
        }
        if not self.target.load.allowed:
            raise ConfigError(
                "this target does not allow load",
                key=f"{self.target.name}.load.allowed",
                accepted="load: {allowed: true}",
            )
        bound = bound_of(self.profile)
        print(
            f"{self.target.name}, profile {self.profile.name}: at most {bound.requests:,} requests and "
            f"{bound.tokens:,} tokens in {self.profile.duration:.0f} s",
            flush=True,
        )

    def begin(self) -> None:
        """Everybody starts at one instant."""
        workers = self.runner.worker_count if isinstance(self.runner, MasterRunner) else 1
        root = Path(self.options.report_dir)
        self.run = LoadRun.create(root, self.target, self.profile, workers)
        order = {
            "start": time.time() + HEAD_START,
            "workers": workers,
            "digest": self.run.schedule.digest,
            "folder": str(self.run.folder / FOLDER),
            "base_url": self.target.base_url,
            "keys": {name: key.reveal() for name, key in self.keys.items()} if self.target.is_loopback else {},
        }
        if isinstance(self.runner, MasterRunner):
            for place, client in enumerate(sorted(self.runner.clients)):
                self.runner.send_message(BEGIN, {**order, "worker": place}, client)
        else:
            self.runner.send_message(BEGIN, {**order, "worker": 0})
        gevent.spawn(self._progress)

    def finished(self, told: dict[str, Any]) -> None:
        assert self.run is not None
        own = WorkerSelf.from_plain(told)
        self.run.selves[own.worker] = own
        self.over = len(self.run.selves) >= self._alive()

    def _alive(self) -> int:
        assert self.run is not None
        if not isinstance(self.runner, MasterRunner):
            return 1
        lost = self.run.workers - len(self.runner.clients)
        return max(1, self.run.workers - max(0, lost))

    def close(self) -> None:
        if self.run is not None:
            told = self.run.finish()
            verdict = told["verdict"]
            print(f"{verdict['verdict']}  {self.run.folder}", flush=True)
            for reason in [*verdict["reasons"], *verdict["notes"]]:
                print(f"  {reason}", flush=True)
            if verdict["verdict"] == "VOID":
                self.environment.process_exit_code = 5
        self._stop_stack()

    def _progress(self) -> None:
        """A line for a person: what comes in, what is under way, what goes wrong, how long it still takes."""
        assert self.run is not None
        begun = time.monotonic() + HEAD_START
        while not self.over:
            gevent.sleep(PROGRESS)
            if not isinstance(self.runner, MasterRunner) and (news := self.news()):
                self.hear("", news)
            left = max(0.0, self.profile.duration - (time.monotonic() - begun))
            print(f"  {self._line()}, {left:.0f} s left", flush=True)

    def _line(self) -> str:
        def shown(name: str, share: float) -> str:
            value = self.live[name].quantile(share)
            return "–" if value is None else f"{value / 1e6:.1f}"

        wrong = {word: count for word, count in self.outcomes.items() if word != Outcome.OK}
        errors = ", ".join(f"{count} {word}" for word, count in wrong.items()) or "no errors"
        return (
            f"{self.outcomes.get('ok', 0)} ok, {errors}; {sum(self.in_flight.values())} under way; "
            f"TTFT p50 {shown('ttft', 0.5)} p99 {shown('ttft', 0.99)} ms, TPOT p50 {shown('tpot', 0.5)} ms, "
            f"slip p99 {shown('slip', 0.99)} ms"
        )

    def hear(self, worker: str, told: dict[str, Any]) -> None:
        """A worker's report: what was added since its last one; a number that is missing shows a lost report."""
        self._sequence[worker] = told["sequence"]
        for name, plain in told["live"].items():
            self.live[name].merge(Histogram.from_plain(plain))
        for word, count in told["outcomes"].items():
            self.outcomes[word] = self.outcomes.get(word, 0) + count
        self.in_flight[worker] = told["in_flight"]

    # --- the one who works ---

    def work(self, order: dict[str, Any]) -> None:
        """One share of the run, from its order to its report on itself."""
        target = self.target.running_at(order["base_url"]) if self.target.base_url is None else self.target
        keys = self.keys or {name: Secret(key) for name, key in order["keys"].items()} or self._own_keys(target)
        plan = make_plan(self.profile, target, keys, Scale())
        if plan.schedule.digest != order["digest"]:
            raise ConfigError(f"worker {order['worker']} has another schedule than the master: other files or versions")
        worker = int(order["worker"])
        start = Clock.now() + int((order["start"] - time.time()) * 1e9)
        self.recorder = Recorder(Writer(Path(order["folder"]), worker), start)
        self.engine = engine = Engine(plan, worker, int(order["workers"]), self.recorder, self.fire)
        used, begun = engine.cpu, time.monotonic()
        engine.run(start)
        own = WorkerSelf(
            worker,
            self.recorder.rows,
            (engine.cpu - used) / max(1e-9, time.monotonic() - begun),
            engine.lag,
            engine.reactor.clock.steps,
            engine.reactor.stamping,
            self.recorder.lost_rows,
        )
        self.runner.send_message(DONE, own.to_plain())

    def _own_keys(self, target: Target) -> dict[str, Secret]:
        return {n: resolve_key(t.key, n, target.name) for n, t in target.tenants.items() if t.key is not None}

    def fire(self, _index: int, call: Call, reading: Reading) -> None:
        """One event per request, for Locust and whoever listens to it."""
        failure = None if reading.outcome is Outcome.OK else RequestFailed(reading.outcome.value, reading.detail)
        self.environment.events.request.fire(  # type: ignore[no-untyped-call]
            request_type="POST",
            name=call.request[5 : call.request.index(b" ", 5)].decode(),
            response_time=(call.ended - call.dispatched) / 1e6,
            response_length=call.size,
            exception=failure,
            context={},
        )

    def news(self) -> dict[str, Any] | None:
        """What this worker has to tell since the last time."""
        if self.recorder is None or self.engine is None:
            return None
        return {**self.recorder.news(), "in_flight": self.engine.in_flight}


class RequestFailed(Exception):
    """How a request ended that did not end well; Locust groups failures by its text."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}" if detail else outcome)
