"""Any server with the OpenAI API: nothing is assumed beyond the specification."""

from __future__ import annotations

from gateproof.targets.dialects.base import Dialect

OPENAI = Dialect(
    name="openai",
    title="any OpenAI-compatible server",
    request_limit_headers=(
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ),
    token_limit_headers=("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    # OpenTelemetry's `gen_ai.client.token.usage`, as its exporter for Prometheus names it
    metric_names={"tokens": "gen_ai_client_token_usage_sum"},
    request_id="x-request-id",
    # Headers of gateways and meshes at large: no client may set them, no client should see them.
    private_headers=("x-envoy-", "x-ai-eg-", "x-gateway-destination-", "x-kuadrant-"),
    capabilities=frozenset({"api.models", "auth.bearer", "f.stream"}),
)
