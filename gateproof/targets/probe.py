"""What a target shows of its capabilities: one tiny call per API and per cheap capability.

Says true or false only where one call can tell; what is not in the answer is not known.
"""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from gateproof.targets.capabilities import APIS, CAPABILITIES, Support
from gateproof.targets.model import Target
from gateproof.targets.secrets import Secret, resolve_headers, resolve_key

if TYPE_CHECKING:
    from gateproof.wire.client import Client
    from gateproof.wire.exchange import Exchange

# Statuses that say "there is no such thing here"; 400, 401, 429 and 5xx say nothing about it.
ABSENT = frozenset({404, 405, 501})
REFUSED = frozenset({401, 403})
_ORIGIN = "https://gateproof.example"
_BOUNDARY = "gateproof-probe"
_MESSAGE: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}


@dataclass(frozen=True)
class Door:
    """One target, spoken to as its everyday tenant."""

    target: Target
    client: Client
    identity: Mapping[str, str]
    key: Secret | None

    def send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **how: Any) -> Exchange:
        return self.client.send(method, path, headers={**self.identity, **(headers or {})}, **how)

    def post(self, api: str, **fields: Any) -> Exchange:
        body = {"model": dict(self.target.models)[api], **fields}  # type: ignore[index]  # any API has a name
        return self.send("POST", self.target.path(api), json=body)

    def chat(self, **fields: Any) -> Exchange:
        return self.post("chat", **_MESSAGE, **fields)


def probe(
    target: Target,
    client: Client,
    keys: Mapping[str, Secret] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, bool]:
    """By capability, whether it showed. ``keys`` by tenant and ``headers`` spare resolving them again."""
    return dict(_findings(_door(target, client, keys, headers)))


def declared_and_detected(target: Target, detected: Mapping[str, bool]) -> Iterator[tuple[str, Support, bool | None]]:
    """Each capability that is declared, or showed, with both."""
    for name in CAPABILITIES:
        support, shown = target.capability(name), detected.get(name)
        if support == "supported" or shown:
            yield name, support, shown


def _door(target: Target, client: Client, keys: Mapping[str, Secret] | None, headers: Mapping[str, str] | None) -> Door:
    main = target.main_tenant
    ref = target.main.key
    key = (keys or {}).get(main)
    if keys is None and ref is not None:
        key = resolve_key(ref, main, target.name, cluster=target.kubernetes)
    common = resolve_headers(target) if headers is None else dict(headers)
    return Door(target, client, {**common, **target.tenant_headers(main), **target.auth_headers(key)}, key)


def _findings(door: Door) -> Iterator[tuple[str, bool]]:
    for name, check in _CHECKS.items():
        if (found := check(door)) is not None:
            yield name, found
    if "chat" in door.target.models:
        yield from _seen_in_headers(door, door.chat())


def _there(exchange: Exchange) -> bool | None:
    if exchange.answer is None or not (exchange.status in ABSENT or exchange.status < 300):
        return None
    return exchange.status not in ABSENT


def _api(api: str, **fields: Any) -> Callable[[Door], bool | None]:
    return lambda door: _there(door.post(api, **fields)) if api in door.target.models else None


def _transcriptions(door: Door) -> bool | None:
    if "transcriptions" not in door.target.models:
        return None
    form = _form({"model": door.target.models["transcriptions"]}, _silence())
    content_type = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return _there(door.send("POST", door.target.path("transcriptions"), content_type, content=form))


