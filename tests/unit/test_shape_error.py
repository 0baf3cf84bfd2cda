"""The envelope and the challenge of an error."""

from __future__ import annotations

import pytest

from gateproof.shape.error import (
    Challenge,
    bearer_errors,
    cause_of,
    challenges,
    envelope_flaws,
    is_challenged,
    names_field,
)

WHOLE = {"message": "no", "type": "invalid_request_error", "param": None, "code": None}


@pytest.mark.parametrize(
    ("body", "flaws"),
    [
        ({"error": WHOLE}, []),
        ({"error": {**WHOLE, "code": 400}, "extra": 1}, []),
        ({"error": "Unauthorized"}, ["no `error` object: {'error': 'Unauthorized'}"]),
        ({"detail": "Not Found"}, ["no `error` object: {'detail': 'Not Found'}"]),
        ([], ["no `error` object: []"]),
        (None, ["no `error` object: None"]),
        ({"error": {**WHOLE, "message": None}}, ["error.message is None, not a string"]),
        (
            {"error": {"message": "no", "type": 5}},
            ["error.type is 5, not a string", "error.param is missing", "error.code is missing"],
        ),
    ],
)
def test_flaws_of_an_envelope(body: object, flaws: list[str]) -> None:
    assert envelope_flaws(body) == flaws


@pytest.mark.parametrize(
    ("error", "names"),
    [
        ({"param": "model"}, True),
        ({"message": "'loc': 'body.model', 'msg': 'Field required'"}, True),
        ({"message": "the models", "param": None}, False),
        ({"message": "you must provide something"}, False),
        ("model", False),
    ],
)
def test_a_field_is_named(error: object, names: bool) -> None:
    assert names_field({"error": error}, "model") is names


def test_cause() -> None:
    assert cause_of({"error": {**WHOLE, "code": "x"}}) == ("invalid_request_error", "x")
    assert cause_of("text") == (None, None)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([], []),
        (["Bearer"], [Challenge("bearer")]),
        (['Bearer realm="a, b"'], [Challenge("bearer", (("realm", "a, b"),))]),
        (
            ['BEARER realm="x", error = invalid_token'],
            [Challenge("bearer", (("realm", "x"), ("error", "invalid_token")))],
        ),
        (['Basic realm="a\\"b", Bearer'], [Challenge("basic", (("realm", 'a"b'),)), Challenge("bearer")]),
        (
            ["Negotiate YWJj==, , Bearer error=x"],
            [Challenge("negotiate", (), "YWJj=="), Challenge("bearer", (("error", "x"),))],
        ),
        (["Basic", "Bearer"], [Challenge("basic"), Challenge("bearer")]),
        (
            ['Newauth realm="apps", type=1, title="Login", Basic realm="simple"'],
            [
                Challenge("newauth", (("realm", "apps"), ("type", "1"), ("title", "Login"))),
                Challenge("basic", (("realm", "simple"),)),
            ],
        ),
    ],
)
def test_challenges(fields: list[str], found: list[Challenge]) -> None:
    assert challenges(fields) == found


@pytest.mark.parametrize("field", ['Bearer realm="open', "Bearer realm=a b", '"Bearer"', "Bearer {}", "=x"])
def test_what_is_no_challenge(field: str) -> None:
    with pytest.raises(ValueError, match="not a challenge"):
        challenges([field])
    assert not is_challenged([field])


def test_at_least_one_challenge() -> None:
    assert is_challenged(["Bearer"])
    assert is_challenged([]).seen == "no WWW-Authenticate"
    assert not is_challenged([" , "])


def test_errors_of_the_bearer_challenge() -> None:
    assert bearer_errors(['Basic error="x", Bearer realm="a"', "bearer error=invalid_token"]) == [None, "invalid_token"]
