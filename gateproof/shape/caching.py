"""May a cache store an answer that is none of the cacheable statuses? (RFC 9111 §3, RFC 6585 §4)"""

from __future__ import annotations

from collections.abc import Mapping

# What makes an answer storable although its status alone does not (RFC 9111 §3), with anything or nothing behind it.
EXPLICIT = frozenset({"public", "max-age", "s-maxage"})
VALIDATORS = ("etag", "last-modified")


def storable(headers: Mapping[str, str]) -> list[str]:
    """The fields that let a cache store the answer; none where `no-store` is said.

    A validator alone makes nothing fresh, but an answer with one and without `no-store` is written to be stored.
    """
    directives = {part.partition("=")[0].strip().lower() for part in headers.get("cache-control", "").split(",")}
    if "no-store" in directives:
        return []
    found = [f"Cache-Control: {headers['cache-control']}"] if directives & EXPLICIT else []
    return found + [f"{name}: {headers[name]}" for name in ("expires", *VALIDATORS) if name in headers]
