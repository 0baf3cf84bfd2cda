"""The process that leads: it makes a run, tells every worker its share, and writes the report when all are through."""

from __future__ import annotations

import dataclasses
import secrets
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from gateproof.errors import EXIT_INTERNAL, EXIT_VOID, ConfigError, GateproofError
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.load import report
from gateproof.load.ask import probe, refuse_unless_allowed
from gateproof.load.counting import Counted, count_tokens, most_requests
from gateproof.load.files import room_for
from gateproof.load.keys import Keys, keys_for
from gateproof.load.log import FOLDER, read_log
from gateproof.load.metrics import samples
from gateproof.load.metrics.scraper import Scraper
from gateproof.load.metrics.sources import sources_of
from gateproof.load.page import page
from gateproof.load.plan import bound_of, make_plan
from gateproof.load.profile import Profile, load_profile
from gateproof.load.progress import Progress
from gateproof.load.resume import Left, fits, look
from gateproof.load.run import LoadRun, make_latest
from gateproof.load.schedule import WHOLE, Rest
from gateproof.load.sweep import Sweep
from gateproof.load.verdict import WorkerSelf
from gateproof.load.wire.clock import Clock
from gateproof.load.work import Work
from gateproof.targets.loader import load_targets
from gateproof.targets.model import Target
from gateproof.targets.secrets import resolve_headers

BEGIN, STOP = "gateproof-begin", "gateproof-stop"
STOP_SECONDS = 5.0  # s that workers of a run that is stopped early have to come to an end
HEAD_START = 1.0  # s between telling the workers and the first request, in which they build their plans
PROGRESS = 5.0  # s between two lines of progress
DEFAULT_PROFILE = "smoke"
LOOK = 0.1  # s between two looks whether a run is through
SALT_BITS = 31


