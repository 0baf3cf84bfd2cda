"""How a request ended, in one word that a report counts."""

from __future__ import annotations

import enum

from gateproof.load.wire.call import Failure


class Outcome(enum.StrEnum):
    """``OK`` alone is a success: everything else is an error of its own name, never merged with another."""

    OK = "ok"
    # the answer is whole and says no
    REFUSED = "refused"  # 429
    CLIENT_ERROR = "client error"  # any other 4xx
    SERVER_ERROR = "server error"  # 5xx
    ODD_STATUS = "odd status"  # 1xx, 3xx, 2xx that is not 200
    # 200, and yet
    ERROR_INSIDE = "error inside"  # an error event in a stream, or an error object in a body
    MALFORMED = "malformed"  # not JSON, not SSE, not the API's shape
    TRUNCATED = "truncated"  # ended properly on the wire, but before its own end
    DONE_MISSING = "done missing"
    DONE_TWICE = "done twice"
    WRONG_USAGE = "wrong usage"  # total is not prompt plus completion
    EMPTY = "empty"  # nothing was generated
    # no whole answer
    CONNECT = "connect"
    TLS = "tls"
    SEND = "send"
    CUT = "cut"
    PROTOCOL = "protocol"
    CONNECT_TIMEOUT = "connect timeout"
    STALLED = "stalled"
    TIMEOUT = "timeout"
    TOO_LARGE = "too large"
    # by us
    ABANDONED = "abandoned"
    NOT_DISPATCHED = "not dispatched"
    SKIPPED = "skipped"  # a turn that never became due: its conversation, or the run, had ended before

    @property
    def ours(self) -> bool:
        """Not the target's doing: left out of its error rate, and counted on its own."""
        return self in {Outcome.ABANDONED, Outcome.NOT_DISPATCHED, Outcome.SKIPPED}

    @classmethod
    def of(cls, failure: Failure) -> Outcome:
        return cls(failure.value)

    @classmethod
    def of_status(cls, status: int) -> Outcome | None:
        """What the status alone decides; None for 200."""
        if status == 200:
            return None
        if status == 429:
            return cls.REFUSED
        if 400 <= status < 500:
            return cls.CLIENT_ERROR
        return cls.SERVER_ERROR if status >= 500 else cls.ODD_STATUS
