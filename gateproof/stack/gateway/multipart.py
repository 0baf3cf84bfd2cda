"""The `model` field of a multipart/form-data body (RFC 7578); everything else passes untouched."""

from __future__ import annotations

import re

from gateproof.stack.gateway.errors import Refusal
from gateproof.stack.gateway.headers import RequestHeaders, media_type

_BOUNDARY = re.compile(rb';\s*boundary=(?:"((?:[^"\\]|\\.)+)"|([^;\s"]+))', re.IGNORECASE)
_NAME = re.compile(rb';\s*name=(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))', re.IGNORECASE)
_DISPOSITION = re.compile(rb"^content-disposition:[ \t]*form-data", re.IGNORECASE | re.MULTILINE)


def boundary_of(headers: RequestHeaders) -> bytes:
    """The boundary, or 415 for another type and 400 for a form without one."""
    value = headers.get(b"content-type")
    if media_type(value) != b"multipart/form-data":
        raise Refusal(415, "The content type must be multipart/form-data.", code="unsupported_media_type")
    match = _BOUNDARY.search(value)
    if match is None:
        raise Refusal(400, "The multipart boundary is missing.", code="invalid_multipart")
    return match[2] or re.sub(rb"\\(.)", rb"\1", match[1])


def fields(body: bytes, boundary: bytes) -> list[tuple[bytes, int, int]]:
    """Name and place of the value of each part; 400 when the body is not such a form."""
    marker = b"\r\n--" + boundary
    found: list[tuple[bytes, int, int]] = []
    padded = b"\r\n" + body  # so that the first delimiter looks like the others
    at = padded.find(marker)
    while at >= 0:
        begin = at + len(marker)
        if padded.startswith(b"--", begin):
            return found
        following = padded.find(marker, begin)
        head_end = padded.find(b"\r\n\r\n", begin)
        if following < 0 or head_end < 0 or head_end > following:
            break
        name = _name(padded[begin:head_end])
        found.append((name, head_end + 4 - 2, following - 2))
        at = following
    raise Refusal(400, "We could not parse the multipart body of your request.", code="invalid_multipart")


def _name(head: bytes) -> bytes:
    match = _NAME.search(head) if _DISPOSITION.search(head.replace(b"\r\n", b"\n")) else None
    return b"" if match is None else match[2] or match[1]


def model_field(body: bytes, boundary: bytes) -> tuple[str | None, int, int]:
    """The value of the one field called `model`, and its place in the body."""
    found = [(begin, end) for name, begin, end in fields(body, boundary) if name == b"model"]
    if len(found) > 1:
        raise Refusal(400, "The field `model` is given more than once.", code="duplicate_field", param="model")
    if not found:
        return None, 0, 0
    begin, end = found[0]
    return body[begin:end].decode("utf-8", "replace"), begin, end
