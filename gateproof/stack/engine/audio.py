"""POST /v1/audio/speech (a tone) and /v1/audio/transcriptions (a fixed sentence)."""

from __future__ import annotations

import array
import email.parser
import email.policy
import io
import math
import wave
from typing import Any

from gateproof.stack.engine import validate
from gateproof.stack.engine.obey import obey
from gateproof.stack.engine.script import parse
from gateproof.stack.engine.wire import Call, Refused

RATE = 16_000  # samples per second
TONE = 440.0  # Hz
SECONDS = 0.5
VOICES = frozenset({"alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer"})
MAX_INPUT = 4096  # characters, openai-openapi
SPOKEN = "the quick brown fox jumps over the lazy dog"
AUDIO_MAGIC = (b"RIFF", b"ID3", b"fLaC", b"OggS", b"\xff\xfb", b"\xff\xf3")


def tone() -> bytes:
    samples = array.array(
        "h", (int(12_000 * math.sin(2 * math.pi * TONE * n / RATE)) for n in range(int(RATE * SECONDS)))
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.tobytes())
    return file.getvalue()


async def speech(call: Call, body: dict[str, Any]) -> None:
    text = body.get("input")
    script = parse(text if isinstance(text, str) else "", call.ledger.name)
    call.note(body, script.nonce)
    validate.model_of(body)
    if not isinstance(validate.required(body, "input"), str) or not text:
        raise validate.refuse("input", "a text is needed")
    if len(text) > MAX_INPUT:
        raise validate.refuse("input", f"{len(text)} characters, at most {MAX_INPUT} are allowed")
    if body.get("voice", "alloy") not in VOICES:
        raise validate.refuse("voice", f"{body['voice']!r} is unknown")
    if body.get("response_format", "wav") != "wav":
        raise validate.refuse("response_format", f"{body['response_format']!r} is not offered: wav is")
    validate.check_number(body, "speed", 0.25, 4, whole=False)
    if await obey(call, script):
        return
    data = tone()
    await call.head(200, "audio/wav", script.headers)
    for start in range(0, len(data), 4096):
        await call.write(data[start : start + 4096])
    await call.finish()


async def transcriptions(call: Call, content: bytes) -> None:
    fields, file = form(call.headers.get("content-type", ""), content)
    script = parse(fields.get("prompt", ""), call.ledger.name)
    call.note({**fields, "file": None if file is None else {"name": file[0], "bytes": len(file[1])}}, script.nonce)
    if not fields.get("model"):
        raise validate.refuse("model", "this parameter is required")
    if file is None:
        raise validate.refuse("file", "this parameter is required")
    if not file[1].startswith(AUDIO_MAGIC):
        raise validate.refuse("file", "not an audio file of a known format")
    wanted = fields.get("response_format", "json")
    if wanted not in ("json", "text", "verbose_json"):
        raise validate.refuse("response_format", f"{wanted!r} is not offered: json, text, verbose_json are")
    if await obey(call, script):
        return
    text = SPOKEN if script.text is None else script.text
    if wanted == "text":
        await call.whole(200, text.encode(), "text/plain; charset=utf-8")
    else:
        more = {"language": "english", "duration": SECONDS} if wanted == "verbose_json" else {}
        await call.json(200, {"text": text, **more})


def form(content_type: str, content: bytes) -> tuple[dict[str, str], tuple[str, bytes] | None]:
    """The text fields and the file of a multipart body (RFC 7578)."""
    if not content_type.lower().startswith("multipart/form-data"):
        raise Refused(415, "multipart/form-data is expected")
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"content-type: " + content_type.encode() + b"\r\n\r\n" + content
    )
    fields: dict[str, str] = {}
    file: tuple[str, bytes] | None = None
    for each in parsed.iter_parts():
        data = each.get_payload(decode=True)
        assert isinstance(data, bytes)
        name = each.get_param("name", header="content-disposition")
        if each.get_filename() is not None:
            file = (str(each.get_filename()), data)
        elif isinstance(name, str):
            fields[name] = data.decode("utf-8", "replace")
    return fields, file
