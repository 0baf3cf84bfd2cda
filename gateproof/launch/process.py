"""Starting, watching and ending the processes of one launch.

A launch has a folder: `NAME.log` per process, `processes.jsonl` (who was started, in order) and
`owner.json` (who started them). With these, a later start ends what a killed one left behind, and
never touches a launch whose owner still runs, nor a process that is not ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateproof.errors import LaunchError
from gateproof.launch import table
from gateproof.launch.table import Identity

POLL = 0.1  # s between two looks at a starting or ending process
GRACE = 20.0  # s to end by itself: vLLM needs up to 5 s to free its shared memory, PostgreSQL writes its data
KILLED_WITHIN = 10.0  # s after SIGKILL; longer means a process stuck in the kernel
TAIL_LINES = 20

# All that a gateway may see of our environment: none of the user's keys or addresses, so that every start is the same.
_PASSED = {"HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "NODE_EXTRA_CA_CERTS", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE",
           "TMPDIR", "TZ", "USER"}  # fmt: skip


def environment(**more: str) -> dict[str, str]:
    """The environment for a started process: PATH and the like of ours, and what is given."""
    passed = {name: value for name, value in os.environ.items() if name in _PASSED or name.startswith("LC_")}
    return passed | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"} | more


@dataclass(frozen=True, slots=True)
class Process:
    """A started process; it leads its own session, and so a process group."""

    name: str
    identity: Identity
    log: Path
    end_with: signal.Signals = signal.SIGTERM
    child: subprocess.Popen[bytes] | None = field(default=None, compare=False)

    def runs(self) -> bool:
        if self.child is not None:
            self.child.poll()  # reaps it
        return table.runs(self.identity)

    def group_runs(self) -> bool:
        if self.child is not None:
            self.child.poll()
        return table.group_runs(self.identity)

    def end(self) -> None:
        """Ask it to end, wait for its whole group, then kill what is left."""
        if self.group_runs():
            self._end()
        if self.child is not None:
            self.child.wait()

    def _end(self) -> None:
        # Only the leader is asked: it takes its children down in order. Without a leader all of them are.
        self._signal(self.end_with, group=not self.runs())
        if not _wait_until(lambda: not self.group_runs(), GRACE):
            self._signal(signal.SIGKILL, group=True)
            if not _wait_until(lambda: not self.group_runs(), KILLED_WITHIN):
                raise LaunchError(f"{self.name} (pid {self.identity.pid}) does not end, not even by SIGKILL")

    def _signal(self, number: signal.Signals, *, group: bool) -> None:
        with contextlib.suppress(ProcessLookupError):  # ended meanwhile
            (os.killpg if group else os.kill)(self.identity.pid, number)


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


class Crew:
    """The processes of one launch, in its folder."""

    def __init__(self, folder: Path, *, secrets: Sequence[str] = ()) -> None:
        self.folder = folder
        self.secrets = [secret for secret in secrets if secret]
        self.processes: list[Process] = []
        self.held: list[int] = []  # file descriptors to close at the end

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        end_with: signal.Signals = signal.SIGTERM,
        stdin: int = subprocess.DEVNULL,
        out: Path | None = None,
        keep: Sequence[int] = (),
    ) -> Process:
        """Start it in a session of its own; its output goes to NAME.log (or stdout apart, to `out`)."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as err, (out or log).open("ab") as stdout:
            try:
                child = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=stdin, stdout=stdout, stderr=err, pass_fds=keep,
                    env=dict(env), cwd=self.folder, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise LaunchError(f"{name} cannot be started: {error}") from error
        return self._record(name, child.pid, log, end_with, child)

    def adopt(self, name: str, pid: int, *, end_with: signal.Signals = signal.SIGTERM) -> Process:
        """Take over a daemon that one of our commands started."""
        return self._record(name, pid, self.folder / f"{name}.log", end_with, None)

    def _record(
        self, name: str, pid: int, log: Path, end_with: signal.Signals, child: subprocess.Popen[bytes] | None
    ) -> Process:
        who = table.identity(pid)
        if who is None:
            if child is not None:
                child.wait()
            raise LaunchError(self.with_tail(f"{name} ended at once", log))
        process = Process(name, who, log, end_with, child)
        self.processes.append(process)
        entry = {"name": name, **asdict(who), "log": str(log), "end_with": end_with.name}
        with (self.folder / "processes.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")
        return process

    def run(self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], timeout: float) -> str:
        """Run a command to its end and give its output; what it says on stderr goes to NAME.log."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as err:
            try:
                done = subprocess.run(
                    [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
                    env=dict(env), cwd=self.folder, timeout=timeout, check=True, text=True,
                )  # fmt: skip
            except (OSError, subprocess.SubprocessError) as error:
                raise LaunchError(self.with_tail(f"{name} failed ({type(error).__name__})", log)) from error
        return done.stdout

    def wait_until(self, process: Process, ready: Callable[[], bool], *, within: float) -> None:
        """Poll `ready` while the process lives."""
        deadline = time.monotonic() + within
        while not ready():
            if not process.runs():
                code = None if process.child is None else process.child.returncode
                problem = f"{process.name} ended before it was ready (exit {code})"
                raise LaunchError(self.with_tail(problem, process.log))
            if time.monotonic() > deadline:
                raise LaunchError(self.with_tail(f"{process.name} was not ready within {within:g} s", process.log))
            time.sleep(POLL)

    def with_tail(self, problem: str, log: Path) -> str:
        """The problem, where the log is, and its last lines with every known secret masked."""
        try:
            lines = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        except OSError:
            lines = []
        text = "\n".join(f"    {line}" for line in lines) or "    (empty)"
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return f"{problem}; the end of {log}:\n{text}"

    def end(self) -> None:
        """End all, the last started first; one that does not end keeps none of the others alive."""
        while self.held:
            os.close(self.held.pop())
        stuck: list[LaunchError] = []
        for process in reversed(self.processes):
            try:
                process.end()
            except LaunchError as error:
                stuck.append(error)
        if stuck:
            raise stuck[0]
        self.processes.clear()
        (self.folder / "processes.jsonl").unlink(missing_ok=True)


def recorded(folder: Path) -> Crew:
    """The processes that a launch in this folder has started, as far as it could write them down."""
    crew = Crew(folder)
    try:
        lines = (folder / "processes.jsonl").read_text().splitlines()
    except OSError:
        return crew
    for line in lines:
        try:
            entry = json.loads(line)
            who = Identity(entry["pid"], entry["started"])
            end_with = signal.Signals[entry["end_with"]]
            crew.processes.append(Process(entry["name"], who, Path(entry["log"]), end_with))
        except (ValueError, KeyError, TypeError):
            continue  # cut in the middle of writing
    return crew
