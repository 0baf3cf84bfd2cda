"""Before and after the tests: launch, preflight, hand-over to xdist workers, clean-up.

The controller does all that touches the target once; workers receive what it found out.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from gateproof.errors import ConfigError, LaunchError, TargetUnreachable
from gateproof.launch import launch
from gateproof.launch.from_target import running
from gateproof.targets.model import Target
from gateproof.targets.secrets import CLUSTER, MINT, Secret, resolve_headers, resolve_key
from gateproof.tenants.admin import MintFailed
from gateproof.tenants.lease import run_prefix
from gateproof.tenants.mint import KUADRANT, key_path
from gateproof.tenants.need import Need
from gateproof.tenants.owner import stake
from gateproof.tenants.sweep import minter_of, sweep_run, take_back
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
    owner = stake()
    config.add_cleanup(owner.release)
    ready = describe(run, target, run_id=owner.run_id)
    ready.versions = versions
    resolve(ready)
    sweep_leftovers(ready)
    config.add_cleanup(partial(sweep, ready))
    mint_declared(ready)
    preflight(ready)
    return ready


def describe(run: Run, target: Target, run_id: str) -> TargetRun:
    expectations = load_expectations(run.expectations_folder, target.expectations, run.catalogue)
    return TargetRun(
        target=target, redactor=Redactor(), expectations=expectations, run_id=run_id, max_wait=run.max_wait
    )


def resolve(ready: TargetRun) -> None:
    """Read every key and header value that the target names, and hide them from now on."""
    target = ready.target
    for name, tenant in target.tenants.items():
        if tenant.key is not None:
            ready.keys[name] = resolve_key(tenant.key, name, target.name, cluster=target.kubernetes)
    ready.admin_key = admin_key_of(target)
    ready.headers = resolve_headers(target)
    ready.hide_secrets()


def admin_key_of(target: Target) -> Secret | None:
    """What opens the admin API: the token of its API server where keys are objects of a cluster."""
    cluster = target.kubernetes
    if target.mint is None:
        return None
    if target.mint_adapter == KUADRANT and cluster is not None and cluster.token is not None:
        return resolve_key(cluster.token, CLUSTER, target.name, cluster=cluster)
    return resolve_key(target.mint.key, MINT, target.name, cluster=cluster) if target.mint.key else None


def sweep_leftovers(ready: TargetRun) -> None:
    """Take back what runs left that were killed. The first use of the admin key: if it is wrong, it is told now."""
    name = ready.target.name
    try:
        for left in take_back(ready, ending=False):
            print(f"gateproof: {left}, left by a run that was killed, could not be taken back", file=sys.stderr)
    except MintFailed as error:
        if error.unauthorized:
            raise ConfigError(f"the admin API refuses it: {error}", key=key_path(ready.target)) from None
        print(f"gateproof: {name}: the admin API does not work, so no keys can be made: {error}", file=sys.stderr)


def sweep(ready: TargetRun) -> None:
    """Take back what a worker that was killed could not; say what is left."""
    left = sweep_run(ready)
    if left:
        print(f"gateproof: {ready.target.name}: left behind: {'; '.join(left)}", file=sys.stderr)


def mint_declared(ready: TargetRun) -> None:
    """Make a key for each declared tenant that names none, where the target lets us; it lives as long as the run."""
    minter = minter_of(ready)
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
    """CI cancels with SIGTERM: treat it as Ctrl-C, so that the report is written and nothing is left running.

    Likewise SIGHUP, of a terminal that was closed, unless somebody (nohup) had it ignored.
    """

    def interrupt(_signum: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt("terminated")

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, interrupt)


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
        "cluster": target.kubernetes.server if target.kubernetes else None,
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
        if target.kubernetes is not None:
            cluster = target.kubernetes.model_copy(update={"server": state["cluster"]})
            target = target.model_copy(update={"kubernetes": cluster})
        ready = describe(run, target, state["run_id"])
        ready.keys = {tenant: Secret(key) for tenant, key in state["keys"].items()}
        ready.admin_key = Secret(state["admin_key"]) if state["admin_key"] else None
        ready.headers, ready.detected = state["headers"], state["detected"]
        ready.hide_secrets()
        run.ready[name] = ready


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What is here before the first test stays, and is not looked at again.

    A full collection takes 80 ms, in which we see nothing come: checks that measure then say INCONCLUSIVE.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    if session.config.stash.get(RUN, None) is not None:
        gc.collect()
        gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each process gives back what it minted; what resists is swept by the controller, and named."""
    run = session.config.stash.get(RUN, None)
    for ready in run.ready.values() if run else ():
        if ready.leases is not None:
            ready.leases.release_all()
