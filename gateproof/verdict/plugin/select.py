"""Which tests run on which target, what they may spend, and what shares a window."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gateproof.errors import ConfigError, near_miss
from gateproof.report.records import Record
from gateproof.targets.model import Target
from gateproof.verdict.catalogue import Requirement
from gateproof.verdict.claim import Claim, claim_of
from gateproof.verdict.outcomes import Level, Verdict
from gateproof.verdict.plugin.lifecycle import PLAN_FILE
from gateproof.verdict.plugin.options import RUN, is_worker
from gateproof.verdict.run import ALONE, Plan, Run, TargetRun
from gateproof.verdict.watch import window_of

NOTICED = 1.0  # s; a shorter wait is not worth a word in the plan
LEVELS = [Level.MUST, Level.SHOULD, Level.MAY]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each check runs once per target of the run."""
    run = metafunc.config.stash.get(RUN, None)
    if run is None or claim_of(metafunc.definition) is None:
        return
    if "target_run" not in metafunc.fixturenames:
        metafunc.fixturenames.append("target_run")
    metafunc.parametrize("target_run", list(run.targets), indirect=True, scope="session")


@pytest.fixture(scope="session")
def target_run(request: pytest.FixtureRequest) -> TargetRun:
    """The target under test, as this run knows it."""
    run = request.config.stash[RUN]
    ready: TargetRun = run.ready[request.param]
    return ready


def target_of(item: pytest.Item, run: Run) -> TargetRun:
    return run.ready[item.callspec.params["target_run"]]  # type: ignore[attr-defined]


def part_of(item: pytest.Item) -> str:
    """What tells this test from its siblings of the same requirement: the parameters but for the target."""
    callspec = item.callspec  # type: ignore[attr-defined]
    target = callspec.params["target_run"]
    return "-".join(word for word in callspec._idlist if word != target)  # noqa: SLF001 - no public access to the ids


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    run = config.stash.get(RUN, None)
    if run is None:
        return
    kept: list[pytest.Item] = []
    try:
        check_claims(run, items, whole=not (session.testsfailed or narrowed(config) or str(run.selection)))
        kept = [item for item in items if keep(run, item)]
        check_spend(run)
        if not is_worker(config):
            announce(config, run)
    except ConfigError as error:
        kept = []
        if not is_worker(config):
            raise pytest.UsageError(str(error)) from None
        run.plan.problem = str(error)  # the controller says it; an exception here would look like a crash
    dropped = set(items) - set(kept)
    config.hook.pytest_deselected(items=[item for item in items if item in dropped])
    items[:] = sorted(kept, key=lambda item: (disrupts(item), -lasts(run, item)))
    if is_worker(config) and config.workerinput["workerid"] == "gw0":  # type: ignore[attr-defined]
        write_plan(config.stash[PLAN_FILE], run.plan)


def disrupts(item: pytest.Item) -> bool:
    """Whether it comes last: nothing else could be judged beside it."""
    claim = claim_of(item)
    return claim is not None and claim.disrupts


def lasts(run: Run, item: pytest.Item) -> float:
    """Long waits first, so that they overlap with everything else."""
    claim = claim_of(item)
    return claim.wait(target_of(item, run).target) if claim else 0.0


def narrowed(config: pytest.Config) -> str:
    """What pytest's own words leave out of the packs; empty for nothing."""
    whole = (config.rootpath / "conformance", config.rootpath)
    here = config.invocation_params.dir
    asked = any(Path(here, argument).resolve() in whole for argument in config.args)
    words = [*([] if asked else config.args)]
    for option in ("keyword", "markexpr", "deselect", "ignore", "ignore_glob"):
        value = config.getoption(option)
        words += [f"{option} {value if isinstance(value, str) else ' '.join(map(str, value))}"] if value else []
    return "; ".join(words)


def check_claims(run: Run, items: Iterable[pytest.Item], *, whole: bool) -> None:
    """Every id exists and is claimed by one test; every MUST has a test or a written reason for having none."""
    known = run.catalogue.requirements
    owners: dict[tuple[str, str | None], str] = {}
    for item in items:
        claim = claim_of(item)
        if claim is None:
            continue
        test = item.nodeid.split("[")[0]
        if claim.requirement not in known:
            raise ConfigError(
                f"unknown requirement `{claim.requirement}`{near_miss(claim.requirement, known)}", file=test
            )
        owner = owners.setdefault((claim.requirement, claim.part), test)
        if owner != test:
            raise ConfigError(f"{claim.requirement} is claimed by {owner} already; give each its `part=`", file=test)
        if known[claim.requirement].planned:
            raise ConfigError(f"{claim.requirement} has a test, yet the catalogue calls it planned", file=test)
    claimed = {requirement for requirement, _ in owners}
    missing = [r.id for r in known.values() if whole and r.id not in claimed and not (r.planned or r.excluded)]
    if missing:
        raise ConfigError(f"no test and no written reason for: {', '.join(missing)}", file="conformance/catalogue")


