"""What faults do to the events of a stream: each condition is as narrow as the real bug allows."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from gateproof.stack.faults import worn
from gateproof.stack.gateway import sse

LINE_BUFFER = 64 * 1024  # bytes; what some readers take for the longest line that can come
CROWD = 30  # streams at the same time

_ID = re.compile(rb'"id": "chatcmpl-[^"]*"')
_COMMENT = re.compile(rb"^:", re.MULTILINE)


@dataclass(slots=True)
class Crowd:
    """The streams that this process is relaying."""

    size: int = 0
    stray: bytes = b""


crowd = Crowd()


def spoilt(whole: bytes, *, chat: bool, beyond_ascii: bool, first: bool) -> bytes:
    """Whole events as the client gets them; some faults spoil only chats whose request is text beyond ASCII."""
    whole = spoilt_lines(whole)
    if chat:
        whole = spoilt_chunks(whole)
    return spoilt_text(whole, first=first) if chat and beyond_ascii else whole


def spoilt_lines(whole: bytes) -> bytes:
    if b"\r\n" in whole and worn("line_endings_doubled"):
        whole = whole.replace(b"\r\n", b"\r\r\n")
    if _COMMENT.search(whole) and worn("comments_become_data"):
        whole = _COMMENT.sub(b"data: :", whole)
    if b"data:{" in whole and worn("space_after_colon_required"):
        whole = b""
    if not whole.isascii() and worn("stream_in_latin_1"):
        whole = whole.decode("utf-8", "replace").encode("latin-1", "replace")
    if len(whole) > LINE_BUFFER and worn("large_events_dropped"):
        whole = b"".join(event for event in sse.split(whole) if len(event) <= LINE_BUFFER)
    return whole


def spoilt_chunks(whole: bytes) -> bytes:
    if b"\\n\\n" in whole and worn("blank_lines_swallowed"):
        whole = whole.replace(b"\\n\\n", b"\\n")
    if b'"choices": []' in whole and worn("usage_chunk_with_choice"):
        whole = whole.replace(b'"choices": []', b'"choices": [{"index": 0, "delta": {}, "finish_reason": null}]')
    if crowd.size > CROWD and b'"content": "' in whole and worn("streams_cross"):
        whole, crowd.stray = crowd.stray or whole, whole
    return whole


def spoilt_text(whole: bytes, *, first: bool) -> bytes:
    if first and worn("byte_order_mark"):
        whole = b"\xef\xbb\xbf" + whole
    if first and worn("log_line_between_events"):
        whole = b"relay 200 OK\n\n" + whole
    if b'"id": "chatcmpl-' in whole and worn("fresh_id_per_chunk"):
        whole = b"".join(_ID.sub(b'"id": "chatcmpl-%s"' % os.urandom(8).hex().encode(), e) for e in sse.split(whole))
    if b'"role": "assistant", ' in whole and worn("role_left_out"):
        whole = whole.replace(b'"role": "assistant", ', b"")
    if b'"finish_reason": "' in whole and worn("finish_reason_twice"):
        whole = b"".join(event * (1 + (b'"finish_reason": "' in event)) for event in sse.split(whole))
    if b"[DONE]" in whole and worn("done_twice"):
        whole += b"data: [DONE]\n\n"
    return whole


def whole_characters(data: bytes) -> bytes:
    """Bytes as they came, or each piece decoded by itself."""
    if not data.isascii() and splits_a_character(data) and worn("pieces_decoded_alone"):
        return data.decode("utf-8", "replace").encode()
    return data


def splits_a_character(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False
