"""EMB: what goes wrong with embeddings: silently, since every answer looks like numbers."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "every_index_is_zero",
        where="engine",
        breaks=("EMB-001",),
        stands_for="a batch split into single calls whose answers are put together as they are",
        link="https://github.com/BaseIntelligence/bounty-challenge/issues/16010",
        shows="data[1].index is 0",
    ),
    Fault(
        "batch_sorted_by_length",
        where="engine",
        breaks=("EMB-002",),
        stands_for="texts sorted by length to pad less, and never put back in order",
        link="https://github.com/googleapis/js-genai/issues/1207",
    ),
    Fault(
        "one_dimension_missing",
        where="engine",
        breaks=("EMB-003",),
        stands_for="another model than the declared one behind the name, told only by the length of its vectors",
        shows="63",
    ),
    Fault(
        "base64_ignored",
        where="engine",
        breaks=("EMB-004",),
        stands_for="encoding_format dropped on the way: the SDK, which asks for base64, decodes nonsense",
        link="https://github.com/BerriAI/litellm/issues/42426",
        shows="not base64 text",
    ),
    Fault(
        "dimensions_ignored",
        where="engine",
        breaks=("EMB-005",),
        stands_for="`dimensions` dropped as a parameter that the model does not know",
        link="https://github.com/BerriAI/litellm/pull/26868",
        shows="64",
    ),
    Fault(
        "empty_input_embedded",
        where="engine",
        breaks=("EMB-006",),
        stands_for="empty input answered with 200",
        link="https://github.com/openclaw/openclaw/pull/117615",
        shows="200",
    ),
    Fault(
        "vectors_vary",
        where="engine",
        breaks=("EMB-007",),
        stands_for="replicas of different precision behind one name",
        shows="0.999",
    ),
    Fault(
        "embeddings_cost_nothing",
        where="engine",
        breaks=("EMB-008",),
        stands_for="tokens of embeddings that nobody counts",
        link="https://github.com/BerriAI/litellm/issues/27738",
        shows="0",
    ),
    Fault(
        "too_many_inputs_crash",
        where="engine",
        breaks=("EMB-009",),
        stands_for="a batch without a bound, until the memory ends",
        shows="500",
    ),
    Fault(
        "embeddings_of_chat_model_crash",
        where="gateway",
        breaks=("EMB-010",),
        stands_for="the kind of a model is not looked at before its answer is",
        link="https://github.com/BerriAI/litellm/pull/25469",
        shows="500",
    ),
)
