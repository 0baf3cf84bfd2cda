"""MODELS: what `GET /models` says, and whether it is true (OpenAI ListModels, project policy)."""

from __future__ import annotations

import io
import wave
from collections import Counter
from typing import Any
from urllib.parse import quote

import pytest

from fixtures.api import Api, unique
from fixtures.chat import body_of
from fixtures.quota_costs import BOOKED_WITHIN, READINGS, costs_nothing, lasting
from fixtures.tenants import TenantWith
from gateproof.shape.error import envelope_flaws
from gateproof.shape.models import card_flaws, is_unavailable, listing_flaws
from gateproof.targets.model import Target
from gateproof.verdict.claim import requirement
from gateproof.verdict.outcomes import Inconclusive, Untestable
from gateproof.wire.exchange import Exchange

FETCHED = 5  # models whose own page is fetched
TRIED = 20  # models that the sweep calls; more than that is another kind of test
LISTINGS = 50  # (MODELS-009)
SWEEP_TOKENS = 30  # of one call of the sweep: a word and the chat template around it


@requirement("MODELS-001", requests=1, smoke=True)
def test_the_list_is_a_list(api: Api) -> None:
    assert listing_flaws(body_of(api.models())) == []


@requirement("MODELS-002", requests=1)
def test_each_entry_is_a_model(api: Api) -> None:
    assert [flaw for card in cards(api) for flaw in card_flaws(card)] == []


@requirement("MODELS-003", requests=1)
def test_ids_are_unique_and_not_empty(api: Api) -> None:
    times = Counter(str(card.get("id") or "") for card in cards(api))
    assert {name: number for name, number in times.items() if number > 1 or not name} == {}


SPELLINGS = [pytest.param("/:@", id="raw"), pytest.param("", id="percent-encoded")]


@requirement("MODELS-004", requests=1 + FETCHED)
@pytest.mark.parametrize("kept", SPELLINGS)
def test_each_model_has_a_page_of_its_own(api: Api, kept: str) -> None:
    names = sorted(listed(api), key=lambda name: "/" not in name)[:FETCHED]
    shown = {name: page(api, quote(name, safe=kept)) for name in names}
    assert {name: seen for name, seen in shown.items() if seen != (200, name)} == {}


def page(api: Api, spelt: str) -> tuple[int, Any]:
    """(status, id) of the page of one model."""
    exchange = api.get(f"{api.target.path('models')}/{spelt}", raw_path=True)
    return exchange.status, exchange.json().get("id") if exchange.status == 200 else None


@requirement("MODELS-005", requests=1)
def test_an_unknown_model_has_none(api: Api) -> None:
    exchange = api.get(f"{api.target.path('models')}/{unique('no-model')}")
    assert exchange.status == 404
    assert envelope_flaws(exchange.json()) == []


@requirement(
    "MODELS-006",
    requests=lambda target: 1 + TRIED * len(target.models),
    tokens=lambda target: TRIED * len(target.models) * SWEEP_TOKENS,
)
def test_every_listed_model_can_be_called(api: Api, target: Target) -> None:
    """Some API that the target declares answers; routes that it declares dead, and models marked unavailable, aside."""
    dead = {route.model for route in target.routes if route.dead}
    living = [str(card.get("id")) for card in cards(api) if not is_unavailable(card) and card.get("id") not in dead]
    tried = sorted(living, key=lambda name: name not in target.models.values())[:TRIED]
    answers = {name: answers_of(api, name) for name in tried}
    assert {name: seen for name, seen in answers.items() if "200" not in seen} == {}
    if len(living) > len(tried):
        raise Inconclusive(f"{len(tried)} models can be called; {len(living) - len(tried)} more were not tried")


def answers_of(api: Api, name: str) -> str:
    """What the declared APIs say to a smallest call for this model, until one answers."""
    route = api.target.route(name)
    apis = sorted(api.target.models, key=lambda each: each != (route.api if route else "chat"))
    seen = []
    for each in apis:
        exchange = smallest_call(api, each, name)
        seen.append(f"{each}: {exchange.failure or exchange.status}")
        if exchange.complete and exchange.status == 200:
            return "200"
        if exchange.complete and exchange.status == 429:
            raise Inconclusive(f"{name}: 429, the tenant may not send as much as this check needs")
    return ", ".join(seen)


def smallest_call(api: Api, kind: str, model: str) -> Exchange:
    said = [{"role": "user", "content": "ping"}]
    bodies: dict[str, dict[str, Any]] = {
        "chat": {"messages": said, "max_tokens": 1},
        "completions": {"prompt": "ping", "max_tokens": 1},
        "embeddings": {"input": "ping"},
        "rerank": {"query": "ping", "documents": ["ping"]},
        "responses": {"input": "ping", "max_output_tokens": 16},
        "messages": {"messages": said, "max_tokens": 1},
        "speech": {"input": "a", "voice": "alloy"},
    }
    if kind in bodies:
        return api.post(kind, {"model": model, **bodies[kind]})
    return transcribe(api, model)


def transcribe(api: Api, model: str) -> Exchange:
    """A form with a tenth of a second of silence."""
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    line = unique("boundary")
    form = (
        f'--{line}\r\ncontent-disposition: form-data; name="model"\r\n\r\n{model}\r\n'
        f'--{line}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n'
        "content-type: audio/wav\r\n\r\n"
    )
    content = form.encode() + sound.getvalue() + f"\r\n--{line}--\r\n".encode()
    return api.post_bytes("transcriptions", content, headers={"content-type": f"multipart/form-data; boundary={line}"})


@requirement("MODELS-007", requests=1)
def test_every_declared_model_is_listed(api: Api, target: Target) -> None:
    declared = {*target.models.values(), *(route.model for route in target.routes)}
    assert sorted(declared - set(listed(api))) == []


@requirement("MODELS-008", requests=2)
def test_the_list_shows_only_what_the_tenant_may_use(api: Api, tenant_with: TenantWith, target: Target) -> None:
    granted = next(iter(target.models.values()))
    everything, shown = listed(api), listed(tenant_with(models=(granted,)))
    if set(everything) <= {granted}:
        raise Untestable(f"{granted} is all that is listed to anybody: a grant of less cannot be told")
    assert shown == [granted]


@requirement(
    "MODELS-009",
    requests=LISTINGS + READINGS,
    tokens=READINGS * SWEEP_TOKENS,
    consumes="tokens",
    needs=("api.chat",),
    lasts=READINGS * BOOKED_WITHIN,
)
def test_listing_costs_no_tokens(tenant_with: TenantWith, target: Target) -> None:
    api = lasting(tenant_with, target)
    assert costs_nothing(api, "listings", lambda: body_of(api.models()), LISTINGS)


def cards(api: Api) -> list[dict[str, Any]]:
    """The entries of the list, whatever is wrong with them."""
    data = body_of(api.models()).get("data")
    found = [card for card in data if isinstance(card, dict)] if isinstance(data, list) else []
    assert found != [], "no model is listed"
    return found


def listed(api: Api) -> list[str]:
    return list(dict.fromkeys(str(card.get("id")) for card in cards(api)))
