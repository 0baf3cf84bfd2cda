"""AUTH: who is let in, who is not, and what a refusal says (RFC 9110 §11, RFC 6750)."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from fixtures.api import Api
from fixtures.auth import (
    ASK_TOKENS,
    MALFORMED,
    REFUSED,
    VARIANTS,
    ask,
    each_malformed,
    each_variant,
    key_of,
    made_up_key,
    presenting,
    same_shape,
    with_token,
    with_unlimited_keys,
)
from fixtures.endpoints import call_of, endpoints
from gateproof.shape.error import bearer_errors, is_challenged
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import NotDeclared, Untestable
from gateproof.verdict.run import TargetRun
from gateproof.wire.exchange import Exchange

INVALID = "invalid_token"  # RFC 6750 §3.1


@requirement("AUTH-001", requests=lambda target: max(1, len(target.tenants)), smoke=True)
def test_a_valid_key_is_served(target_run: TargetRun) -> None:
    """Every declared key that is neither limited nor barred from the everyday model is served."""
    names = [name for name in with_unlimited_keys(target_run.target) if name in target_run.keys]
    if not names:
        raise Untestable("the target declares no key without limits")
    statuses = {name: ask(Api.of(target_run, name)).status for name in names}
    assert statuses == dict.fromkeys(names, 200)


@requirement("AUTH-002", requests=1, tokens=ASK_TOKENS, smoke=True)
@endpoints()
def test_no_credentials_are_refused(anonymous: Api, endpoint: str) -> None:
    assert call_of(anonymous, endpoint).status == 401


@requirement("AUTH-003", requests=1, tokens=ASK_TOKENS)
def test_an_unknown_key_is_refused(api: Api) -> None:
    """A key as the issuer might have made it, so that no look at its form can tell."""
    assert ask(api, **with_token(api, same_shape(key_of(api)))).status == 401


@pytest.fixture(params=["no-key", "unknown-key"])
def refusal(request: pytest.FixtureRequest, api: Api, anonymous: Api) -> Exchange:
    """A 401, for want of a key or for a wrong one."""
    exchange = ask(anonymous) if request.param == "no-key" else ask(api, **with_token(api, made_up_key()))
    if exchange.status != 401:
        raise Untestable(f"{request.param} is answered with {exchange.status}: there is no 401 to look at")
    return exchange


@requirement("AUTH-004", requests=1, tokens=ASK_TOKENS)
def test_a_401_carries_a_challenge(refusal: Exchange) -> None:
    assert is_challenged(refusal.headers.get_list("www-authenticate"))


@requirement("AUTH-005", requests=1, tokens=ASK_TOKENS, part="no token sent")
def test_a_challenge_blames_no_token_that_was_not_sent(anonymous: Api) -> None:
    assert bearer_errors(ask(anonymous).headers.get_list("www-authenticate")) == [None]


@requirement("AUTH-005", requests=1, tokens=ASK_TOKENS, part="token sent")
def test_a_challenge_calls_a_wrong_token_invalid(api: Api) -> None:
    """RFC 6750 §3.1 wants the error code then, but for the claim its absence is good enough."""
    fields = ask(api, **with_token(api, made_up_key())).headers.get_list("www-authenticate")
    assert [error or INVALID for error in bearer_errors(fields)] == [INVALID]


@requirement("AUTH-006", requests=2, tokens=2 * ASK_TOKENS)
@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_known_in_any_case(api: Api, scheme: str) -> None:
    assert ask(api, **with_token(api, key_of(api), scheme)).status == ask(api).status


@requirement("AUTH-007", requests=1, tokens=ASK_TOKENS)
@each_malformed
def test_a_malformed_authorization_is_refused(api: Api, form: str) -> None:
    assert ask(api, **presenting(api, MALFORMED[form](key_of(api)))).status in (400, 401, 431)


@requirement("AUTH-007", requests=1, tokens=ASK_TOKENS, part="two spaces")
def test_two_spaces_break_nothing(api: Api) -> None:
    """RFC 9110 §11.4 allows several spaces behind the scheme, so being served is right as well."""
    assert ask(api, **presenting(api, f"Bearer  {key_of(api)}")).status in (200, 400, 401)


@requirement("AUTH-008", requests=2, tokens=2 * ASK_TOKENS)
def test_of_two_credentials_both_are_refused_or_one_place_counts(api: Api) -> None:
    """Served in either order would mean that whichever is good counts, wherever it stands."""
    right, wrong = (f"{api.target.dialect.auth_scheme} {key}" for key in (key_of(api), made_up_key()))
    statuses = [ask(api, **presenting(api, *pair)).status for pair in ((right, wrong), (wrong, right))]
    kinds = sorted("served" if each == 200 else "refused" if 400 <= each < 500 else str(each) for each in statuses)
    assert kinds in (["refused", "refused"], ["refused", "served"])


@requirement("AUTH-009", requests=1, tokens=ASK_TOKENS)
@each_variant
def test_what_resembles_a_key_is_refused(api: Api, variant: str) -> None:
    key = key_of(api)
    other = VARIANTS[variant](key)
    if other == key:
        raise NotDeclared("this key has no such variant")
    assert ask(api, **with_token(api, other)).status in REFUSED


@requirement("AUTH-013", requests=1, tokens=ASK_TOKENS)
@pytest.mark.parametrize("name", ["api_key", "key", "access_token"])
def test_a_key_in_the_query_is_not_accepted(api: Api, anonymous: Api, name: str) -> None:
    assert ask(anonymous, query=f"{name}={quote(key_of(api), safe='')}").status == 401
