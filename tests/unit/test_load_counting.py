"""How prompts get the length that they should have: the target is asked, in the cheapest way that it offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateproof.errors import ConfigError, TargetUnreachable
from gateproof.load.ask import probe, refuse_unless_allowed
from gateproof.load.counting import Counted, count_tokens, most_requests
from gateproof.load.plan import make_plan
from gateproof.load.profile import Profile
from gateproof.targets.secrets import Secret
from tests.ports import refusing_port
from tests.unit.load_rig import Answer, Heard, Told, serving, words

FIXED, PER_TURN = 9, 7  # tokens of a chat template
KEYS = {"main": Secret("sk-hunter2")}


def profile(**workload: object) -> Profile:
    phases = [{"name": "a", "duration": 1.0}]
    return Profile.model_validate(
        {"name": "p", "arrivals": {"kind": "constant", "rate": 10.0}, "phases": phases, "workload": workload}
    )


def template(body: Mapping[str, Any]) -> int:
    return FIXED + PER_TURN * (len(body["messages"]) // 2) if "messages" in body else 1


def tokenizing(heard: Heard) -> Answer:
    if heard.path != "/tokenize":
        return 404, {}
    return 200, {"count": words(heard.body) + template(heard.body)}


def telling_usage(heard: Heard) -> Answer:
    if heard.path == "/tokenize":
        return 404, {"detail": "Not Found"}
    count = words(heard.body) + template(heard.body)
    return 200, {"usage": {"prompt_tokens": count, "completion_tokens": 1, "total_tokens": count + 1}}


def counted(told: Told, **workload: object) -> Counted:
    return count_tokens(profile(**workload), told.target(), KEYS)[0]


@pytest.mark.parametrize(("answer", "how"), [(tokenizing, "/tokenize"), (telling_usage, "usage")])
def test_prompts_have_exactly_the_tokens_asked_for(answer: Callable[[Heard], Answer], how: str) -> None:
    with serving(answer) as told:
        found = counted(told, input_tokens=50, turns=3)
        plan = make_plan(profile(input_tokens=50, turns=3), told.target(), KEYS, [found.scale])
        assert (found.how, found.scale.exact, found.scale.per_turn) == (how, True, PER_TURN)
        for index in range(len(plan.asked)):
            body = {"messages": list(plan.requests.messages(index))}
            assert words(body) + template(body) == plan.asked.prompt_tokens(index)


def test_a_conversation_is_asked_about_only_where_there_are_any() -> None:
    with serving(telling_usage) as told:
        counted(told)
        asked = [heard for heard in told.heard if heard.path != "/tokenize"]
    assert len(asked) <= most_requests(profile())
    assert {len(heard.body["messages"]) for heard in asked} == {1}
    assert {heard.body.get("stream") for heard in asked} == {None}


def test_the_engine_behind_the_gateway_is_asked_first_and_without_the_gateways_keys() -> None:
    with serving(tokenizing) as engine, serving(telling_usage) as gateway:
        target = gateway.target(upstream={"direct": f"{engine.url}/v1"}, tenants={"main": {"key": "sk-hunter2"}})
        found = count_tokens(profile(), target, KEYS)[0]
        assert found.how == "the engine's /tokenize"
        assert not gateway.heard
        assert not any("authorization" in heard.headers for heard in engine.heard)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((500, {}), "usage: answers 500"),
        ((200, {"choices": []}), "usage: tells no usage"),
        ((200, {"usage": {"prompt_tokens": 7}}), "usage: the count does not grow with the prompt"),
        ((200, {"usage": "none"}), "usage: tells no usage"),
    ],
    ids=["refuses", "silent", "constant", "odd"],
)
def test_what_cannot_be_counted_is_not_measured_and_says_why(answer: Answer, why: str) -> None:
    with serving(lambda heard: (404, {}) if heard.path == "/tokenize" else answer) as told:
        found = counted(told)
    assert why in found.how
    assert found.how.startswith("not measured: ")
    assert not found.scale.exact


@pytest.mark.parametrize("count", [None, True, -1, "9"])
def test_a_tokenizer_that_tells_no_number_is_none(count: object) -> None:
    with serving(lambda heard: (200, {"count": count}) if heard.path == "/tokenize" else telling_usage(heard)) as told:
        assert counted(told).how == "usage"


def test_two_tokens_a_word_are_an_estimate() -> None:
    def double(heard: Heard) -> Answer:
        return 200, {"count": 2 * words(heard.body)}

    with serving(double) as told:
        scale = counted(told).scale
    assert (scale.exact, scale.words(100)) == (False, 50)


def test_words_of_more_than_a_token_are_left_out_where_asking_is_free() -> None:
    def by_four_letters(heard: Heard) -> Answer:
        said = " ".join(message["content"] for message in heard.body["messages"]).split()
        return 200, {"count": FIXED + sum((len(word) + 3) // 4 for word in said)}

    with serving(by_four_letters) as told:
        found = counted(told, prefix={"tokens": 10})
        plan = make_plan(profile(prefix={"tokens": 10}, input_tokens=99), told.target(), KEYS, [found.scale])
        built = [plan.requests.prompt(index).split() for index in range(len(plan.asked))]
    assert found.scale.exact
    assert {FIXED + sum((len(word) + 3) // 4 for word in words) for words in built} == {99}
    assert len({tuple(words) for words in built}) == len(built)
    assert "vocabulary" not in found.to_plain()


def test_where_words_have_more_tokens_a_word_of_one_fills_up() -> None:
    def tokens_of(said: list[str]) -> int:
        return FIXED + sum(1 if word in {"the", "of"} else 2 for word in said)

    def pairs(heard: Heard) -> Answer:
        return 200, {"count": tokens_of(" ".join(each["content"] for each in heard.body["messages"]).split())}

    with serving(pairs) as told:
        found = counted(told)
        for tokens in range(60, 70):
            plan = make_plan(profile(input_tokens=tokens), told.target(), KEYS, [found.scale])
            built = [plan.requests.prompt(index).split() for index in range(len(plan.asked))]
            assert {tokens_of(words) for words in built} == {tokens}
    assert (found.scale.exact, found.scale.per_word) == (True, 2)


def test_a_tokenizer_that_counts_no_two_texts_alike_is_estimated() -> None:
    def by_letters(heard: Heard) -> Answer:
        said = " ".join(message["content"] for message in heard.body["messages"])
        return 200, {"count": FIXED + len(said) + 3 * said.count("e")}

    with serving(by_letters) as told:
        assert not counted(told).scale.exact


def test_equal_parts_of_a_mix_are_measured_once() -> None:
    with serving(tokenizing) as told:
        found = count_tokens(profile(mix=[{"share": 1.0}, {"share": 2.0}]), told.target(), KEYS)
        assert (len(found), len(told.heard)) == (2, 3)


def test_a_sound_is_not_counted_in_tokens() -> None:
    with serving(tokenizing) as told:
        target = told.target(models={"transcriptions": "asr"})
        found = count_tokens(profile(mix=[{"api": "transcriptions"}]), target, {})[0]
        assert (found.how, told.heard) == ("transcriptions is not counted in tokens", [])


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_target_that_answers_is_there(status: int) -> None:
    with serving(lambda _: (status, {})) as told:
        probe(told.target(tenants={"main": {"key": "sk-hunter2"}}), KEYS)
        [heard] = told.heard
        assert (heard.method, heard.path) == ("GET", "/v1/models")
        assert heard.headers["authorization"] == "Bearer sk-hunter2"


@pytest.mark.parametrize(
    ("status", "words"), [(503, "is down: it answers 503"), (401, "tenant `main` is refused: 401")]
)
def test_a_target_that_cannot_take_load_is_unreachable(status: int, words: str) -> None:
    with serving(lambda _: (status, {})) as told, pytest.raises(TargetUnreachable, match=words) as caught:
        probe(told.target(), KEYS)
    assert "hunter2" not in str(caught.value)


def test_a_target_that_is_down_is_told_with_its_address() -> None:
    refused = pytest.raises(TargetUnreachable, match=r"http://127\.0\.0\.1:\d+ does not answer: Connection refused")
    with refusing_port() as port, refused:
        probe(Told(tokenizing, url=f"http://127.0.0.1:{port}").target(), KEYS)


def test_load_must_be_allowed() -> None:
    with serving(tokenizing) as told:
        refuse_unless_allowed(told.target(load={"allowed": True}))
        with pytest.raises(ConfigError, match=r"t\.load\.allowed: this target does not allow load"):
            refuse_unless_allowed(told.target())
