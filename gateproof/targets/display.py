"""Targets as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.table import Table

from gateproof.errors import ConfigError
from gateproof.targets.capabilities import CAPABILITIES
from gateproof.targets.loader import Targets
from gateproof.targets.model import Target, Tenant
from gateproof.targets.probe import declared_and_detected
from gateproof.targets.values import LIFETIME

_SHOWN = {True: "yes", False: "NO", None: "?"}


def overview(targets: Targets, environ: Mapping[str, str]) -> Table:
    """One line per target; a broken entry says so in its place."""
    table = Table("target", "stack", "where", "needs", box=None, pad_edge=False)
    for name in targets:
        try:
            target = targets.unresolved(name)
        except ConfigError as error:
            table.add_row(name, "?", f"line {error.line}: {error.problem}", "")
        else:
            where = target.base_url or (f"launches {target.launch.kind}" if target.launch else "")
            table.add_row(name, target.stack, where, " ".join(targets.unset_variables(name, environ)))
    return table


def details(target: Target, detected: Mapping[str, bool] | None = None) -> Group:
    """What an entry comes to, beside what a probe saw of it."""
    head = [target.name, target.dialect.title, target.base_url or "", target.description]
    facts = Table(show_header=False, box=None, pad_edge=False)
    for api, model in target.models.items():
        facts.add_row(f"models.{api}", model)
    for name, tenant in target.tenants.items():
        facts.add_row(f"tenants.{name}", _tenant(tenant))
    for name, number in target.promises.model_dump(exclude_none=True).items():
        facts.add_row(f"promises.{name}", f"{number:,} bytes" if name == "max_body" else f"{number:g} s")
    return Group("  ".join(filter(None, head)), "", facts, "", _capabilities(target, detected))


def _capabilities(target: Target, detected: Mapping[str, bool] | None) -> Table:
    columns = ["capability", "declared", *(["shown"] if detected is not None else []), "meaning"]
    table = Table(*columns, box=None, pad_edge=False)
    for name, support, shown in declared_and_detected(target, detected or {}):
        seen = [_SHOWN[shown]] if detected is not None else []
        table.add_row(name, support, *seen, CAPABILITIES[name])
    return table


def _tenant(tenant: Tenant) -> str:
    """``env TOKENLABS_FREE_KEY, 10 requests in 60 s``: never the key itself."""
    said = [str(tenant.key) if tenant.key else "no key"]
    said += [f"{each.limit:,} requests {_window(each.window)}" for each in tenant.requests]
    said += [f"{each.limit:,} tokens {_window(each.window)}" for each in tenant.tokens]
    if tenant.parallel:
        said.append(f"{tenant.parallel} in parallel")
    if tenant.budget:
        said.append(f"a budget of {tenant.budget.limit:g} {_window(tenant.budget.window)}")
    if tenant.models is not None:
        said.append(f"only {' '.join(tenant.models) or 'no model'}")
    return ", ".join(said)


def _window(seconds: float) -> str:
    return "in its lifetime" if seconds == LIFETIME else f"in {seconds:g} s"
