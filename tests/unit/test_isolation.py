"""What the TENANT checks judge with: replies that went astray, keys in the wrong place, times that tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from fixtures.api import Api
from fixtures.isolation import Letter, Reply, by_rank, carriers, credentials, crossed
from fixtures.upstream import Seen
from gateproof.limits import Undecided

NOBODY = cast("Api", SimpleNamespace())
NONCES = ("n-0123456789ab", "n-ba9876543210")
SENT = [Letter(NOBODY, nonce, streamed=False, delay=0.0, patience=0.0) for nonce in NONCES]


def reply(said: str, identifier: str) -> Reply:
    return Reply(identifier, f"only for {said}")


def test_everybody_with_an_own_reply_is_fine() -> None:
    assert crossed(SENT, [reply(NONCES[0], "a"), reply(NONCES[1], "b")], exact=True) == []


@pytest.mark.parametrize(
    ("got", "flaw"),
    [
        ([reply(NONCES[1], "a"), reply(NONCES[1], "b")], "letter 0 got the reply to [1]"),
        ([reply(" ".join(NONCES), "a"), reply(NONCES[1], "b")], "letter 0 got the reply to [1]"),
        ([reply("nobody", "a"), reply(NONCES[1], "b")], "letter 0 got none of its own words"),
        ([reply(NONCES[0], "a"), reply(NONCES[1], "a")], "letters 0 and 1 got the reply with the id a"),
    ],
    ids=["exchanged", "mixed", "foreign", "one id"],
)
def test_a_reply_that_went_astray_is_named(got: list[Reply], flaw: str) -> None:
    assert flaw in crossed(SENT, got, exact=True)


def test_a_model_that_says_what_it_likes_is_not_held_to_our_words() -> None:
    assert crossed(SENT, [reply("noise", "a"), None], exact=False) == []


def seen(**changes: Any) -> Seen:
    plain = {"headers": {}, "query": "", "raw": "", "path": "/v1/chat/completions"}
    return Seen.of({**plain, **changes})


def test_a_key_is_found_wherever_it_got_through() -> None:
    through = seen(headers={"x-api-key": "sk-secret", "accept": "*/*"}, query="key=sk-secret")

    assert carriers(through, "sk-secret") == ["header x-api-key", "query"]
    assert carriers(seen(), "sk-secret") == []


def test_only_what_can_be_a_secret_counts_as_one() -> None:
    assert credentials({"authorization": "Bearer sk-upstream-1"}) == ["sk-upstream-1"]
    assert credentials({"authorization": "Bearer none", "accept": "application/json"}) == []


def test_times_wholly_apart_are_told_and_one_slow_answer_is_not() -> None:
    quick = [0.01 + index / 10_000 for index in range(10)]
    slow = [each + 0.005 for each in quick]
    hiccup = [*(each + 0.00005 for each in quick[:-1]), 3.0]

    assert by_rank(quick, slow).holds is False
    assert by_rank(quick, hiccup).holds is True


def test_a_few_times_decide_nothing() -> None:
    with pytest.raises(Undecided, match="too few"):
        bool(by_rank([0.1, 0.2], [1.1, 1.2]))
