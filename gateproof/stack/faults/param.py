"""PARAM: what goes wrong with n, stop, seed, logprobs and the rest."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "every_index_0",
        where="engine",
        breaks=("PARAM-001",),
        stands_for="several single replies put together, each with its own index 0",
        link="https://github.com/BerriAI/litellm/pull/37792",
        shows="[0, 0, 0]",
    ),
    Fault(
        "first_choice_counted",
        where="engine",
        breaks=("PARAM-002",),
        stands_for="usage that counts one choice of several",
    ),
    Fault(
        "n_dropped",
        where="gateway",
        breaks=("PARAM-001", "PARAM-002", "PARAM-003", "STREAM-012"),
        stands_for="`n` dropped as a parameter that the provider does not know",
        link="https://github.com/BerriAI/litellm/issues/32221",
    ),
    Fault(
        "stop_kept_in_text",
        where="engine",
        breaks=("PARAM-004",),
        stands_for="a stop string that stays at the end of the text",
    ),
    Fault(
        "stop_lists_crash",
        where="engine",
        breaks=("PARAM-005",),
        stands_for="code that expects one stop string and gets a list",
        shows="500",
    ),
    Fault(
        "seed_ignored",
        where="engine",
        breaks=("PARAM-006",),
        stands_for="a seed that is accepted and not used",
        shows="of 5",
    ),
    Fault(
        "logprobs_without_bytes",
        where="engine",
        breaks=("PARAM-007",),
        stands_for="entries of logprobs in another shape than OpenAI's",
        link="https://github.com/vllm-project/vllm/issues/3179",
        shows="bytes is None",
    ),
    Fault(
        "probabilities_for_logprobs",
        where="engine",
        breaks=("PARAM-008",),
        stands_for="probabilities where their logarithms belong",
        shows="0.77",
    ),
    Fault(
        "alternatives_one_too_many",
        where="engine",
        breaks=("PARAM-009",),
        stands_for="the chosen token told on top of the k most likely ones",
        link="https://github.com/vllm-project/vllm/issues/4795",
    ),
    Fault(
        "bytes_are_code_points",
        where="engine",
        breaks=("PARAM-010",),
        stands_for="bytes made from code points instead of UTF-8",
        shows="\\xe9",
    ),
    Fault(
        "top_logprobs_alone_ignored",
        where="engine",
        breaks=("PARAM-011",),
        stands_for="`top_logprobs` ignored without a word when `logprobs` is missing",
        shows="200",
    ),
    Fault(
        "metadata_refused",
        where="engine",
        breaks=("PARAM-012",),
        stands_for="a legal parameter refused because the schema is closed",
        shows="metadata",
    ),
)
