"""ROUTE: which model and which backend a request reaches, and that nothing but its body decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fixtures.api import OMIT, Api, unique
from fixtures.burst import burst, history_of
from fixtures.endpoints import endpoints
from fixtures.routing import CALLS, REFUSED, Rivals, Trap, Witness, fixed_routes
from fixtures.tenants import TenantWith
from fixtures.upstream import script
from gateproof.limits.window import admits_at_most
from gateproof.shape.error import envelope_flaws
from gateproof.targets.capabilities import Api as ApiName
from gateproof.targets.declared import limits
from gateproof.targets.model import Route, Target
from gateproof.verdict.claim import TOKENS_PER_REQUEST, requirement
from gateproof.verdict.outcomes import Inconclusive, NotDeclared, Untestable

# Statuses that say "no such model": 404 as OpenAI has it, 400 tolerated.
UNKNOWN = {404, 400}
# Headers by which gateways route inside; a client's own must not count.
ROUTING_HEADERS = ("x-ai-eg-model", "x-gateway-model-name", "x-model")
LONG_NAME = 10 * 1024  # characters (ROUTE-009)


def declared_routes(target: Target) -> list[Route]:
    """The routes to check, of APIs that a small JSON request can call."""
    return [route for route in fixed_routes(target) if route.api in CALLS]


@requirement("ROUTE-001", requests=lambda target: len(declared_routes(target)))
def test_each_model_reaches_its_backend(api: Api, witness: Witness) -> None:
    routes = declared_routes(api.target)
    seen = {route.model: backend_of(api, witness, route) for route in routes}
    declared = {route.model: str(route.backend) for route in routes}
    if witness.engines is not None:
        assert seen == declared
        return
    if not all(seen.values()):
        raise Untestable(f"no header and no fingerprint tells the backend of {[m for m, b in seen.items() if not b]}")
    # A foreign name of a backend cannot be compared with ours; but two backends never have one name.
    shared = {(one, other): seen[one] for one in seen for other in seen if one < other and seen[one] == seen[other]}
    assert {pair: name for pair, name in shared.items() if declared[pair[0]] != declared[pair[1]]} == {}


def backend_of(api: Api, witness: Witness, route: Route) -> str:
    order = script()
    return witness.served(CALLS[route.api](api, route.model, order), order).backend


@requirement("ROUTE-002", requests=1)
@endpoints("chat", "completions", "embeddings", "responses")
def test_an_unknown_model_is_not_found(api: Api, endpoint: str) -> None:
    exchange = CALLS[endpoint](api, unique("unknown"), script())
    assert exchange.status in UNKNOWN
    assert envelope_flaws(exchange.json()) == []


LOOK_ALIKES = str.maketrans("aceopxyisACEOPXBHKMT", "асеорхуіѕАСЕОРХВНКМТ")
FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
VARIANTS: dict[str, Callable[[str], str]] = {
    "other-case": str.swapcase,
    "prefix": lambda name: name[:-1],
    "suffix": lambda name: f"{name}x",
    "blank-before": lambda name: f" {name}",
    "blank-after": lambda name: f"{name} ",
    "newline-after": lambda name: f"{name}\n",
    "look-alike-letters": lambda name: name.translate(LOOK_ALIKES),
    "full-width-letters": lambda name: name.translate(FULL_WIDTH),
    "invisible-letter": lambda name: f"{name}\u200b",
}


@requirement("ROUTE-003", requests=1, needs=("api.chat",))
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_is_known_by_its_exact_name(api: Api, variant: str) -> None:
    name = VARIANTS[variant](api.target.models["chat"])
    if name in {*api.target.models.values(), *(route.model for route in api.target.routes)}:
        raise NotDeclared(f"{name!r} is a model of its own")
    assert (name, api.chat(model=name).status) in {(name, status) for status in UNKNOWN}


@requirement("ROUTE-004", requests=lambda target: 2 * len(aliases(target)), needs=("api.chat",))
def test_an_alias_is_its_model(api: Api, witness: Witness) -> None:
    found = {
        route.model: (witness.chat(route.model), witness.chat(str(route.alias_of))) for route in aliases(api.target)
    }
    names = {alias: {alias, target.model} for alias, (_, target) in found.items()}
    backends = {alias: aliased.backend for alias, (aliased, _) in found.items()}
    if witness.engines is not None:
        assert backends == {alias: target.backend for alias, (_, target) in found.items()}
    assert [(alias, by.model) for alias, (by, _) in found.items() if by.model not in names[alias]] == []


def aliases(target: Target) -> list[Route]:
    return [route for route in target.routes if route.alias_of and route.api == "chat"]


SPOOFS: dict[str, Callable[[str, str, str], list[tuple[str, str]]]] = {
    "one-header": lambda name, _, wanted: [(name, wanted)],
    "mixed-case": lambda name, _, wanted: [(name.title(), wanted)],
    "twice": lambda name, right, wanted: [(name, wanted), (name, right)],
    "twice-the-other-way": lambda name, right, wanted: [(name, right), (name, wanted)],
}


@requirement("ROUTE-005", requests=4, needs=("api.chat",))
@pytest.mark.parametrize("form", SPOOFS)
def test_a_header_does_not_choose_the_model(witness: Witness, rivals: Rivals, form: str) -> None:
    """Each of the two models in the body, the other one in the headers."""
    seen = {
        right: witness.chat(
            right, headers=[pair for name in ROUTING_HEADERS for pair in SPOOFS[form](name, right, wrong)]
        )
        for right, wrong in ((rivals.one, rivals.other), (rivals.other, rivals.one))
    }
    assert {model: by for model, by in seen.items() if not rivals.may_serve(model, by)} == {}


def spoofed_calls(target: Target) -> int:
    """Once the limit, and once more than it for each of two other models in the headers."""
    most = max((limit.limit for limit in limits(target)), default=1)
    return 3 * (most + 1)


@requirement(
    "ROUTE-006",
    requests=spoofed_calls,
    tokens=lambda target: TOKENS_PER_REQUEST * spoofed_calls(target),
    needs=("api.chat", "lim.req"),
    consumes="requests",
)
def test_a_header_does_not_choose_the_limit(tenant_with: TenantWith) -> None:
    limited = tenant_with(requests=True)
    limit = limited.tenant.requests if limited.tenant else None
    if limit is None:
        raise Untestable("the tenant has no request limit")

    def spoofing(model: str) -> Callable[[], Any]:
        return lambda: limited.chat(how={"headers": dict.fromkeys(ROUTING_HEADERS, model)})

    plain = burst(limited.chat, limit.limit + 1)
    if not any(exchange.status == 429 for exchange in plain):
        raise Inconclusive(f"{len(plain)} requests at once, none refused: the limit of {limit.limit} does not bite")
    spoofed = [exchange for name in ("other", "third") for exchange in burst(spoofing(name), limit.limit + 1)]
    assert admits_at_most(limit, history_of([*plain, *spoofed]))


# Where the endpoint picker of an inference gateway says which endpoint it chose, and the ways to ask for one.
ENDPOINT_HEADERS = (
    "x-gateway-destination-endpoint",
    "x-gateway-destination-endpoint-subset",
    "test-epp-endpoint-selection",
    "x-envoy-original-dst-host",
    "x-prefiller-host-port",
    "x-backend",
)


@requirement("ROUTE-007", requests=3, needs=("api.chat",))
@pytest.mark.parametrize("header", ENDPOINT_HEADERS)
def test_a_header_does_not_choose_the_endpoint(witness: Witness, rivals: Rivals, trap: Trap, header: str) -> None:
    by = witness.chat(rivals.one, headers={header: trap.address})
    assert (by, rivals.may_serve(rivals.one, by), trap.visitors) == (by, True, 0)


@requirement("ROUTE-008", requests=3, needs=("api.chat", "route.multi"))
@pytest.mark.parametrize("first", ["one", "other"])
def test_a_model_given_twice_is_not_two_models(witness: Witness, rivals: Rivals, first: str) -> None:
    """Whoever reads the body takes the same of the two, or nobody takes any."""
    order = script()
    models = (rivals.one, rivals.other) if first == "one" else (rivals.other, rivals.one)
    by = witness.served(witness.api.post_bytes("chat", twice(witness.api, order.text, *models)), order)
    assert [by for model in models if rivals.may_serve(model, by)] != []


def twice(api: Api, prompt: str, first: str, second: str) -> bytes:
    """A chat request with `model` at its beginning and at its end."""
    body = json.dumps(api.chat_body(prompt, model=OMIT))
    return f'{{"model":{json.dumps(first)},{body[1:-1]},"model":{json.dumps(second)}}}'.encode()


NO_NAMES = [
    pytest.param(OMIT, {400}, id="missing"),
    pytest.param(None, {400}, id="null"),
    pytest.param(7, {400}, id="number"),
    pytest.param(["chat"], {400}, id="array"),
    pytest.param({"id": "chat"}, {400}, id="object"),
    # It is a string, if a silly one: that no such model exists is a right answer, too.
    pytest.param("m" * LONG_NAME, UNKNOWN, id="very-long"),
]


@requirement("ROUTE-009", requests=1)
@pytest.mark.parametrize(("model", "statuses"), NO_NAMES)
def test_what_is_no_model_name_is_refused(api: Api, model: object, statuses: set[int]) -> None:
    assert api.chat(model=model).status in statuses


INJECTED = "x-gateproof-injected"
ODD_NAMES = {
    "slash": "unknown/model",
    "dots": "../../v1/models",
    "colon-and-at": "unknown:7b@main",
    "blanks": "un known model",
    "not-ascii": "模型-ünbekannt-🦊",
    "line-break": f"unknown\r\n{INJECTED}: yes",
    "line-feed": f"unknown\n{INJECTED}: yes",
    "zero-byte": "unknown\0model",
    "percent-escapes": f"unknown%0d%0a{INJECTED}:%20yes",
}


@requirement("ROUTE-021", requests=1)
@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_model_name_is_only_a_name(api: Api, name: str) -> None:
    exchange = api.chat(model=ODD_NAMES[name])
    assert (exchange.status, exchange.headers.get(INJECTED)) in {(status, None) for status in UNKNOWN}


LARGE = 1024 * 1024  # bytes (ROUTE-010)
PIECE = 64 * 1024  # bytes of each chunk of an upload

UPLOADS: dict[str, Callable[[bytes], Any]] = {
    "with-its-length": lambda body: body,
    "in-chunks": lambda body: (body[start : start + PIECE] for start in range(0, len(body), PIECE)),
}


@requirement("ROUTE-010", requests=4, needs=("api.chat",))
@pytest.mark.parametrize("upload", UPLOADS)
def test_a_model_at_the_end_of_a_large_body_is_found(witness: Witness, rivals: Rivals, upload: str) -> None:
    """Both of two models, so that one of them is not where a request goes whose model was not found."""
    size = min(LARGE, witness.api.target.promises.max_body or LARGE)
    seen = {}
    for model in (rivals.one, rivals.other):
        order = script()
        body = UPLOADS[upload](model_last(witness.api, order.text, model, size))
        seen[model] = witness.served(witness.api.post_bytes("chat", body), order)
    assert {model: by for model, by in seen.items() if by == REFUSED or not rivals.may_serve(model, by)} == {}


def model_last(api: Api, prompt: str, model: str, size: int) -> bytes:
    """A chat request of so many bytes whose last key is `model`: blanks fill it, which cost no token."""
    head, tail = json.dumps(api.chat_body(prompt, model=OMIT))[:-1].encode() + b",", json.dumps({"model": model})[1:]
    return head + b" " * (size - len(head) - len(tail)) + tail.encode()


def crossed(endpoint: ApiName, kind: ApiName) -> Any:
    gates = pytest.mark.needs(f"api.{endpoint}", f"api.{kind}")
    return pytest.param(endpoint, kind, id=f"{endpoint}-on-{kind}", marks=gates)


CROSSED = [crossed("chat", "embeddings"), crossed("chat", "rerank"), crossed("completions", "embeddings")]


@requirement("ROUTE-023", requests=1)
@pytest.mark.parametrize(("endpoint", "kind"), CROSSED)
def test_a_model_serves_only_its_own_apis(api: Api, endpoint: ApiName, kind: ApiName) -> None:
    model = api.target.models[kind]
    if model == api.target.models[endpoint]:
        raise NotDeclared(f"one model serves {endpoint} and {kind}")
    assert CALLS[endpoint](api, model, script()).status in {400, 404}
