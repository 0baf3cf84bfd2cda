"""One request under way: what is sent, and what came back, as bytes and instants."""

from __future__ import annotations

import enum
import ssl
from dataclasses import dataclass, field


class Failure(enum.StrEnum):
    """Why there is no whole answer. What the answer itself says is judged later."""

    CONNECT = "connect"  # refused, unreachable
    TLS = "tls"
    SEND = "send"  # cut while we were sending
    CUT = "cut"  # cut before the answer was whole
    PROTOCOL = "protocol"  # not HTTP
    CONNECT_TIMEOUT = "connect timeout"
    STALLED = "stalled"  # nothing came for too long
    TIMEOUT = "timeout"  # not whole by its deadline
    ABANDONED = "abandoned"  # by us: the run ended, or its patience was up
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where requests go. ``address`` is resolved once, before the run: no DNS on the way."""

    address: tuple[str, int]
    family: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until we give up on one request."""

    connect: float = 5.0
    stall: float = 60.0
    total: float = 600.0


@dataclass(slots=True, eq=False)
class Call:
    """All instants are nanoseconds of the monotonic clock; 0 is "not so far".

    ``parts`` are the pieces of the answer as they were read (of TLS, decrypted), each with the kernel's ``stamps`` and
    the instants of our own ``reads`` beside them; ``stamps`` are raw until somebody needs them. ``sent`` is when the
    last of the request was handed to the kernel, so that no answer comes before it; ``ended`` of a whole answer is when
    its last piece came.
    """

    request: bytes
    streamed: bool
    patience: Patience = Patience()
    index: int = 0
    dispatched: int = 0
    connected: int = 0
    secured: int = 0
    sent: int = 0
    ended: int = 0
    reused: bool = False
    failure: Failure | None = None
    detail: str = ""
    parts: list[bytes] = field(default_factory=list)
    stamps: list[bytes] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    size: int = 0
