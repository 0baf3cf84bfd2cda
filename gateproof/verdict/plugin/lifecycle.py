"""Before and after the tests: launch, preflight, hand-over to xdist workers, clean-up.

The controller does all that touches the target once; workers receive what it found out.
"""

from __future__ import annotations

import json
import secrets
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateproof.errors import ConfigError, LaunchError, TargetUnreachable
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers, resolve_key
from gateproof.tenants.admin import MintFailed, admin_over
from gateproof.tenants.lease import run_prefix
from gateproof.tenants.mint import minter_for
from gateproof.tenants.need import Need
from gateproof.tenants.sweep import sweep_run
from gateproof.verdict.expectations import load_expectations
from gateproof.verdict.plugin.options import RUN, is_worker
from gateproof.verdict.preflight import preflight
from gateproof.verdict.run import Run, TargetRun
from gateproof.wire.redact import Redactor

PLAN_FILE = pytest.StashKey[Path]()
EXIT_UNREACHABLE = 6  # pytest keeps 0 to 5 for itself


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    run = config.stash.get(RUN, None)
    if run is None:
        return
    try:
        if is_worker(config):
            receive(config, run)
        elif config.getoption("collectonly"):
            for name, target in run.targets.items():
                run.ready[name] = describe(run, target, run_id="collect-only")
        else:
            stop_on_sigterm()
            for name, target in run.targets.items():
                run.ready[name] = prepare(config, run, target)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    except (TargetUnreachable, LaunchError) as error:
        run.interrupted = str(error)
        config.hook.pytest_gateproof_unreachable(config=config, run=run)
        pytest.exit(str(error), returncode=EXIT_UNREACHABLE)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    class Hooks:
        @staticmethod
        def pytest_gateproof_unreachable(config: pytest.Config, run: Run) -> None:
            """A target could not be reached: write what is known."""

    pluginmanager.add_hookspecs(Hooks)


def prepare(config: pytest.Config, run: Run, target: Target) -> TargetRun:
    """Start the stack if it is ours to start, resolve keys, and see that somebody answers."""
    versions: dict[str, str] = {}
    if target.launch is not None:
        launched = launch(target)
        config.add_cleanup(launched.stop)
        target = running(target, launched)
        versions = launched.versions
    ready = describe(run, target, run_id=new_run_id())
    ready.versions = versions
    resolve(ready)
    config.add_cleanup(partial(sweep, ready))
    mint_declared(ready)
    preflight(ready)
    return ready


def describe(run: Run, target: Target, run_id: str) -> TargetRun:
    expectations = load_expectations(run.expectations_folder, target.expectations, run.catalogue)
    return TargetRun(
        target=target, redactor=Redactor(), expectations=expectations, run_id=run_id, max_wait=run.max_wait
    )


def new_run_id() -> str:
    """Sortable and unguessable: names of what we mint carry it, and a later run can tell its age."""
    return f"{int(time.time()):x}-{secrets.token_hex(3)}"


def resolve(ready: TargetRun) -> None:
    """Read every key and header value that the target names, and hide them from now on."""
    target = ready.target
    for name, tenant in target.tenants.items():
        if tenant.key is not None:
            ready.keys[name] = resolve_key(tenant.key, name, target.name, cluster=target.kubernetes)
    if target.mint is not None and target.mint.key is not None:
        ready.admin_key = resolve_key(target.mint.key, "mint", target.name, cluster=target.kubernetes)
    ready.headers = resolve_headers(target)
    ready.hide_secrets()


def sweep(ready: TargetRun) -> None:
    """Take back what a worker that was killed could not; say what is left."""
    for name in sweep_run(ready):
        print(f"gateproof: the key {name} could not be taken back", file=sys.stderr)


def mint_declared(ready: TargetRun) -> None:
    """Make a key for each declared tenant that names none, where the target lets us; it lives as long as the run."""
    minter = minter_for(ready.target, admin_over(ready.client, ready.admin_key)) if ready.admin_key else None
    if minter is None:
        return
    for name, tenant in ready.target.tenants.items():
        if name in ready.keys:
            continue
        need = Need(
            requests=tenant.requests,
            tokens=tenant.tokens,
            parallel=tenant.parallel,
            budget=tenant.budget,
            models=tenant.models,
        )
        try:
            made = minter.mint(need, f"{run_prefix(ready.run_id)}{name}")
        except MintFailed as error:
            raise TargetUnreachable(f"{ready.target.name}: no key could be made for tenant `{name}`: {error}") from None
        ready.keys[name] = made.key
    ready.hide_secrets()


def stop_on_sigterm() -> None:
    """CI cancels with SIGTERM: treat it as Ctrl-C, so that the report is written and nothing is left running."""

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("terminated")

    signal.signal(signal.SIGTERM, interrupt)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand over to a worker. The channel is a pipe of ours: keys appear in no argument and no file."""
    config: pytest.Config = node.config
    run = config.stash.get(RUN, None)
    if run is None:
        return
    if PLAN_FILE not in config.stash:
        folder = tempfile.TemporaryDirectory(prefix="gateproof-")
        config.add_cleanup(folder.cleanup)
        config.stash[PLAN_FILE] = Path(folder.name, "plan.json")
    node.workerinput["gateproof"] = json.dumps(
        {"plan": str(config.stash[PLAN_FILE]), "targets": {name: hand_over(ready) for name, ready in run.ready.items()}}
    )


def hand_over(ready: TargetRun) -> dict[str, Any]:
    target = ready.target
    return {
        "base_url": target.base_url,
        "control": list(target.upstream.control) if target.upstream else [],
        "direct": target.upstream.direct if target.upstream else None,
        "run_id": ready.run_id,
        "keys": {name: key.reveal() for name, key in ready.keys.items()},
        "admin_key": ready.admin_key.reveal() if ready.admin_key else None,
        "headers": ready.headers,
        "detected": ready.detected,
    }


def receive(config: pytest.Config, run: Run) -> None:
    given = json.loads(config.workerinput["gateproof"])  # type: ignore[attr-defined]
    config.stash[PLAN_FILE] = Path(given["plan"])
    for name, state in given["targets"].items():
        target = run.targets[name].running_at(state["base_url"], control=state["control"], direct=state["direct"])
        ready = describe(run, target, state["run_id"])
        ready.keys = {tenant: Secret(key) for tenant, key in state["keys"].items()}
        ready.admin_key = Secret(state["admin_key"]) if state["admin_key"] else None
        ready.headers, ready.detected = state["headers"], state["detected"]
        ready.hide_secrets()
        run.ready[name] = ready


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each process gives back what it minted; what resists is swept by the controller, and named."""
    run = session.config.stash.get(RUN, None)
    for ready in run.ready.values() if run else ():
        if ready.leases is not None:
            ready.leases.release_all()
