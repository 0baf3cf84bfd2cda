"""What Locust itself does with unary requests: its fast user, and nothing of ours. The sink's origin is in SINK."""

from __future__ import annotations

import os

from locust import FastHttpUser, task

BODY = '{"model":"sink","stream":false,"max_tokens":1,"messages":[{"role":"user","content":"a few short words"}]}'


class Plain(FastHttpUser):
    """As many requests as it can, one after the other."""

    host = os.environ.get("SINK", "")

    @task
    def ask(self) -> None:
        self.client.post("/v1/chat/completions", data=BODY, headers={"Content-Type": "application/json"})
