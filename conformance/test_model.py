"""RATE-035: scripts of requests, streams, aborts, waits and tenants, held step by step to a model of the limits."""

from __future__ import annotations

from fixtures.model import lasts, played, requests_for, script_for
from fixtures.tenants import TenantWith
from gateproof.limits.script import Script
from gateproof.verdict.claim import requirement
from gateproof.verdict.run import TargetRun


@requirement("RATE-035", requests=requests_for, lasts=lasts)
def test_any_interleaving_is_admitted_as_declared(
    target_run: TargetRun, tenant_with: TenantWith, replayed: Script | None
) -> None:
    """One script from one seed; tenants are made for it, so that nobody else is on their limits."""
    script = replayed or script_for(target_run.target)
    assert played(script, target_run.target, tenant_with)
