"""MODELS: what goes wrong with lists of models."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "listing_called_info",
        where="gateway",
        breaks=("MODELS-001",),
        stands_for="a list of models that calls itself `models.info`, as JamAI Base does",
        shows="models.info",
    ),
    Fault(
        "cards_without_created",
        where="gateway",
        breaks=("MODELS-002",),
        stands_for="models listed without the fields that SDKs read",
        shows="created is None",
    ),
    Fault(
        "models_listed_twice",
        where="gateway",
        breaks=("MODELS-003",),
        stands_for="a model listed once for each of its routes",
        link="https://github.com/envoyproxy/ai-gateway/issues/1485",
        shows="chat-a",
    ),
    Fault(
        "slash_not_decoded",
        where="gateway",
        breaks=("MODELS-004",),
        stands_for="a router that matches the path before it decodes `%2F`",
        shows="team/chat-a",
    ),
    Fault(
        "any_model_has_a_card",
        where="gateway",
        breaks=("MODELS-005",),
        stands_for="the page of a model made from its name, without looking whether it exists",
        shows="200",
    ),
    Fault(
        "dead_model_listed",
        where="gateway",
        breaks=("MODELS-006",),
        stands_for="a list put together from configuration, with models that no route serves any more",
        link="https://github.com/envoyproxy/ai-gateway/issues/1485",
        shows="chat-retired",
    ),
    Fault(
        "aliases_unlisted",
        where="gateway",
        breaks=("MODELS-007",),
        stands_for="aliases that can be called and are not listed",
        shows="chat-latest",
    ),
    Fault(
        "listing_ignores_grants",
        where="gateway",
        breaks=("MODELS-008",),
        stands_for="a list that shows every model to a key that may use one",
        link="https://github.com/BerriAI/litellm/issues/1062",
        shows="chat-b",
    ),
    Fault(
        "listing_costs_tokens",
        where="gateway",
        breaks=("MODELS-009", "QUOTA-023"),
        stands_for="a quota charged for listing models, too",
        shows="listings before it as without",
    ),
)
