"""A gateway that shows everything: what runs when nobody says otherwise."""

from __future__ import annotations

from typing import Any

# Loopback only, and printed at start-up: these are names, not secrets.
MAIN_KEY, OTHER_KEY, FREE_KEY, ADMIN_KEY = "sk-local-main", "sk-local-other", "sk-local-free", "sk-local-admin"

CHAT_APIS = ["chat", "completions", "responses", "messages"]


def default_gateway() -> dict[str, Any]:
    """Two unlimited tenants, a limited one, and a model for each way of routing."""
    return {
        "keys": {MAIN_KEY: "main", OTHER_KEY: "other", FREE_KEY: "free"},
        "tenants": {
            "main": {},
            "other": {},
            "free": {
                "requests": {"limit": 5, "window": 2},
                "tokens": {"limit": 1000, "window": 60},
                "parallel": 2,
                "models": ["chat-a"],
            },
        },
        "models": {
            "chat-a": {"backends": [{"engine": "a"}], "apis": CHAT_APIS},
            "chat-b": {"backends": [{"engine": "b"}], "apis": CHAT_APIS},
            "chat-latest": {"alias_of": "chat-a"},
            "chat-fallback": {"backends": [{"engine": "a"}], "fallback": [{"engine": "b"}], "apis": CHAT_APIS},
            "chat-weighted": {
                "backends": [{"engine": "a", "weight": 70}, {"engine": "b", "weight": 30}],
                "apis": CHAT_APIS,
            },
            "embed-a": {"apis": ["embeddings"]},
            "rerank-a": {"apis": ["rerank"]},
            "tts-a": {"apis": ["speech"]},
            "asr-a": {"apis": ["transcriptions"]},
        },
        "admin_key": ADMIN_KEY,
    }
