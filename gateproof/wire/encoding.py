"""Content codings (RFC 9110 §8.4.1), undone piece by piece so that arrival times survive; pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

# A few KiB can unpack to gigabytes; no reply that we ask for needs more than this.
MAX_DECODED = 64 * 1024 * 1024


class Chunk(NamedTuple):
    """Bytes that one read of the socket brought, and its instant in monotonic seconds."""

    at: float
    data: bytes


class BadEncoding(AssertionError):
    """The body is not what its ``content-encoding`` says."""


def decode(chunks: Iterable[Chunk], content_encoding: str) -> list[Chunk]:
    """The chunks without their content coding; one that yields nothing yet is left out."""
    codings = [name.strip().lower() for name in content_encoding.split(",") if name.strip()]
    steps = [_decoder(name) for name in reversed(codings) if name != "identity"]
    if not steps:
        return list(chunks)
    decoded, size = [], 0
    for at, packed in chunks:
        data = packed
        for step in steps:
            data = step(data)
        size += len(data)
        if size > MAX_DECODED:
            raise BadEncoding(f"unpacks to more than {MAX_DECODED} bytes")
        if data:
            decoded.append(Chunk(at, data))
    return decoded


def _decoder(name: str) -> Callable[[bytes], bytes]:
    if name in {"gzip", "x-gzip"}:
        return _inflate(zlib.decompressobj(zlib.MAX_WBITS | 16), name)
    if name == "deflate":
        return _deflate()
    raise BadEncoding(f"content-encoding {name!r} was not asked for and is not known here")


def _inflate(unpacker: zlib._Decompress, name: str) -> Callable[[bytes], bytes]:
    def step(data: bytes) -> bytes:
        try:
            return unpacker.decompress(data, MAX_DECODED + 1)
        except zlib.error as error:
            raise BadEncoding(f"the body is not {name}: {error}") from error

    return step


def _deflate() -> Callable[[bytes], bytes]:
    """Zlib as the standard says, or raw as some servers send it: the first byte tells (RFC 1950 §2.2, CM = 8)."""
    chosen: list[Callable[[bytes], bytes]] = []

    def step(data: bytes) -> bytes:
        if not data:
            return b""
        if not chosen:
            bits = zlib.MAX_WBITS if data[0] & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS
            chosen.append(_inflate(zlib.decompressobj(bits), "deflate"))
        return chosen[0](data)

    return step
