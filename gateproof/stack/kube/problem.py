"""How the Kubernetes API says no: a Status object (apimachinery, `meta/v1.Status`)."""

from __future__ import annotations

from typing import Any


class Problem(Exception):
    """A refusal, with what a Status object needs; `name` is the Secret that it is about."""

    def __init__(self, code: int, reason: str, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.name = code, reason, message, name

    def status(self) -> dict[str, Any]:
        details = {"details": {"name": self.name, "kind": "secrets"}} if self.name else {}
        head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        return {**head, "message": self.message, "reason": self.reason, **details, "code": self.code}


def not_found(name: str) -> Problem:
    return Problem(404, "NotFound", f'secrets "{name}" not found', name=name)


def invalid(name: str, field: str, value: object, why: str) -> Problem:
    message = f'Secret "{name}" is invalid: {field}: Invalid value: "{value}": {why}'
    return Problem(422, "Invalid", message, name=name)


def bad_request(message: str) -> Problem:
    return Problem(400, "BadRequest", message)
