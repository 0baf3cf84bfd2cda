"""ROUTE: requests that reach another model or backend than their body says."""

from __future__ import annotations

from gateproof.stack.faults import Fault

FAULTS = (
    Fault(
        "embeddings_to_another_backend",
        where="gateway",
        breaks=("ROUTE-001",),
        stands_for="one pool for all models of a router, so that a model lands on a server that was not meant",
        link="https://github.com/llm-d/llm-d-router/issues/158",
        shows="'embed-a': 'b'",
    ),
    Fault(
        "unknown_model_crashes",
        where="gateway",
        breaks=("ROUTE-002",),
        stands_for="an unknown model that is looked for among the deployments until something is None",
        link="https://github.com/BerriAI/litellm/pull/25469",
        shows="500",
    ),
    Fault(
        "model_names_normalised",
        where="gateway",
        breaks=("ROUTE-003",),
        stands_for="names compared without case and blanks: allow-lists and limits see another name than the router",
        shows="CHAT-A",
    ),
    Fault(
        "alias_to_another_backend",
        where="gateway",
        breaks=("ROUTE-004",),
        stands_for="an alias that was not moved with its model",
        shows="'chat-latest': 'b'",
    ),
    Fault(
        "routing_header_believed",
        where="gateway",
        breaks=("ROUTE-005",),
        stands_for="the header by which the gateway routes inside, taken from the client when it is there",
        link="https://github.com/envoyproxy/ai-gateway/issues/2410",
        shows="chat-b",
    ),
    Fault(
        "limit_bucket_by_header",
        where="gateway",
        breaks=("ROUTE-006",),
        stands_for="a limit whose descriptor is the routing header, before the gateway has set it",
        link="https://github.com/envoyproxy/ai-gateway/issues/2410",
        shows="admitted",
    ),
    Fault(
        "endpoint_header_believed",
        where="gateway",
        breaks=("ROUTE-007",),
        stands_for="server-side request forgery: the endpoint picker's header taken from the client",
        link="https://github.com/llm-d/llm-d-router/issues/242",
    ),
    Fault(
        "first_of_two_models_routes",
        where="gateway",
        breaks=("ROUTE-008",),
        stands_for="a router that takes the first `model` of a body and an engine that takes the last",
    ),
    Fault(
        "model_object_unwrapped",
        where="gateway",
        breaks=("ROUTE-009",),
        stands_for="whatever has an id is taken for a model: what is checked is not what is routed",
        shows="404",
    ),
    Fault(
        "model_name_written_to_headers",
        where="gateway",
        breaks=("ROUTE-021",),
        stands_for="the model's name copied into a header as it is, line breaks and all",
        shows="yes",
    ),
    Fault(
        "text_api_of_other_model_crashes",
        where="gateway",
        breaks=("ROUTE-023",),
        stands_for="chat with an embedding model fails only when its answer is read",
        link="https://github.com/BerriAI/litellm/pull/25469",
        shows="500",
    ),
)
