"""ERR: what a client is told when something is wrong (OpenAI's ErrorResponse, RFC 9110 §15)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fixtures.api import OMIT, Api
from fixtures.errors import (
    BAD_REQUEST,
    FAILED_ENGINE,
    MALFORMED_JSON,
    MODELLED_APIS,
    ODD_BODIES,
    PROVOCATIONS,
    SOURCES,
    dead_model,
    each_source,
    flaws_of,
    id_flaws,
    json_api,
    leaks_of,
    of_unknown_model,
    provocations,
    provoke_all,
    unknown_path,
)
from fixtures.streams import patience
from fixtures.upstream import script
from gateproof.shape.error import cause_of, names_field
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import NotDeclared, Tolerated, Untestable
from gateproof.wire.exchange import Exchange

PROBLEM = "application/problem+json"  # RFC 9457

# ERR-015: set-up, one turn of a busy machine and the way back, on top of the promised time.
TIMEOUT_GRACE = 2.0  # s
LONGEST_WAIT = 120.0  # s; a longer promise is not waited for
# ERR-016, in its own number.
REFUSED_WITHIN = 2.0  # s

IDS = 50  # ERR-017, in its own number
REFUSED = 0  # tokens


@pytest.fixture
def provoked(request: pytest.FixtureRequest, api: Api) -> Exchange:
    """A refusal; what is served instead is a matter of other requirements."""
    exchange = PROVOCATIONS[request.param](api)
    if exchange.status < 400:
        raise Untestable(f"{request.param} is answered with {exchange.status}: there is no error to look at")
    return exchange


@requirement("ERR-001", requests=1, tokens=REFUSED)
@provocations()
def test_an_error_is_in_the_envelope(provoked: Exchange) -> None:
    assert flaws_of(provoked) == []


@requirement("ERR-002", requests=1, tokens=REFUSED)
@provocations()
def test_an_error_is_json_and_says_so(provoked: Exchange) -> None:
    provoked.json()
    assert provoked.content_type in ("application/json", PROBLEM)


@requirement("ERR-003", requests=1, tokens=REFUSED)
@pytest.mark.parametrize("form", MALFORMED_JSON)
def test_malformed_json_is_400(api: Api, form: str) -> None:
    assert api.post_bytes(json_api(api.target), MALFORMED_JSON[form]).status == 400


def with_fields(api: Api, fields: Mapping[str, Any]) -> Exchange:
    """A chat with some fields other than usual."""
    return api.post("chat", api.chat_body(**fields))


@requirement("ERR-004", requests=1)
@pytest.mark.parametrize("field", ["model", "messages"])
def test_a_missing_field_is_refused_by_name(api: Api, field: str) -> None:
    exchange = with_fields(api, {field: OMIT})
    assert exchange.status in BAD_REQUEST
    assert names_field(exchange.json(), field), f"the error does not name {field}: {exchange.text}"


@requirement("ERR-005", requests=1)
@pytest.mark.parametrize(
    ("field", "value"),
    [("messages", "x"), ("messages", ["x"]), ("max_tokens", "ten"), ("temperature", "warm"), ("model", 7)],
    ids=["messages-text", "messages-texts", "max_tokens-word", "temperature-word", "model-number"],
)
def test_a_wrong_type_is_refused(api: Api, field: str, value: object) -> None:
    assert with_fields(api, {field: value}).status in BAD_REQUEST


BEYOND = {"temperature": 3, "top_p": 2, "n": 0, "presence_penalty": 3, "frequency_penalty": -3}
ENDS = {"temperature": (0, 2), "top_p": (1,), "n": (1,), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}


@requirement("ERR-006", requests=1, part="beyond the range")
@pytest.mark.parametrize("field", BEYOND)
def test_a_value_out_of_range_is_refused(api: Api, field: str) -> None:
    assert with_fields(api, {field: BEYOND[field]}).status in BAD_REQUEST


@requirement("ERR-006", requests=2, part="ends of the range")
@pytest.mark.parametrize("field", ENDS)
def test_the_ends_of_a_range_are_accepted(api: Api, field: str) -> None:
    statuses = {value: with_fields(api, {field: value}).status for value in ENDS[field]}
    assert statuses == dict.fromkeys(ENDS[field], 200)


@requirement("ERR-007", requests=1, tokens=REFUSED)
def test_an_unknown_path_is_404_in_the_envelope(api: Api) -> None:
    exchange = api.get(unknown_path(api))
    assert (exchange.status, flaws_of(exchange)) == (404, [])


@requirement("ERR-008", requests=1, tokens=REFUSED)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_wrong_method_is_405_and_tells_the_right_ones(api: Api, method: str) -> None:
    exchange = api.send(method, api.target.path(json_api(api.target)))
    if exchange.status == 404:
        raise Tolerated(f"{exchange!r}: 404, where 405 with Allow would tell what is wrong")
    allowed = [word.strip() for word in exchange.headers.get("allow", "").split(",")]
    assert (exchange.status, "POST" in allowed) == (405, True), f"{exchange!r} with Allow {allowed}"


@requirement("ERR-009", requests=1, needs=("api.chat",))
def test_another_content_type_is_refused(api: Api) -> None:
    assert api.post("chat", api.chat_body(), headers={"content-type": "text/plain"}).status in (400, 415)


@requirement("ERR-010", requests=len(PROVOCATIONS) + len(ODD_BODIES), tokens=REFUSED)
def test_what_the_client_did_wrong_is_never_5xx(api: Api) -> None:
    exchanges = provoke_all(api)
    exchanges += [api.post_bytes(json_api(api.target), body) for body in ODD_BODIES]
    assert [f"{each!r} to {each.sent_body[:60]!r}" for each in exchanges if each.status >= 500] == []


@requirement("ERR-011", requests=len(PROVOCATIONS), tokens=120)
@each_source
def test_errors_do_not_tell_about_the_inside(api: Api, source: str) -> None:
    provoke, _ = SOURCES[source]
    assert [leak for exchange in provoke(api) for leak in leaks_of(exchange)] == []


@requirement("ERR-012", requests=2 * len(MODELLED_APIS), tokens=REFUSED)
def test_the_same_cause_has_the_same_type_and_code(api: Api) -> None:
    """An unknown model, twice for each API that takes one."""
    names = [name for name in MODELLED_APIS if name in api.target.models]
    exchanges = [of_unknown_model(api, name) for name in 2 * names]
    if not exchanges or any(each.status < 400 for each in exchanges):
        raise Untestable(f"an unknown model is not refused everywhere: {exchanges}")
    causes = [cause_of(each.json()) for each in exchanges]
    assert causes == causes[:1] * len(causes)


@requirement("ERR-013", requests=len(PROVOCATIONS), tokens=REFUSED)
def test_a_problem_has_the_status_of_its_answer(api: Api) -> None:
    problems = [each for each in provoke_all(api) if each.content_type == PROBLEM]
    if not problems:
        raise NotDeclared(f"no error came as {PROBLEM}")
    assert [each.json().get("status", each.status) for each in problems] == [each.status for each in problems]


@requirement("ERR-014", requests=1, needs=("api.chat",))
@pytest.mark.parametrize("failure", FAILED_ENGINE)
def test_a_failure_of_the_engine_comes_in_the_envelope(api: Api, failure: str) -> None:
    exchange = api.chat(script(**FAILED_ENGINE[failure]))
    assert (exchange.status // 100, exchange.content_type) == (5, "application/json"), repr(exchange)
    assert flaws_of(exchange) == []


def waited_for(target: Target) -> float:
    """Seconds in which a silent engine must have been given up."""
    promised = target.promises.upstream_timeout
    if promised > LONGEST_WAIT:
        raise Untestable(f"promises.upstream_timeout is {promised:g} s, more than this check waits for")
    return promised + TIMEOUT_GRACE


@requirement("ERR-015", requests=1, needs=("api.chat",), lasts=2.0)
def test_a_silent_engine_is_given_up_in_time(api: Api) -> None:
    """The engine would answer at last, but not before twice the budget is over."""
    budget = waited_for(api.target)
    exchange = api.chat(script(delay=2 * budget), how=patience(2 * budget))
    assert (exchange.status, flaws_of(exchange)) in ((504, []), (503, []))
    assert exchange.duration is not None
    assert exchange.duration <= budget


@requirement("ERR-016", requests=1, needs=("api.chat",))
def test_an_unreachable_engine_is_told_at_once(api: Api) -> None:
    exchange = api.chat(model=dead_model(api.target))
    assert exchange.status in (502, 503)
    assert exchange.duration is not None
    assert exchange.duration < REFUSED_WITHIN


def answers_of_all_kinds(api: Api) -> list[Exchange]:
    """Cheap ones: two served, the others refused in different places."""
    calls: list[Any] = [lambda: api.get(unknown_path(api)), lambda: api.post_bytes(json_api(api.target), b"{")]
    exchanges = [api.chat(max_tokens=1) for _ in range(2)] if "chat" in api.target.models else []
    return exchanges + [calls[number % 2]() for number in range(IDS - len(exchanges))]


@requirement("ERR-017", requests=IDS, tokens=IDS)
def test_every_answer_has_an_id_of_its_own(api: Api) -> None:
    header = api.target.dialect.request_id or "x-request-id"
    assert id_flaws(answers_of_all_kinds(api), header) == []