def _silence() -> bytes:
    """A tenth of a second of a WAV file."""
    rate, sample = 16_000, 2  # Hz and bytes: what speech models are trained on
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(sample)
        file.setframerate(rate)
        file.writeframes(bytes(rate * sample // 10))
    return data.getvalue()


def _form(fields: Mapping[str, str], audio: bytes) -> bytes:
    parts = [f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items()]
    head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="probe.wav"\r\n'
    head += "content-type: audio/wav\r\n\r\n"
    return "".join(parts).encode() + head.encode() + audio + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _chat_shows(looks: Callable[[Exchange], bool], **fields: Any) -> Callable[[Door], bool | None]:
    """Whether the answer to a chat with these fields looks as it should; a refusal of the fields is a no."""

    def check(door: Door) -> bool | None:
        if "chat" not in door.target.models:
            return None
        exchange = door.chat(**fields)
        refused = {400, 422}
        if exchange.answer is None or exchange.status in refused:
            return None if exchange.answer is None else False
        return looks(exchange) if _there(exchange) else None

    return check


def _choices(exchange: Exchange) -> list[dict[str, Any]]:
    """The choices of a chat, none for an answer of another shape."""
    try:
        choices = exchange.json()["choices"]
        return [choice for choice in choices if isinstance(choice, dict) and isinstance(choice.get("message"), dict)]
    except (AssertionError, KeyError, TypeError):
        return []


def _list_models(door: Door) -> Exchange:
    return door.send("GET", door.target.path("models"))


def _asks_for_keys(door: Door) -> bool | None:
    """GET models is cheap; where it is open to all, a chat tells."""
    if door.key is None:
        return None
    without = dict.fromkeys(door.target.auth_headers(door.key), None)
    others = {name: value for name, value in door.identity.items() if name not in without}
    api = next((api for api in ("chat", "completions", "embeddings") if api in door.target.models), "models")
    exchange = door.client.send("POST" if api != "models" else "GET", door.target.path(api), headers=others, json={})
    return None if exchange.answer is None else exchange.status in REFUSED


def _takes_x_api_key(door: Door) -> bool | None:
    """Asked where Anthropic Messages is served, if it is: some gateways take that header nowhere else."""
    if door.key is None:
        return None
    bearer = door.target.auth_headers(door.key)
    others = {name: value for name, value in door.identity.items() if name not in bearer}
    door = replace(door, identity={**others, "x-api-key": door.key.reveal()})
    exchange = door.post("messages", **_MESSAGE) if "messages" in door.target.models else _list_models(door)
    if exchange.answer is None:
        return None
    return False if exchange.status in REFUSED else True if exchange.status < 300 else None


def _answers(path: Callable[[Target], str | None]) -> Callable[[Door], bool | None]:
    def check(door: Door) -> bool | None:
        where = path(door.target)
        return None if where is None else _there(door.send("GET", where))

    return check


def _metrics(door: Door) -> bool | None:
    """Only at the target's own origin: the client speaks to no other."""
    root = door.target.root_url
    paths = [url.removeprefix(root) for url in door.target.metrics_urls if url.startswith(root)]
    return _there(door.send("GET", paths[0])) if paths else None


def _cors(door: Door) -> bool | None:
    ask = {"origin": _ORIGIN, "access-control-request-method": "POST"}
    api = next(iter(door.target.models))
    exchange = door.client.send("OPTIONS", door.target.path(api), headers=ask)
    return None if exchange.answer is None else "access-control-allow-origin" in exchange.headers


def _seen_in_headers(door: Door, exchange: Exchange) -> Iterator[tuple[str, bool]]:
    """Headers that are there prove something; missing ones do not: the everyday tenant has no limits."""
    if exchange.answer is None:
        return
    headers = exchange.headers
    telling = {
        "lim.headers.rl03": "x-ratelimit-limit",
        "lim.headers.openai": "x-ratelimit-limit-requests",
        "lim.headers.ietf": "ratelimit-policy",
        "route.identity": door.target.dialect.backend_header or "",
    }
    yield from ((name, True) for name, header in telling.items() if header and header in headers)


_TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}

_CHECKS: dict[str, Callable[[Door], bool | None]] = {
    "api.models": lambda door: _there(_list_models(door)),
    "api.chat": _api("chat", **_MESSAGE),
    "api.completions": _api("completions", prompt="hi", max_tokens=1),
    "api.embeddings": _api("embeddings", input="hi"),
    "api.rerank": _api("rerank", query="hi", documents=["hi", "ho"]),
    "api.responses": _api("responses", input="hi", max_output_tokens=16),  # OpenAI's own least
    "api.messages": _api("messages", **_MESSAGE),
    "api.speech": _api("speech", input="hi", voice="alloy"),
    "api.transcriptions": _transcriptions,
    "f.stream": _chat_shows(lambda exchange: exchange.content_type == "text/event-stream", stream=True),
    "f.n": _chat_shows(lambda exchange: len(_choices(exchange)) == 2, n=2),
    "f.logprobs": _chat_shows(
        lambda exchange: any(choice.get("logprobs") for choice in _choices(exchange)), logprobs=True
    ),
    "f.tools": _chat_shows(
        lambda exchange: any(choice["message"].get("tool_calls") for choice in _choices(exchange)),
        tools=[_TOOL],
        tool_choice={"type": "function", "function": {"name": "now"}},
    ),
    "auth.bearer": _asks_for_keys,
    "auth.xapikey": _takes_x_api_key,
    "health.live": _answers(lambda target: target.live),
    "health.ready": _answers(lambda target: target.ready),
    "obs.metrics": _metrics,
    "cors": _cors,
    "tls": lambda door: door.target.root_url.startswith("https://"),
}
assert {f"api.{api}" for api in APIS} <= _CHECKS.keys(), "every API is probed"
