"""Dialects are data: complete, consistent, and only with words that exist."""

from __future__ import annotations

import json
import re

import pytest

from gateproof.errors import ConfigError
from gateproof.targets.capabilities import APIS, CAPABILITIES
from gateproof.targets.dialects import DIALECTS, Dialect, dialect, message_of
from gateproof.targets.secrets import Secret

each = pytest.mark.parametrize("stack", DIALECTS.values(), ids=DIALECTS)


@each
def test_every_api_has_a_path(stack: Dialect) -> None:
    assert set(stack.paths) == {*APIS, "models"}
    assert all(path.startswith("/") and "//" not in path for path in stack.paths.values())


@each
def test_promises_are_known_capabilities(stack: Dialect) -> None:
    assert stack.capabilities <= CAPABILITIES.keys()


@each
def test_headers_are_lower_case_names(stack: Dialect) -> None:
    limits = [*stack.request_limit_headers, *stack.token_limit_headers]
    single = [stack.auth_header, stack.request_id, stack.version_header, stack.backend_header]
    names = [*limits, *single, *stack.key_headers, *stack.required_headers, *stack.private_headers]
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names if name)


@each
def test_probe_and_metrics_paths_are_absolute(stack: Dialect) -> None:
    assert all(path.startswith("/") for path in (stack.live, stack.ready, *stack.metrics) if path)


@each
def test_a_stack_with_a_window_has_an_algorithm(stack: Dialect) -> None:
    assert (stack.window is None) == (stack.window_algorithm == "unknown")


@each
def test_keys_that_can_be_revoked_can_be_made(stack: Dialect) -> None:
    assert ("auth.revocable" in stack.capabilities) == (stack.mint is not None)


def test_names_are_found_and_missed() -> None:
    assert dialect("litellm").mint == "litellm"
    with pytest.raises(ConfigError, match=r"unknown dialect `litelm`; did you mean `litellm`\?") as caught:
        dialect("litelm")
    assert "tokenvisor" in str(caught.value)


def test_a_dialect_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        dialect("openai").prefix = "/v2"  # type: ignore[misc]
    with pytest.raises(TypeError):
        dialect("openai").paths["chat"] = "/"  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "No such model", "type": "x", "param": null, "code": null}}', "No such model"),
        (b'{"error": "Unauthorized"}', "Unauthorized"),
        (b'{"error": "Invalid token", "description": "missing", "code": "invalid_token"}', "Invalid token"),
        (b'{"object": "error", "message": "too long", "code": 400}', "too long"),
        (
            b'{"object": "error", "error": "http_error", "message": "The path was not found."}',
            "The path was not found.",
        ),
        (b'{"status": "failure", "message": "Invalid config passed"}', "Invalid config passed"),
        (b'{"type": "error", "error": {"type": "BadRequest", "message": "malformed request"}}', "malformed request"),
        (b'{"detail": "Method Not Allowed"}', "Method Not Allowed"),
        (b'{"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}', "body.model: Field required"),
        (b'{"html-message": "Message: fetch failed"}', "Message: fetch failed"),
        (b"Too Many Requests\n", "Too Many Requests"),
        (b'"I am alive"', "I am alive"),
        (b"", None),
        (b"{}", None),
        (b"[]", None),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 100_000, "[" * 299 + "…"),
        ({"error": {"message": "parsed"}}, "parsed"),
        ({"error": {"code": 5}}, None),
        (None, None),
        (7, None),
    ],
)
def test_the_message_of_an_error_is_found_whatever_its_shape(body: object, message: str | None) -> None:
    assert message_of(body) == message


def test_a_deep_body_ends() -> None:
    deep: object = "found"
    for _ in range(50):
        deep = {"error": deep}
    assert message_of(json.dumps(deep)) is None


def test_auth_headers_follow_the_dialect() -> None:
    from gateproof.targets.model import Target  # noqa: PLC0415 - dialects stand without it

    target = Target.model_validate(
        {"name": "t", "stack": "openai", "base_url": "http://127.0.0.1", "models": {"chat": "m"}}
    )
    assert target.auth_headers(Secret("sk-1")) == {"authorization": "Bearer sk-1"}
    assert target.auth_headers(None) == {}
