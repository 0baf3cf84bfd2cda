"""A key that is refused in the middle of a run: did somebody take it away, or does the gateway break its promise?

The rule: a check that fails and met a 401 with a key that should work asks once more with the same key. Served now,
the 401 was the gateway's mistake, and the failure stands. Refused again, the key counts as lost when the admin API does
not list it any more, when it never worked although it was just made, or when there is nobody to ask. A key that is
listed and worked before is alive: refusing it is the gateway's mistake.
"""

from __future__ import annotations

from gateproof.targets.secrets import Secret
from gateproof.tenants.admin import MintFailed
from gateproof.verdict.preflight import knock_with
from gateproof.verdict.run import UNAUTHORIZED, Holder, TargetRun

KEY_AREA = "AUTH"
"""Where a key that does not work is what the check is about; only one that somebody deleted excuses it."""


def lost_key(ready: TargetRun, area: str) -> str | None:
    """Why the running check could not do its work; None when its failure is the gateway's."""
    doubts = ready.recorder.doubts if ready.recorder else {}
    retired = ready.leases.retired if ready.leases else set()
    for key, holder in doubts.items():
        if key not in retired and (reason := _why_lost(ready, key, holder, area)):
            return reason
    return None


def _why_lost(ready: TargetRun, key: Secret, holder: Holder, area: str) -> str | None:
    again = knock_with(ready, holder.auth)
    if again.answer is None or again.status != UNAUTHORIZED:
        return None
    worked = key in ready.accepted
    if not holder.minted:
        if area == KEY_AREA:
            return None
        since = "worked before in this run and is" if worked else "is"
        return f"the key of `{holder.name}` {since} refused now (401 twice): revoked or expired?"
    try:
        listed = ready.leases is not None and ready.leases.exists(holder.name)
    except MintFailed as error:
        return (
            f"the key of {holder.name}, made for this check, is refused (401 twice), and the admin API fails: {error}"
        )
    if not listed:
        return f"the key of {holder.name}, made for this check, was deleted by somebody else while it was in use"
    if worked or area == KEY_AREA:
        return None
    return (
        f"the admin API lists the key of {holder.name}, which it made for this check, yet it never worked (401 twice)"
    )
