"""One process's part in a run: the one that leads makes and ends it, every worker sends its share."""

from __future__ import annotations

import dataclasses
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner

from gateproof.errors import EXIT_INTERNAL, EXIT_VOID, ConfigError, GateproofError
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.load import report
from gateproof.load.ask import probe, refuse_unless_allowed
from gateproof.load.counting import Counted, count_tokens, most_requests
from gateproof.load.engine import Engine
from gateproof.load.files import room_for
from gateproof.load.log import FOLDER, Writer, read_log, warm_up
from gateproof.load.metrics import samples
from gateproof.load.metrics.scraper import Scraper
from gateproof.load.metrics.sources import sources_of
from gateproof.load.plan import bound_of, make_plan
from gateproof.load.profile import Profile, load_profile
from gateproof.load.progress import Progress
from gateproof.load.prompts import Scale
from gateproof.load.recorder import Recorder
from gateproof.load.run import LoadRun, make_latest
from gateproof.load.selves import keep_now, keep_self
from gateproof.load.sweep import Sweep
from gateproof.load.verdict import WorkerSelf
from gateproof.load.wire.call import Call
from gateproof.load.wire.clock import Clock
from gateproof.load.wire.outcome import Outcome
from gateproof.load.wire.reading import Reading
from gateproof.targets.loader import load_targets
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_key

BEGIN, STOP, DONE = "gateproof-begin", "gateproof-stop", "gateproof-done"
STOP_SECONDS = 5.0  # s that workers of a run that is stopped early have to come to an end
HEAD_START = 1.0  # s between telling the workers and the first request, in which they build their plans
PROGRESS = 5.0  # s between two lines of progress
DEFAULT_PROFILE = "smoke"
LOOK = 0.1  # s between two looks whether a run of a search is through
SHORTEST = 1.0  # s over which use of the processor says something


