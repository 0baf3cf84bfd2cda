"""QUOTA: what goes wrong with token budgets."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "quota_lags_a_request",
        where="gateway",
        breaks=("QUOTA-001", "QUOTA-003", "QUOTA-004", "QUOTA-005", "QUOTA-007", "QUOTA-013"),
        stands_for="the count of a request written after the next one is checked",
        link="https://github.com/BerriAI/litellm/issues/3788",
        shows="tokens on the ledger",
    ),
    Fault(
        "quota_reserves_undeclared",
        where="gateway",
        breaks=("QUOTA-001", "QUOTA-002", "QUOTA-003", "QUOTA-004", "QUOTA-005", "QUOTA-007", "QUOTA-013"),
        stands_for="an update that reserves tokens before the answer, on a stack that declares to count them after it",
        link="https://github.com/Kuadrant/kuadrant-operator/pull/2263",
        shows="(429, True)",
    ),
    Fault(
        "unary_usage_off_by_one",
        where="gateway",
        breaks=("QUOTA-003",),
        stands_for="a sum of usage that misses one token of each answer",
        shows="with 100 tokens on the ledger",
    ),
    Fault(
        "streams_are_free",
        where="gateway",
        breaks=("QUOTA-004", "QUOTA-005"),
        stands_for="a token limit that only unary answers count against",
        link="https://github.com/BerriAI/litellm/issues/41610",
        shows="tokens on the ledger",
    ),
    Fault(
        "only_chat_is_metered",
        where="gateway",
        breaks=("QUOTA-013",),
        stands_for="a token policy whose predicate names one path: the other APIs are free",
        link="https://github.com/BerriAI/litellm/issues/27738",
        shows="tokens on the ledger",
    ),
)
