"""The small values of ``targets.yaml``: durations, references to keys and variables, limits and quotas."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gateproof.errors import near_miss
from gateproof.targets.secrets import Secret

SHORT_WINDOW = 60.0
"""s; the longest window that is waited out where no hurry is said (`--max-wait`): a minute, as most stacks have it."""

LIFETIME = math.inf
"""s; the window of a limit that holds for as long as the key lives."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def mistake(problem: str, *, accepted: str = "", at: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """A problem in our own words, which the loader shows as they are; ``at`` is below what is being validated."""
    return PydanticCustomError("mistake", "{problem}", {"problem": problem, "accepted": accepted, "at": at})


def parse_duration(value: Any) -> float:
    """Seconds of ``2``, ``0.5``, ``"500ms"``, ``"2s"``, ``"1m"``, ``"24h"``, ``"7d"``."""
    accepted = 'seconds as a number above 0, or text such as "500ms", "2s", "1m", "24h", "7d"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        seconds = float(match[1]) * _SECONDS[match[2]]
    else:
        raise mistake(f"not a duration: {value!r}", accepted=accepted)
    if not 0 < seconds < float("inf"):
        raise mistake(f"not a duration: {value!r}", accepted=accepted)
    return seconds


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {
            "description": 'seconds, or text such as "500ms", "2s", "1m", "24h"',
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": f"^{_DURATION.pattern}$"},
            ],
        }
    ),
]


def parse_window(value: Any) -> float:
    """As a duration; ``lifetime`` is a window that never ends."""
    return LIFETIME if value in ("lifetime", LIFETIME) else parse_duration(value)


Window = Annotated[
    float,
    BeforeValidator(parse_window),
    WithJsonSchema(
        {
            "description": 'seconds, or text such as "2s", "1m", "24h"; "lifetime": it never starts anew',
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {"type": "string", "pattern": f"^({_DURATION.pattern}|lifetime)$"},
            ],
        }
    ),
]


class Model(BaseModel):
    """Base of everything in the file: unknown keys are refused, and ``"5"`` is not 5."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Shorthand(Model):
    """A mapping with exactly one kind, or a plain text, which becomes ``literal``."""

    kinds: ClassVar[tuple[str, ...]]
    accepted: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        if isinstance(data, cls):
            return data
        if isinstance(data, str):
            if not data:
                raise mistake("empty text", accepted=cls.accepted)
            return {"literal": data}
        if not isinstance(data, Mapping):
            raise mistake(f"expected text or a mapping, found {type(data).__name__}", accepted=cls.accepted)
        given = [kind for kind in cls.kinds if data.get(kind) is not None]
        if len(given) != 1 and not set(data) - set(cls.model_fields):
            raise mistake(f"exactly one of these is needed, found {', '.join(given) or 'none'}", accepted=cls.accepted)
        return data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        mapping = handler.resolve_ref_schema(handler(schema))
        mapping["properties"].pop("literal", None)
        return {"anyOf": [{"type": "string", "minLength": 1}, dict(mapping)]}


Variable = Annotated[str, StringConstraints(pattern=_VARIABLE)]


class SecretKeyRef(Model):
    """One key of a Kubernetes Secret."""

    namespace: str
    name: str
    key: str


class KeyRef(Shorthand):
    """Where a key is found. A literal one is for stacks on this machine only."""

    kinds = ("literal", "env", "file", "secret")
    accepted = "{env: NAME}, {file: PATH}, {secret: {namespace, name, key}}, or the key itself on a loopback target"

    env: Variable | None = None
    file: str | None = None
    secret: SecretKeyRef | None = None
    literal: Secret | None = None

    @property
    def kind(self) -> Literal["env", "file", "secret", "literal"]:
        if self.env is not None:
            return "env"
        if self.file is not None:
            return "file"
        return "secret" if self.secret is not None else "literal"

    def __str__(self) -> str:
        """How a person names it, never the key: ``env TOKENLABS_KEY``."""
        what = f"{self.secret.namespace}/{self.secret.name}" if self.secret else self.env or self.file
        return f"{self.kind} {what}" if what else self.kind


