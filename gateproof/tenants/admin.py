"""Talking to an admin API: one callable, and one error that never shows a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from gateproof.targets.secrets import Secret
from gateproof.wire.client import UNSET, Client

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

    def __init__(self, message: str, *, answered: bool = True) -> None:
        super().__init__(message)
        self.answered = answered
        """Whether it is known that nothing was made."""


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
    raise MintFailed(f"{redacted(what)}: {status} {redacted(answer)}", answered=status < 500)


def key_in(answer: Any) -> Secret:
    """The new key in an answer."""
    key = answer.get("key") if isinstance(answer, dict) else None
    if not isinstance(key, str) or not key:
        raise MintFailed(f"the answer has no `key`: {redacted(answer)}", answered=False)
    return Secret(key)


def redacted(answer: object) -> str:
    """An answer for people: short, and without whatever could be a key."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False, default=repr)
    text = _KEY.sub("***", text)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def admin_over(client: Client, key: Secret) -> Admin:
    """The admin API behind our own client, with the key as a bearer token."""
    headers = {"authorization": f"Bearer {key.reveal()}"}

    def admin(method: str, path: str, body: object | None) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        exchange = client.send(method, path, headers=headers, query=query or None, json=UNSET if body is None else body)
        return exchange.status, _parsed(exchange.text)

    return admin


def _parsed(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text