class Session:
    """From the start of the process to its end; in the web UI, several runs may follow each other."""

    def __init__(self, environment: Environment) -> None:
        options: Any = environment.parsed_options
        self.environment, self.options = environment, options
        self._left: Left | None = None  # of the run to go on with
        if options.resume is None:
            folder, settings, name = Path(options.profiles), options.set or (), options.target
            self.chosen: Profile = load_profile(options.profile or DEFAULT_PROFILE, folder, settings)
        else:
            resumed = LoadRun.reopen(Path(options.resume))
            self.chosen, name = resumed.profile, resumed.facts["target"]["name"]
        self.target: Target = load_targets(Path(options.targets)).get(name)
        self.work = Work(environment, self.chosen, self.target)
        self.keys = Keys()
        self.counted: list[Counted] = []
        self.versions: dict[str, str] = {}
        self._ending = RLock()
        self._stop_stack: Callable[[], None] = lambda: None
        self._fresh()

    def _fresh(self) -> None:
        """As before the first run, which a new one may follow in the web UI."""
        self.sweep = Sweep.of(self.chosen)
        self.profile = self.chosen if self.sweep is None else self.sweep.next_profile()
        self.run: LoadRun | None = None
        self.progress = Progress()
        self.scraper: Scraper | None = None
        self._places = {"": 0}  # by client: the number of its worker
        self._gone: set[int] = set()  # workers that said that they cannot do their share
        self._ended = self._broken = False

    @property
    def runner(self) -> Any:
        return self.environment.runner

    @property
    def leads(self) -> bool:
        return not isinstance(self.runner, WorkerRunner)

    @property
    def distributed(self) -> bool:
        return isinstance(self.runner, MasterRunner)

    @property
    def workers(self) -> int:
        return int(self.runner.worker_count) if self.distributed else 1

    # --- before the first run ---

    def prepare(self) -> None:
        """Launch what is ours to launch, resolve keys, say what will be spent, see who is there and how they count."""
        self.environment.process_exit_code = EXIT_INTERNAL  # until the report says something else
        try:
            self._prepare()
        except BaseException:
            self._leave_nothing()
            raise

    def _prepare(self) -> None:
        refuse_unless_allowed(self.target)
        if self.options.resume is not None:
            self._left = look(Path(self.options.resume))
            fits(self._left, self.target)
            self._left.run.hold()
        room_for(self.profile.in_flight)
        bound = self._left.bound if self._left else bound_of(self.chosen)
        if self.target.launch is not None:
            launched = launch(self.target)
            self._stop_stack, self.versions = launched.stop, launched.versions
            self.target = running(self.target, launched)
        self.keys = keys_for(self.target, self.chosen)
        if self.keys.made and self.distributed and not self.target.is_loopback:
            raise ConfigError(
                "a key that is made for a run is not sent to workers over the network",
                key=f"{self.target.name}.tenants",
                accepted="a `key` for each tenant of the profile, or one process",
            )
        make_plan(self.profile, self.target, self.keys.held)  # what is wrong with it is said before anything is sent
        print(
            f"{self.target.name}, profile {self.profile.name}: at most {bound.requests:,} requests and "
            f"{bound.tokens:,} tokens\n  in {self._to_come:.0f} s; before them one probe and up to "
            f"{most_requests(self.profile)} short requests that count tokens",
            flush=True,
        )
        probe(self.target, self.keys.held)
        self.counted = count_tokens(self.profile, self.target, self.keys.held)
        for line in dict.fromkeys(each.in_words() for each in self.counted):
            print(f"  {line}", flush=True)

    @property
    def _to_come(self) -> float:
        """Seconds of the schedule."""
        return self.chosen.duration - (self._left.rest.since if self._left else 0.0)

    # --- runs ---

    def begin(self) -> None:
        """The run, or the first of a search."""
        self._fresh()
        until = time.monotonic() + HEAD_START + self._to_come
        try:
            self._play()
        except GateproofError as error:  # Locust would go on without a run
            print(error, file=sys.stderr, flush=True)
            self._broken, self.environment.process_exit_code = True, error.exit_code
            return
        gevent.spawn(self._progress, until)
        if self.sweep is not None:
            gevent.spawn(self._search, self.sweep).link_exception(self._defect)

    def _search(self, sweep: Sweep) -> None:
        """Judge each run when it is through, and play the next."""
        while sweep.following is not None:
            while not self._through and not self._ended:
                gevent.sleep(LOOK)
            with self._ending:
                if self._ended:  # stopped
                    return
                told, run = self._finished_run()
                trial = sweep.took(run.profile, read_log(run.folder), told, run.folder)
                self._tell_search(sweep)  # what is known survives a kill
                print(f"  {trial.play.rate:.4g}/s {trial.judgement}: {'; '.join(trial.why)}", flush=True)
                if sweep.following is not None:
                    self.profile = sweep.next_profile()
                    self._play()

    def _defect(self, _: Any) -> None:
        """Of ours, while searching: the run ends, and gevent has shown the traceback."""
        self._broken = True

    def _play(self) -> None:
        """Everybody starts at one instant."""
        left, self._left = self._left, None
        self._gone = set()
        self.run = run = self._created() if left is None else left.go_on(self.workers)
        rest = WHOLE if left is None else left.rest
        order = self._order(run, rest)
        if self.distributed:
            self._places = {client: place for place, client in enumerate(sorted(self.runner.clients))}
            for client, place in self._places.items():
                self.runner.send_message(BEGIN, {**order, "worker": place}, client)
        else:
            self.runner.send_message(BEGIN, {**order, "worker": 0})
        writer = samples.SampleWriter(run.folder / samples.FOLDER, len(run.interruptions))
        zero = Clock.now() + int((HEAD_START - rest.since) * 1e9)
        self.scraper = Scraper(sources_of(self.target, self.keys.of_operator), writer, zero)
        self.scraper.begin()

    def _created(self) -> LoadRun:
        return LoadRun.create(
            Path(self.options.report_dir),
            self.target,
            self.profile,
            self.workers,
            prompts=[each.to_plain() for each in self.counted],
            versions=self.versions,
            command=command_of(self.options),
            salt=secrets.randbits(SALT_BITS),
        )

    def _order(self, run: LoadRun, rest: Rest) -> dict[str, Any]:
        """What a worker must know beside its own number. Secrets stay on this machine."""
        here = not self.distributed or self.target.is_loopback
        scales, salt = [each.scale for each in self.counted], int(run.facts["salt"])
        plan = make_plan(self.profile, self.target, self.keys.held, scales, salt=salt)
        return {
            "told": time.time(),
            "start": time.time() + HEAD_START - rest.since,
            "rest": dataclasses.asdict(rest),
            "play": len(run.interruptions),
            "workers": run.workers,
            "schedule": plan.schedule.digest,
            "requests": plan.requests.digest,
            "folder": str(run.folder / FOLDER),
            "scales": [dataclasses.asdict(scale) for scale in scales],
            "salt": salt,
            "trial": None if self.sweep is None else self.sweep.next_trial(),
            "base_url": self.target.base_url,
            "direct": self.target.upstream.direct if self.target.upstream else None,
            "keys": {name: key.reveal() for name, key in self.keys.held.items()} if here else {},
            "headers": resolve_headers(self.target) if here else {},
        }

    def finished(self, told: dict[str, Any]) -> None:
        """A worker's last word."""
        if self.run is not None:
            own = WorkerSelf.from_plain(told)
            self.run.selves[own.worker] = own

    def refused(self, told: dict[str, Any]) -> None:
        """A worker goes without having done its share."""
        if self.run is not None:
            self.run.missing = (*self.run.missing, f"worker {told['worker']} did nothing: {told['why']}")
        self._gone.add(told["worker"])
        if not self.distributed:
            self._leave_nothing()

    @property
    def over(self) -> bool:
        """Whether nothing more is to be played."""
        if self._ended or self._broken:
            return True
        return self._through and (self.sweep is None or self.sweep.following is None)

    @property
    def _through(self) -> bool:
        """Whether every worker that is still there is through with the run."""
        if self.run is None:
            return False
        there = {place for client, place in self._places.items() if self._there(client)}
        return there - self._gone <= self.run.selves.keys()

    def _there(self, client: str) -> bool:
        if not self.distributed:
            return True
        node = self.runner.clients.get(client)
        return node is not None and node.state != STATE_MISSING

    def _progress(self, until: float) -> None:
        """A line for a person, now and then."""
        shown = time.monotonic()
        while not self.over:
            gevent.sleep(LOOK)
            if time.monotonic() - shown < PROGRESS:
                continue
            shown += PROGRESS
            if not self.distributed and (news := self.work.news()):
                self.progress.hear("", news)
            print(f"  {self.progress.line()}; {max(0.0, until - shown):.0f} s left", flush=True)

    # --- the end ---

    def end(self) -> None:
        """Of a run, whatever ended it: its report. Of one that has ended already, nothing."""
        with self._ending:
            if self.run is None or self._ended:
                return
            self._call_back()
            told, folder = self._finish()
            self._ended = True
            verdict = told["verdict"]
            print(f"{verdict['verdict']}  {folder}", flush=True)
            for reason in [*verdict["reasons"], *verdict["notes"]]:
                print(f"  {reason}", flush=True)
            code = EXIT_VOID if verdict["verdict"] == "VOID" else 0
            self.environment.process_exit_code = EXIT_INTERNAL if self._broken else code

    def close(self) -> None:
        """The end of the process."""
        try:
            self.end()
        finally:
            self._leave_nothing()

    def _leave_nothing(self) -> None:
        """Neither keys nor processes of ours."""
        if left := self.keys.give_back():
            print(f"left behind: {', '.join(left)}", flush=True)
        self._stop_stack()
        self._stop_stack = lambda: None

    def _call_back(self) -> None:
        """Of a run that is stopped early: every worker writes what it has and says so, or is lost."""
        if self._through:
            return
        self.runner.send_message(STOP)
        until = time.monotonic() + STOP_SECONDS
        while not self._through and time.monotonic() < until:
            gevent.sleep(LOOK)

    def _finish(self) -> tuple[dict[str, Any], Path]:
        """The report and where it is; a search has one over those of its runs, and its last run one of its own."""
        assert self.run is not None
        sweep, played = self.sweep, self.run
        if sweep is None or played.folder.name not in sweep.folders:
            told, _ = self._finished_run()
            if sweep is None or not sweep.trials:
                return told, played.folder
        return self._tell_search(sweep)

    def _tell_search(self, sweep: Sweep) -> tuple[dict[str, Any], Path]:
        told = sweep.report()
        assert told is not None, "a run was judged"
        folder = Path(self.options.report_dir) / self.target.name / "load" / f"{sweep.folders[0]}-search"
        folder.mkdir(exist_ok=True)
        told = report.write(folder, told)
        page.draw(folder, told)
        make_latest(folder)
        return told, folder

    def _finished_run(self) -> tuple[dict[str, Any], LoadRun]:
        assert self.run is not None
        if self.scraper is not None:
            self.scraper.end()
            self.scraper = None
        return self.run.finish(), self.run


def command_of(options: Any) -> str:
    """That repeats the run; it names keys, and holds none."""
    settings = [word for setting in options.set or () for word in ("--set", setting)]
    words = ["--target", options.target, "--profile", options.profile or DEFAULT_PROFILE, *settings]
    return shlex.join(["gateproof", "load", *words])
