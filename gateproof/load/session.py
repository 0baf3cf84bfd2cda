"""The process that leads: it makes a run, tells every worker its share, and writes the report when all are through."""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, WorkerRunner

from gateproof.errors import EXIT_INTERNAL, EXIT_VOID, GateproofError
from gateproof.load import report
from gateproof.load.ask import refuse_unless_allowed
from gateproof.load.counting import most_requests
from gateproof.load.files import room_for
from gateproof.load.ground import DEFAULT_PROFILE, HEAD_START, Ground, command_of
from gateproof.load.log import read_log
from gateproof.load.metrics import samples
from gateproof.load.metrics.scraper import Scraper
from gateproof.load.metrics.sources import sources_of
from gateproof.load.page import page
from gateproof.load.plan import bound_of, make_plan
from gateproof.load.profile import Profile, load_profile
from gateproof.load.progress import Progress
from gateproof.load.resume import Left, fits, look
from gateproof.load.run import LoadRun, make_latest
from gateproof.load.schedule import WHOLE
from gateproof.load.sweep import Sweep
from gateproof.load.verdict import WorkerSelf
from gateproof.load.wire.clock import Clock
from gateproof.load.work import Work
from gateproof.targets.loader import load_targets

BEGIN, STOP = "gateproof-begin", "gateproof-stop"
STOP_SECONDS = 5.0  # s that workers of a run that is stopped early have to come to an end
PROGRESS = 5.0  # s between two lines of progress
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
        target = load_targets(Path(options.targets)).get(name)
        self.work, self.ground = Work(environment, self.chosen, target), Ground(target)
        self._ending = RLock()
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
            self.ground.leave()
            raise

    def _prepare(self) -> None:
        ground = self.ground
        refuse_unless_allowed(ground.target)
        if self.options.resume is not None:
            self._left = look(Path(self.options.resume))
            fits(self._left, ground.target)
            self._left.run.hold()
        room_for(self.profile.in_flight)
        bound = self._left.bound if self._left else bound_of(self.chosen)
        ground.start(self.chosen, distributed=self.distributed)
        make_plan(self.profile, ground.target, ground.keys.held)  # what is wrong is said before anything is sent
        print(
            f"{ground.target.name}, profile {self.profile.name}: at most {bound.requests:,} requests and "
            f"{bound.tokens:,} tokens\n  in {self._to_come:.0f} s; before them one probe and up to "
            f"{most_requests(self.profile)} short requests that count tokens",
            flush=True,
        )
        ground.ask(self.profile)
        for line in dict.fromkeys(each.in_words() for each in ground.counted):
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
        order = self.ground.order(self.profile, run, rest, distributed=self.distributed)
        order["trial"] = None if self.sweep is None else self.sweep.next_trial()
        if self.distributed:
            self._places = {client: place for place, client in enumerate(sorted(self.runner.clients))}
            for client, place in self._places.items():
                self.runner.send_message(BEGIN, {**order, "worker": place}, client)
        else:
            self.runner.send_message(BEGIN, {**order, "worker": 0})
        writer = samples.SampleWriter(run.folder / samples.FOLDER, len(run.interruptions))
        zero = Clock.now() + int((HEAD_START - rest.since) * 1e9)
        self.scraper = Scraper(sources_of(self.ground.target, self.ground.keys.of_operator), writer, zero)
        self.scraper.begin()

    def _created(self) -> LoadRun:
        return LoadRun.create(
            Path(self.options.report_dir),
            self.ground.target,
            self.profile,
            self.workers,
            prompts=[each.to_plain() for each in self.ground.counted],
            versions=self.ground.versions,
            command=command_of(self.options),
            salt=secrets.randbits(SALT_BITS),
        )

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
            self.ground.leave()

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
            self.ground.leave()

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
        folder = Path(self.options.report_dir) / self.ground.target.name / "load" / f"{sweep.folders[0]}-search"
        folder.mkdir(exist_ok=True)
        bound = bound_of(self.chosen)
        told["spent"] |= {"of_requests": bound.requests, "of_tokens": bound.tokens}
        told = report.write(folder, told)
        page.draw(folder, told)
        make_latest(folder)
        return told, folder

    def _finished_run(self) -> tuple[dict[str, Any], LoadRun]:
        assert self.run is not None
        if self.scraper is not None:
            self.scraper.end()
            if self.scraper.lost is not None:
                self.run.missing = (*self.run.missing, f"server metrics are incomplete: {self.scraper.lost}")
            self.scraper = None
        return self.run.finish(), self.run