class Session:
    """This process's part in the run."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        self.environment, self.options = environment, options
        self.chosen: Profile = load_profile(
            options.profile or DEFAULT_PROFILE, Path(options.profiles), options.set or ()
        )
        self.sweep = Sweep.of(self.chosen)
        self.profile = self.chosen if self.sweep is None else self.sweep.next_profile()
        self.target: Target = load_targets(Path(options.targets)).get(options.target)
        self.keys: dict[str, Secret] = {}
        self.counted: list[Counted] = []
        self.versions: dict[str, str] = {}
        self.run: LoadRun | None = None
        self.engine: Engine | None = None
        self.recorder: Recorder | None = None
        self.scraper: Scraper | None = None
        self._places = {"": 0}  # by client: the number of its worker
        self.progress = Progress()
        self._said = Event()  # this worker's last word on its run
        self._stop_stack: Callable[[], None] = lambda: None

    @property
    def runner(self) -> Any:
        return self.environment.runner

    # --- the one who leads ---

    def prepare(self) -> None:
        """Launch what is ours to launch, resolve keys, say what will be spent, see who is there and how they count."""
        self.environment.process_exit_code = EXIT_INTERNAL  # until the report says something else
        try:
            self._prepare()
        except GateproofError:
            self._stop_stack()
            raise

    def _prepare(self) -> None:
        refuse_unless_allowed(self.target)
        room_for(self.profile.in_flight)
        bound = bound_of(self.chosen)
        if self.target.launch is not None:
            launched = launch(self.target)
            self._stop_stack, self.versions = launched.stop, launched.versions
            self.target = running(self.target, launched)
        self.keys = {
            name: resolve_key(tenant.key, name, self.target.name, cluster=self.target.kubernetes)
            for name, tenant in self.target.tenants.items()
            if tenant.key is not None
        }
        make_plan(self.profile, self.target, self.keys)  # what is wrong with it is said before anything is sent
        print(
            f"{self.target.name}, profile {self.profile.name}: at most {bound.requests:,} requests and "
            f"{bound.tokens:,} tokens in {self.chosen.duration:.0f} s, and before them one probe and up to "
            f"{most_requests(self.profile)} short requests that count tokens",
            flush=True,
        )
        probe(self.target, self.keys)
        self.counted = count_tokens(self.profile, self.target, self.keys)
        for line in dict.fromkeys(each.in_words() for each in self.counted):
            print(f"  {line}", flush=True)

    def begin(self) -> None:
        """The run, or the first of a search."""
        self._play()
        gevent.spawn(self._progress)
        if self.sweep is not None:
            gevent.spawn(self._search, self.sweep)

    def _search(self, sweep: Sweep) -> None:
        """Judge each run when it is through, and play the next."""
        while sweep.following is not None:
            while not self._through:
                gevent.sleep(LOOK)
            told, run = self._finished_run()
            trial = sweep.took(run.profile, read_log(run.folder), told, run.folder)
            print(f"  {trial.play.rate:.4g}/s {trial.judgement}: {'; '.join(trial.why)}", flush=True)
            if sweep.following is not None:
                self.profile = sweep.next_profile()
                self._play()

    def _play(self) -> None:
        """Everybody starts at one instant."""
        workers = self.runner.worker_count if isinstance(self.runner, MasterRunner) else 1
        root = Path(self.options.report_dir)
        prompts = [each.to_plain() for each in self.counted]
        self.run = LoadRun.create(
            root,
            self.target,
            self.profile,
            workers,
            prompts=prompts,
            versions=self.versions,
            command=command_of(self.options),
        )
        order = {
            "start": time.time() + HEAD_START,
            "workers": workers,
            "digest": self.run.schedule.digest,
            "folder": str(self.run.folder / FOLDER),
            "scales": [dataclasses.asdict(each.scale) for each in self.counted],
            "trial": None if self.sweep is None else self.sweep.next_trial(),
            "base_url": self.target.base_url,
            "direct": self.target.upstream.direct if self.target.upstream else None,
            "keys": {name: key.reveal() for name, key in self.keys.items()} if self.target.is_loopback else {},
        }
        if isinstance(self.runner, MasterRunner):
            self._places = {client: place for place, client in enumerate(sorted(self.runner.clients))}
            for client, place in self._places.items():
                self.runner.send_message(BEGIN, {**order, "worker": place}, client)
        else:
            self.runner.send_message(BEGIN, {**order, "worker": 0})
        writer = samples.SampleWriter(self.run.folder / samples.FOLDER)
        self.scraper = Scraper(sources_of(self.target, self.keys), writer, Clock.now() + int(HEAD_START * 1e9))
        self.scraper.begin()

    def finished(self, told: dict[str, Any]) -> None:
        assert self.run is not None
        own = WorkerSelf.from_plain(told)
        self.run.selves[own.worker] = own

    @property
    def over(self) -> bool:
        """Whether nothing more is to be played."""
        return self._through and (self.sweep is None or self.sweep.following is None)

    @property
    def _through(self) -> bool:
        """Whether every worker that is still there is through with the run."""
        if self.run is None:
            return False
        there = {place for client, place in self._places.items() if self._there(client)}
        return there <= self.run.selves.keys()

    def _there(self, client: str) -> bool:
        if not isinstance(self.runner, MasterRunner):
            return True
        node = self.runner.clients.get(client)
        return node is not None and node.state != STATE_MISSING

    def _call_back(self) -> None:
        """Of a run that is stopped early: every worker writes what it has and says so, or is lost."""
        if self._through:
            return
        self.runner.send_message(STOP)
        until = time.monotonic() + STOP_SECONDS
        while not self._through and time.monotonic() < until:
            gevent.sleep(LOOK)

    def close(self) -> None:
        if self.run is not None:
            self._call_back()
            told, folder = self._finish()
            verdict = told["verdict"]
            print(f"{verdict['verdict']}  {folder}", flush=True)
            for reason in [*verdict["reasons"], *verdict["notes"]]:
                print(f"  {reason}", flush=True)
            self.environment.process_exit_code = EXIT_VOID if verdict["verdict"] == "VOID" else 0
        self._stop_stack()

    def _finish(self) -> tuple[dict[str, Any], Path]:
        """The report and where it is; a search has one over those of its runs."""
        if self.sweep is None or (over_all := self.sweep.report()) is None:
            told, run = self._finished_run()
            return told, run.folder
        folder = Path(self.options.report_dir) / self.target.name / "load" / f"{self.sweep.folders[0]}-search"
        folder.mkdir()
        told = report.write(folder, over_all)
        make_latest(folder)
        return told, folder

    def _finished_run(self) -> tuple[dict[str, Any], LoadRun]:
        assert self.run is not None
        if self.scraper is not None:
            self.scraper.end()
            self.scraper = None
        return self.run.finish(), self.run

    def _progress(self) -> None:
        """A line for a person, now and then."""
        assert self.run is not None
        begun = time.monotonic() + HEAD_START
        while not self.over:
            gevent.sleep(PROGRESS)
            if not isinstance(self.runner, MasterRunner) and (news := self.news()):
                self.progress.hear("", news)
            left = max(0.0, self.chosen.duration - (time.monotonic() - begun))
            print(f"  {self.progress.line()}, {left:.0f} s left", flush=True)

    # --- the one who works ---

    def work(self, order: dict[str, Any]) -> None:
        """A worker that cannot do its share says why and goes, so that its master learns of it."""
        try:
            self._work(order)
        except GateproofError as error:
            print(error, file=sys.stderr, flush=True)
            self._stop_stack()
            os._exit(error.exit_code)

    def _work(self, order: dict[str, Any]) -> None:
        """One share of the run, from its order to its report on itself."""
        target = self.target
        if target.base_url is None:
            target = target.running_at(order["base_url"], direct=order["direct"])
        if self.sweep is not None:
            self.profile = self.sweep.profile_of(**order["trial"])
        keys = self.keys or {name: Secret(key) for name, key in order["keys"].items()} or self._own_keys(target)
        plan = make_plan(self.profile, target, keys, [Scale.from_plain(scale) for scale in order["scales"]])
        if plan.schedule.digest != order["digest"]:
            raise ConfigError(f"worker {order['worker']} has another schedule than the master: other files or versions")
        room_for(self.profile.in_flight)
        worker = int(order["worker"])
        start = Clock.now() + int((order["start"] - time.time()) * 1e9)
        folder = Path(order["folder"])
        self._said.clear()
        self.recorder = recorder = Recorder(Writer(folder, worker), start)
        warm_up(folder)
        self.engine = engine = Engine(plan, worker, int(order["workers"]), recorder, self.fire)
        used, begun = engine.cpu, time.monotonic()

        def own() -> WorkerSelf:
            cpu = (engine.cpu - used) / max(SHORTEST, time.monotonic() - begun)
            clock_steps, stamped = engine.reactor.clock.steps, engine.reactor.stamping
            return WorkerSelf(worker, recorder.rows, cpu, engine.lag, clock_steps, stamped, recorder.lost_rows)

        keeping = gevent.spawn(keep_self, folder, own)
        engine.run(start)
        keeping.kill()
        last = own()
        keep_now(folder, last, ended=True)
        self.runner.send_message(DONE, last.to_plain())
        self._said.set()

    def leave(self, patience: float = 0.0) -> None:
        """A worker that is told to go before its end: what it has is written, and said within ``patience`` seconds."""
        if self.engine is not None and self.recorder is not None:
            self.engine.stop()
            self.recorder.flush(now=True)
            self._said.wait(patience)

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


def command_of(options: Any) -> str:
    """That repeats the run; it names keys, and holds none."""
    settings = [word for setting in options.set or () for word in ("--set", setting)]
    words = ["--target", options.target, "--profile", options.profile or DEFAULT_PROFILE, *settings]
    return shlex.join(["gateproof", "load", *words])


class RequestFailed(Exception):
    """How a request ended that did not end well; Locust groups failures by its text."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}" if detail else outcome)
