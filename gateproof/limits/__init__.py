"""LIMITS: pure answers about what a limiter did, from a recorded history.

Nothing here sends, waits or reads a clock, and nothing of ours from outside this room is imported:
that is what lets hypothesis judge the judges.
"""

from gateproof.limits.budget import Budget, stops_at_budget
from gateproof.limits.clock import Clock, observed_phase
from gateproof.limits.finding import Finding, Undecided
from gateproof.limits.header_series import (
    Notation,
    advertised_is_enforced,
    headers_well_formed,
    remaining_falls,
    zero_means_refused,
)
from gateproof.limits.history import History, Shot
from gateproof.limits.interval import Interval
from gateproof.limits.model import admits_exactly_all, observed_algorithm
from gateproof.limits.parallel import never_more_at_once, refused_only_when_full
from gateproof.limits.quota import overshoot, quota_resets, stops_at_quota
from gateproof.limits.refusals import refusals_cost_nothing, refused_only_when_used_up
from gateproof.limits.resets import reset_counts_down
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
    "Budget",
    "Clock",
    "Finding",
    "History",
    "Interval",
    "Limit",
    "Notation",
    "Quota",
    "Shot",
    "Undecided",
    "admits_at_least",
    "admits_at_most",
    "admits_exactly",
    "admits_exactly_all",
    "advertised_is_enforced",
    "headers_well_formed",
    "never_more_at_once",
    "observed_algorithm",
    "observed_phase",
    "overshoot",
    "parse_retry_after",
    "quota_resets",
    "refusals_cost_nothing",
    "refused_only_when_full",
    "refused_only_when_used_up",
    "remaining_falls",
    "reset_counts_down",
    "retry_after_counts_down",
    "retry_after_well_formed",
    "stops_at_budget",
    "stops_at_quota",
    "truthful_after",
    "truthful_before",
    "window_resets",
    "zero_means_refused",
]
