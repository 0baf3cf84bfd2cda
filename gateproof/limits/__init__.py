"""LIMITS: pure answers about what a limiter did, from a recorded history.

Nothing here sends, waits or reads a clock, and nothing of ours from outside this room is imported:
that is what lets hypothesis judge the judges.
"""

from gateproof.limits.finding import Finding, Undecided
from gateproof.limits.history import History, Shot
from gateproof.limits.quota import overshoot, quota_resets, stops_at_quota
from gateproof.limits.retry_after import (
    parse_retry_after,
    retry_after_counts_down,
    retry_after_well_formed,
    truthful_after,
    truthful_before,
)
from gateproof.limits.terms import Limit, Quota
from gateproof.limits.window import admits_at_least, admits_at_most, admits_exactly, window_resets

__all__ = [
    "Finding",
    "History",
    "Limit",
    "Quota",
    "Shot",
    "Undecided",
    "admits_at_least",
    "admits_at_most",
    "admits_exactly",
    "overshoot",
    "parse_retry_after",
    "quota_resets",
    "retry_after_counts_down",
    "retry_after_well_formed",
    "stops_at_quota",
    "truthful_after",
    "truthful_before",
    "window_resets",
]
