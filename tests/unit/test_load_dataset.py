"""Prompts of a file, and sounds for transcriptions."""

from __future__ import annotations

import email.parser
import email.policy
import io
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from gateproof.errors import ConfigError
from gateproof.load import uploads
from gateproof.load.dataset import read_dataset
from gateproof.load.profile import Workload
from gateproof.load.requests import Door, Requests
from gateproof.load.workload import draw

LINES: list[dict[str, Any]] = [
    {"prompt": "Say\u2028hello"},
    {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}], "output_tokens": 5},
]


def written(folder: Path, *lines: Any) -> Path:
    file = folder / "data.jsonl"
    file.write_text(
        "".join(f"{line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    )
    return file


def bodies(file: Path, api: str, number: int = 3, **more: Any) -> list[Any]:
    """What ``number`` requests of that data set send."""
    workload = Workload.model_validate({"dataset": str(file), "output_tokens": 9, "mix": [{"api": api}], **more})
    entries = read_dataset(file)
    asked = draw(workload, number, seed=1, entries=entries)
    requests = Requests(workload, asked, [Door(api, "/x", "h", "m", stream=False, headers={})], 1, entries)
    return [json.loads(requests.build(index).partition(b"\r\n\r\n")[2]) for index in range(number)]


def test_a_data_set_is_sent_line_by_line_and_over_again(tmp_path: Path) -> None:
    first, second, third = bodies(written(tmp_path, *LINES), "chat", cache_bust=False)
    assert first["messages"] == third["messages"] == [{"role": "user", "content": "Say\u2028hello"}]
    assert second["messages"] == LINES[1]["messages"]
    assert [each["max_tokens"] for each in (first, second, third)] == [9, 5, 9]


def test_each_request_of_a_data_set_begins_with_a_mark_of_its_own(tmp_path: Path) -> None:
    sent = [body["messages"][0]["content"] for body in bodies(written(tmp_path, *LINES), "chat", number=6)]
    assert len(set(sent)) == 6
    assert all(text.endswith(("Say\u2028hello", "Be brief.")) for text in sent)


def test_other_apis_get_the_same_words(tmp_path: Path) -> None:
    file = written(tmp_path, *LINES)
    assert bodies(file, "completions", cache_bust=False)[1]["prompt"] == "Be brief.\nHi"
    assert bodies(file, "embeddings", cache_bust=False)[0]["input"] == "Say\u2028hello"
    message = bodies(file, "messages", cache_bust=False)[1]
    assert (message["system"], message["messages"]) == ("Be brief.", [{"role": "user", "content": "Hi"}])


def test_what_a_data_set_asks_for_is_bounded_but_not_known(tmp_path: Path) -> None:
    entries = read_dataset(written(tmp_path, *LINES))
    asked = draw(Workload(dataset="x"), 2, seed=1, entries=entries)
    assert asked.prompt_tokens(0) is None
    assert asked.input_tokens[0] >= len(LINES[0]["prompt"].encode())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object, found list"),
        ({"promt": "x"}, "unknown key `promt`; did you mean `prompt`?"),
        ({}, "exactly one of `messages` and `prompt` is needed"),
        ({"prompt": "x", "messages": []}, "exactly one of"),
        ({"messages": []}, "`messages` has no message"),
        ({"messages": ["x"]}, "a message has no `role`"),
        ({"messages": [{"role": "user", "content": []}]}, "a message has no text"),
        ({"prompt": ""}, "a message has no text"),
        ({"prompt": "x", "output_tokens": 0}, "`output_tokens` is 0"),
        ({"prompt": "x", "output_tokens": True}, "`output_tokens` is True"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_with_its_number(tmp_path: Path, line: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_dataset(written(tmp_path, {"prompt": "fine"}, "", line))
    assert f"data.jsonl:3: not a prompt: {problem}" in str(caught.value)


def test_a_data_set_that_is_not_there_or_empty_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_dataset(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="the data set is empty"):
        read_dataset(written(tmp_path, "", " "))


def test_a_transcription_sends_a_sound_in_a_form() -> None:
    workload = Workload.model_validate({"mix": [{"api": "transcriptions", "audio": "500ms"}]})
    door = Door("transcriptions", "/v1/audio/transcriptions", "h", "asr", stream=False, headers={})
    requests = Requests(workload, draw(workload, 2, seed=1), [door], seed=1)
    sent = [requests.build(index) for index in (0, 1)]
    head, _, content = sent[0].partition(b"\r\n\r\n")
    assert f"Content-Length: {len(content)}".encode() in head
    parsed = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + uploads.CONTENT_TYPE.encode() + b"\r\n\r\n" + content
    )
    parts: dict[Any, Any] = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in parsed.iter_parts()
    }
    assert (parts["model"], parts["response_format"]) == (b"asr", b"json")
    with wave.open(io.BytesIO(bytes(parts["file"]))) as sound:
        assert (sound.getnchannels(), sound.getframerate(), sound.getnframes()) == (1, uploads.RATE, uploads.RATE // 2)
    assert sent[0] != sent[1]
    assert sent[0] == requests.build(0)