class Value(Shorthand):
    """A text, given here or in a variable of the environment."""

    kinds = ("literal", "env")
    accepted = "text, or {env: NAME, default: TEXT}"

    env: Variable | None = None
    default: str | None = None
    literal: str | None = None


def from_environment(value: Any, info: ValidationInfo) -> Any:
    """The text of ``{env: NAME, default: TEXT}``, looked up while the target is read.

    The validation context may carry ``environ``; ``{"environ": None}`` keeps the reference as ``${NAME}``,
    so that a file can be checked on a machine without the variables.
    """
    if not isinstance(value, Mapping):
        return value
    unknown = [str(key) for key in value if key not in ("env", "default")]
    if unknown:
        raise mistake(f"unknown key `{unknown[0]}`{near_miss(unknown[0], ['env', 'default'])}", accepted=Value.accepted)
    name, default = value.get("env"), value.get("default")
    if not isinstance(name, str) or not re.match(_VARIABLE, name):
        raise mistake(f"not the name of a variable: {name!r}", accepted=Value.accepted)
    environ = (info.context or {}).get("environ", os.environ)
    found = None if environ is None else environ.get(name, "").strip()
    if found or default is not None:
        return found or default
    if environ is None:
        return f"${{{name}}}"
    raise mistake(f"environment variable {name} is not set" + near_miss(name, environ))


def _not_blank(text: str) -> str:
    if not text.strip():
        raise mistake("empty text")
    return text


Text = Annotated[
    str,
    AfterValidator(_not_blank),
    BeforeValidator(from_environment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {"env": {"type": "string"}, "default": {"type": "string"}},
                    "required": ["env"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]
"""A text that may come from the environment and is known once the target is."""


def _positive(value: int) -> int:
    if value < 1:
        raise mistake(f"expected 1 or more, found {value}")
    return value


Count = Annotated[int, AfterValidator(_positive)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=False)]

Algorithm = Literal["fixed", "sliding", "bucket", "unknown"]


class Limit(Model):
    """At most ``limit`` requests in any window."""

    limit: Count
    window: Window
    algorithm: Algorithm = "unknown"
    aligned: bool | None = None
    """Whether fixed windows begin at multiples of their length (epoch), not at the first request; None: unknown."""


class Quota(Model):
    """At most ``limit`` tokens in any window, counted ``after`` the answer or by ``reserve`` before it."""

    limit: Count
    window: Window
    mode: Literal["after", "reserve"] = "after"
    algorithm: Algorithm = "unknown"
    aligned: bool | None = None
    """As for :class:`Limit`."""
    per_model: bool = False
    """Whether each model has so many; otherwise all models together."""


class Budget(Model):
    """At most ``limit`` in money, which the stack reckons from its prices and books some time after the answer."""

    limit: Amount
    window: Window = LIFETIME
    settles: Duration = 10.0
    """Until what an answer cost is booked everywhere."""
    statuses: list[int] = Field(default_factory=lambda: [429])
    """What a request over the budget gets."""


class Price(Model):
    """What one token of a model costs, in the currency of the budgets."""

    input: Amount
    output: Amount


class OneOrMany:
    """A mapping, or a list of such: the value is a list in either case, the shortest window first."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        ordered = core_schema.no_info_after_validator_function(_shortest_first, handler(source))
        return core_schema.no_info_before_validator_function(_as_list, ordered)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        many = handler(schema)
        return {"anyOf": [many["items"], many]}


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _shortest_first(limits: list[Any]) -> list[Any]:
    return sorted(limits, key=lambda each: float(each.window))


Limits = Annotated[list[Limit], OneOrMany()]
Quotas = Annotated[list[Quota], OneOrMany()]
