"""The body of a transcription: a generated sound as WAV, in a form (RFC 7578)."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping

import numpy as np

RATE = 16_000  # Hz; what speech models are trained on
PITCH = 220.0  # Hz
LOUDNESS = 8_000  # of 32767
HEADER = 44  # bytes of a WAV file before its first sample
BOUNDARY = "gateproof-7f3a91c2"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def tone(seconds: float) -> bytes:
    """A WAV file of one channel with 16 bits a sample: a tone that swells four times a second, as speech does."""
    time = np.arange(max(16, int(seconds * RATE))) / RATE
    sound = LOUDNESS * np.sin(2 * np.pi * PITCH * time) * np.sin(2 * np.pi * 2 * time) ** 2
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return data.getvalue()


def marked(audio: bytes, seed: int, index: int) -> bytes:
    """The same sound with its first eight samples changed, so that no cache knows it."""
    mark = np.random.Generator(np.random.Philox(key=[seed, index])).bytes(16)
    return audio[:HEADER] + mark + audio[HEADER + len(mark) :]


def multipart(fields: Mapping[str, str], audio: bytes) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="tone.wav"\r\n'
    head += "Content-Type: audio/wav\r\n\r\n"
    return "".join(parts).encode() + head.encode() + audio + f"\r\n--{BOUNDARY}--\r\n".encode()
