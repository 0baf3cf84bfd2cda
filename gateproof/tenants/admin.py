"""Talking to an admin API: one callable, and one error that never shows a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from gateproof.targets.secrets import Secret
from gateproof.tenants.owner import PREFIX
from gateproof.wire.client import UNSET, Client
from gateproof.wire.exchange import Exchange

Admin = Callable[[str, str, object | None], tuple[int, Any]]
"""``(method, path with query, JSON body or None) -> (status, parsed answer)``."""

SHOWN = 300
"""characters of an admin API's answer that go into an error"""

KEY_LIFETIME = 3600.0
"""s; what we mint dies by itself after this, should nobody be left to revoke it"""

NOT_FOUND = 404

# Keys of the known stacks (sk-..., gp-...), and any long run without a space: hashes, tokens, JWTs
_KEY = re.compile(r"\b(?:sk|gp|pk)-[\w.-]+|[A-Za-z0-9_\-.+/=]{24,}")


class MintFailed(Exception):
    """The admin API refused, or did not answer; the message has its answer, redacted."""

    def __init__(self, message: str, *, answered: bool = True, status: int | None = None) -> None:
        super().__init__(message)
        self.answered = answered
        """Whether it is known that nothing was made."""
        self.status = status
        """Of the answer that refused, where there was one."""

    @property
    def unauthorized(self) -> bool:
        """Whether it is our own key, or its rights, that was refused."""
        return self.status in (401, 403)


def ask(admin: Admin, method: str, path: str, body: object | None = None, *, gone_is_fine: bool = False) -> Any:
    """The answer of a successful call; anything else is ``MintFailed``."""
    what = f"{method} {path.partition('?')[0]}"
    try:
        status, answer = admin(method, path, body)
    except Exception as error:  # noqa: BLE001 - whatever a transport raises, the call did not succeed
        raise MintFailed(f"{redacted(what)}: {type(error).__name__}: {redacted(str(error))}", answered=False) from None
    if 200 <= status < 300 or (gone_is_fine and status == NOT_FOUND):
        return answer
    # behind a proxy, a 5xx may hide a success
    raise MintFailed(f"{redacted(what)}: {status} {redacted(answer)}", answered=status < 500, status=status)


def key_in(answer: Any, name: str = "key") -> Secret:
    """The new key in an answer."""
    return Secret(text_in(answer, name))


def text_in(answer: Any, name: str) -> str:
    """A text that an answer must have; whatever was made when it has none is to be looked for."""
    text = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(text, str) or not text:
        raise MintFailed(f"the answer has no `{name}`: {redacted(answer)}", answered=False)
    return text


def rows_in(answer: Any, name: str | None, what: str) -> list[dict[str, Any]]:
    """The objects of a list, which is the answer itself or a member of it."""
    rows = answer.get(name) if name and isinstance(answer, dict) else answer
    if not isinstance(rows, list):
        raise MintFailed(f"{what}: no list{f' called `{name}`' if name else ''} in {redacted(answer)}")
    return [row for row in rows if isinstance(row, dict)]


def as_ordered(order: Mapping[str, Any], answer: Any) -> None:
    """An admin API that echoes an order must echo this one; what it leaves out is not held against it."""
    told = answer if isinstance(answer, dict) else {}
    other = {name: told[name] for name, value in order.items() if told.get(name) is not None and told[name] != value}
    if other:
        asked = {name: order[name] for name in other}
        raise MintFailed(f"asked for {redacted(asked)}, the answer says {redacted(other)}", answered=False)


def redacted(answer: object) -> str:
    """An answer for people: short, and without whatever could be a key."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=repr)
    text = _KEY.sub(lambda found: found[0] if PREFIX in found[0] else "***", text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def admin_over(client: Client, key: Secret, *, header: str = "authorization", prefix: str = "") -> Admin:
    """The admin API behind our own client, with the key as a bearer token or in a header of its own."""
    bearer = "Bearer " if header == "authorization" else ""
    headers = {header: f"{bearer}{key.reveal()}"}

    def admin(method: str, path: str, body: object | None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        exchange = client.send(
            method, prefix + path, headers=headers, query=query or None, json=UNSET if body is None else body
        )
        return _answered(exchange), _parsed(exchange.text)

    return admin


def _answered(exchange: Exchange) -> int:
    """The status; an answer that never came, or broke off, is no answer."""
    if exchange.failure is not None:
        raise ConnectionError(str(exchange.failure))
    return exchange.status


def _parsed(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text
