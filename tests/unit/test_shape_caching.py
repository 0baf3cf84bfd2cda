"""What lets a cache store a refusal."""

from __future__ import annotations

import pytest

from gateproof.shape.caching import storable


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cache-control": "no-store"},
        {"cache-control": "private, No-Store, max-age=60", "etag": '"1"'},
        {"cache-control": "no-cache"},
    ],
)
def test_nothing_lets_it(headers: dict[str, str]) -> None:
    assert storable(headers) == []


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"cache-control": "public"}, "Cache-Control: public"),
        ({"cache-control": "max-age=60"}, "Cache-Control: max-age=60"),
        ({"cache-control": 's-maxage="60", private'}, 'Cache-Control: s-maxage="60", private'),
        ({"expires": "Sat, 21 Nov 2026 16:00:00 GMT"}, "expires: Sat, 21 Nov 2026 16:00:00 GMT"),
        ({"etag": '"1"'}, 'etag: "1"'),
        ({"last-modified": "Sat, 21 Nov 2026 16:00:00 GMT"}, "last-modified: Sat, 21 Nov 2026 16:00:00 GMT"),
    ],
)
def test_a_field_lets_it(headers: dict[str, str], told: str) -> None:
    assert storable(headers) == [told]