def keep(run: Run, item: pytest.Item) -> bool:
    """Whether the test runs; if its requirement is settled without a test, note the verdict."""
    claim = claim_of(item)
    if claim is None:
        return True
    ready = target_of(item, run)
    requirement = run.catalogue.requirements[claim.requirement]
    if not selected(run, claim, requirement):
        return False
    if requirement.id in run.selection.disabled:
        return settle(run, ready, item, Verdict.DISABLED, "disabled by --disable")
    own = [gate for marker in item.iter_markers("needs") for gate in marker.args]
    gates = [*requirement.gate, *claim.needs, *own]
    undeclared = [gate for gate in dict.fromkeys(gates) if ready.target.capability(gate) != "supported"]
    if undeclared:
        return settle(run, ready, item, Verdict.NOT_DECLARED, f"not declared by the target: {', '.join(undeclared)}")
    count(run.plan, ready, claim, item)
    if group := group_of(ready.target, claim):
        run.plan.windows[item.nodeid] = group
    return True


def group_of(target: Target, claim: Claim) -> str | None:
    """What a check shares with others of one worker: a declared tenant's window, the watches, that it must be alone."""
    if claim.disrupts:
        return ALONE
    window = window_of(target, claim.uses_up) if claim.uses_up else None
    return window or (f"{target.name}:watches" if claim.watch else None)


def selected(run: Run, claim: Claim, requirement: Requirement) -> bool:
    choice = run.selection
    return (
        (not choice.areas or requirement.area in choice.areas)
        and (not choice.requirements or requirement.id in choice.requirements)
        and LEVELS.index(requirement.level) <= LEVELS.index(choice.level)
        and (claim.smoke or not choice.smoke)
    )


def settle(run: Run, ready: TargetRun, item: pytest.Item, verdict: Verdict, message: str) -> bool:
    claim = claim_of(item)
    assert claim is not None
    record = Record.settled(claim.requirement, ready.target.name, part_of(item), item.nodeid, verdict, message)
    run.plan.settled.append(record.to_json())
    return False


def count(plan: Plan, ready: TargetRun, claim: Claim, item: pytest.Item) -> None:
    name = ready.target.name
    bounds = [claim.bound(ready.target)]
    if claim.watch is not None:
        if claim.watch.name not in ready.watched:
            bounds.append(claim.watch.bound(ready.target))
        ready.scenes[claim.watch.name] = claim.watch
        ready.watched.setdefault(claim.watch.name, []).append(claim.requirement)
        alone = window_of(ready.target, claim.watch.consumes)
        plan.together[item.nodeid] = f"{name}:{claim.watch.name if alone else 'watches'}"
    plan.requests[name] = plan.requests.get(name, 0) + sum(requests for requests, _ in bounds)
    plan.tokens[name] = plan.tokens.get(name, 0) + sum(tokens for _, tokens in bounds)
    plan.awaited.setdefault(name, {})[item.nodeid] = claim.requirement
    if (wait := min(claim.wait(ready.target), ready.max_wait)) >= NOTICED:
        plan.waits[item.nodeid] = wait


def check_spend(run: Run) -> None:
    """Refuse to start when the upper bound of what will be sent exceeds what is allowed."""
    for name, ready in run.ready.items():
        allowed = run.bound(ready.target)
        for what, bound, limit in (
            ("requests", run.plan.requests.get(name, 0), allowed.requests),
            ("tokens", run.plan.tokens.get(name, 0), allowed.tokens),
        ):
            if limit is not None and bound > limit:
                raise ConfigError(
                    f"this run may send up to {bound:,} {what}, allowed are {limit:,}",
                    key=f"{name}.spend.{what}",
                    accepted="a smaller selection (--area, --requirement, --smoke), "
                    "or a higher bound (spend: in the target, --spend)",
                )


def announce(config: pytest.Config, run: Run) -> None:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    for name, ready in run.ready.items() if reporter else ():
        allowed = run.bound(ready.target)
        bounds = [
            f"{number:,} {what}" + (f" (of {limit:,} allowed)" if limit is not None else "")
            for what, number, limit in (
                ("requests", run.plan.requests.get(name, 0), allowed.requests),
                ("tokens", run.plan.tokens.get(name, 0), allowed.tokens),
            )
        ]
        tests = run.plan.awaited.get(name, {})
        reporter.write_line(f"{name}: {len(tests)} checks, at most {' and '.join(bounds)}{waits_of(run.plan, tests)}")


def waits_of(plan: Plan, tests: Iterable[str]) -> str:
    """The upper bound of the time that goes into waiting for windows, before any is shared out over workers."""
    waits = plan.waits_of(tests)
    if not waits:
        return ""
    return f", {len(waits)} of them waiting up to {max(waits):.0f} s, {sum(waits):.0f} s in all"


def write_plan(file: Path, plan: Plan) -> None:
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(dataclasses.asdict(plan)))
    temporary.replace(file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """The controller collects nothing itself: it reads the plan that the first worker wrote."""
    config: pytest.Config = node.config
    run = config.stash.get(RUN, None)
    if run is None or run.plan.awaited or run.plan.settled or run.plan.problem:
        return
    file = config.stash[PLAN_FILE]
    if not file.exists():
        return
    run.plan = Plan(**json.loads(file.read_text()))
    if not run.plan.problem:  # else the workers run nothing, and the end of the session says why
        announce(config, run)
