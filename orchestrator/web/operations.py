"""What a view takes and answers, declared beside it: read from the request by the view, described in OpenAPI.

@operation("The call", answers={200: CallShown}, problems=("no-such-call",), parameters=(SID,))
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import request

from orchestrator.errors import OrchestratorError

View = TypeVar("View", bound=Callable[..., Any])
Schema = dict[str, Any]
_ATTRIBUTE = "operation_of_api"


def invalid(name: str, what: str) -> OrchestratorError:
    return OrchestratorError("invalid-parameter", f"{name} {what}", parameter=name)


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One of the query, unless `place` says otherwise (`path`, `header`). `schema` is its JSON Schema."""

    name: str
    means: str
    schema: Schema
    place: str = "query"

    def text(self) -> str | None:
        """As sent; None when it is missing or empty."""
        return request.args.get(self.name) or None


@dataclass(frozen=True, kw_only=True)
class Choice(Parameter):
    """One of some words."""

    def read(self) -> str | None:
        text = request.args.get(self.name)
        if text is not None and text not in self.schema["enum"]:
            raise invalid(self.name, f"must be one of: {', '.join(self.schema['enum'])}")
        return text


@dataclass(frozen=True, kw_only=True)
class Number(Parameter):
    """A whole number within bounds."""

    def read(self) -> int:
        low, high = self.schema["minimum"], self.schema["maximum"]
        text = request.args.get(self.name, "")
        if not text:
            return int(self.schema["default"])
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise invalid(self.name, f"must be a whole number from {low} to {high}")
        return int(text)


@dataclass(frozen=True, kw_only=True)
class Text(Parameter):
    """Text of a pattern; anything where there is none."""

    def read(self) -> str | None:
        text = self.text()
        pattern = self.schema.get("pattern")
        if text is not None and pattern is not None and not re.fullmatch(pattern.strip("^$"), text):
            raise invalid(self.name, f"must match {pattern}")
        return text


def choice(name: str, means: str, words: tuple[str, ...], default: str | None = None) -> Choice:
    schema: Schema = {"type": "string", "enum": list(words)}
    return Choice(name=name, means=means, schema=schema | ({} if default is None else {"default": default}))


def number(name: str, means: str, *, default: int, low: int, high: int) -> Number:
    schema = {"type": "integer", "minimum": low, "maximum": high, "default": default}
    return Number(name=name, means=means, schema=schema)


@dataclass(frozen=True)
class Operation:
    """`answers`: status to type of its JSON, or to media types and their schemas. `problems`: slugs of errors."""

    summary: str
    answers: Mapping[int, Any]
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    needs_body: bool = True
    problems: tuple[str, ...] = ()
    media: Mapping[str, Schema] = field(default_factory=dict)


def operation(summary: str, **declared: Any) -> Callable[[View], View]:
    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, Operation(summary, **declared))
        return view

    return declare


def operation_of(view: Callable[..., Any]) -> Operation | None:
    found: Operation | None = getattr(view, _ATTRIBUTE, None)
    return found
