"""What reports of both kinds are made of."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gateproof.report.text import clean

_USER_INFO = re.compile(r"(?<=//)[^/?#]*@")


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def _without_user_info(value: object) -> object:
    return _USER_INFO.sub("", clean(value)) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_clean)]
"""Anything that may come from outside: whatever cannot be printed or encoded stands there as an escape."""
Address = Annotated[str, BeforeValidator(_without_user_info)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Plain(BaseModel):
    """What is published: exact, and with the descriptions of its fields in the schema."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TargetInfo(Plain):
    """What was tested."""

    name: Text
    url: Address
    dialect: Text
    description: Text | None = None
    versions: dict[Text, Text] = Field(default_factory=dict)


class Spent(Plain):
    """What the run sent, and what it was allowed to (null: no bound)."""

    requests: Count = 0
    tokens: Count = 0
    of_requests: Count | None = None
    of_tokens: Count | None = None
