"""One run over answers of every kind: each is counted under its own name, and only what is good is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateproof.launch.ports import free_ports
from gateproof.load.log import read_log
from tests.load.rig import ROOT, Rig, listening

EACH = 2  # requests of each kind
STALL, TOTAL = 0.6, 1.5  # s of patience


def chunk(**delta: Any) -> str:
    finish = delta.pop("finish_reason", None)
    return "data: " + json.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) + "\n\n"


TOKEN, FINISH, DONE = chunk(content="a"), chunk(finish_reason="stop"), "data: [DONE]\n\n"
USED = "data: " + json.dumps({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}) + "\n\n"


def stream(*events: str) -> dict[str, Any]:
    """Exactly these bytes, with the status of success."""
    return {"status": 200, "content_type": "text/event-stream", "body": "".join(events)}


KINDS: dict[str, dict[str, Any]] = {
    "ok": {"text": "one two three four"},
    "refused": {"status": 429},
    "client error": {"status": 404},
    "server error": {"status": 503},
    "odd status": {"status": 302},
    "error inside": {"text": "one two three four", "error_after": 2},
    "malformed": stream(TOKEN, "data: {oops\n\n", FINISH, DONE),
    "truncated": stream(TOKEN, TOKEN),
    "done missing": stream(TOKEN, FINISH),
    "done twice": stream(TOKEN, FINISH, DONE, DONE),
    "wrong usage": {"text": "one two three four", "usage": {"total_tokens": 7777}},
    "empty": stream(chunk(role="assistant"), FINISH, USED, DONE),
    "cut": {"text": "one two three four", "cut_after": 2},
    "stalled": {"text": "one two three four", "stall_after": 2},
    "timeout": {"text": " ".join(["one"] * 50), "gap": STALL / 2},
}
"""What the engine is told to do, by the word for how it ends."""


@contextmanager
def engine() -> Iterator[int]:
    """Our own, alone; its port."""
    port, control = free_ports(2)
    words = ["--name", "a", "--port", str(port), "--control-port", str(control)]
    command = [sys.executable, "-m", "gateproof.stack.engine", *words]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE) as process:
        try:
            listening(port)
            yield port
        finally:
            process.kill()


def dataset(file: Path) -> Path:
    """Every kind, one after the other, and again."""
    lines = [
        {"prompt": f"<<gateproof:{json.dumps(order)}>>", "output_tokens": 64}
        for _ in range(EACH)
        for order in KINDS.values()
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_every_end_has_its_name_and_its_count(rig: Rig) -> None:
    number = EACH * len(KINDS)
    with engine() as port:
        rig.targets(port)
        run = rig.start(
            10,
            number / 10,
            f"workload.dataset={dataset(rig.folder / 'prompts.jsonl')}",
            f"patience.stall={STALL}s",
            f"patience.total={TOTAL}s",
        )
        assert run.code() == 0, run.text
    told = run.report()
    assert told["outcomes"] == dict.fromkeys(KINDS, EACH)
    assert told["error_share"] == 1 - 1 / len(KINDS)
    assert told["metrics"]["ttft"]["count"] == told["metrics"]["latency"]["count"] == EACH
    rows = read_log(run.folder).table
    expected = [kind for _ in range(EACH) for kind in KINDS]
    assert rows["outcome"].to_pylist() == expected, "each request has the end that it was ordered"
