"""USAGE: what goes wrong with the counts in replies."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "counts_are_floats",
        where="engine",
        breaks=("USAGE-001", "USAGE-009"),
        stands_for="counts that went through a language with one kind of number",
        shows="prompt_tokens is",
    ),
    Fault(
        "total_is_prompt",
        where="engine",
        breaks=("USAGE-002", "USAGE-007", "USAGE-009"),
        stands_for="a total made before the completion was counted",
    ),
    Fault(
        "cached_prompt_not_counted",
        where="engine",
        breaks=("USAGE-003",),
        stands_for="prompt tokens without those that came from the prefix cache",
        link="https://github.com/BerriAI/litellm/issues/15945",
    ),
    Fault(
        "prompt_roughly_counted",
        where="engine",
        breaks=("USAGE-004",),
        stands_for="prompt tokens estimated by length instead of counted",
    ),
    Fault(
        "end_token_counted_on_top",
        where="engine",
        breaks=("USAGE-005",),
        stands_for="one token more counted than may be generated",
    ),
    Fault(
        "cached_beyond_prompt",
        where="engine",
        breaks=("USAGE-006",),
        stands_for="Anthropic's way of counting, where cached tokens are not part of the prompt, passed on as OpenAI's",
        link="https://github.com/BerriAI/litellm/pull/23342",
        shows="cached_tokens",
    ),
    Fault(
        "stream_usage_counts_chunks",
        where="engine",
        breaks=("USAGE-007",),
        stands_for="the tokens of a stream told by the number of its chunks",
        link="https://github.com/BerriAI/litellm/pull/25410",
    ),
    Fault(
        "cached_tokens_told_as_none",
        where="gateway",
        breaks=("USAGE-008",),
        stands_for="usage that is rebuilt from its three totals",
        link="https://github.com/BerriAI/litellm/issues/15945",
        shows="cached_tokens",
    ),
    Fault(
        "metrics_leave_out_answers",
        where="gateway",
        breaks=("USAGE-009",),
        stands_for="a token metric that counts prompts alone",
        shows="tokens more",
    ),
)
