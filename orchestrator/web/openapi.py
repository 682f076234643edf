"""The OpenAPI 3.1 document of the desktop API, made of what the views declare; nothing is written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec
from flask import Flask
from werkzeug.routing import Rule

from orchestrator import __version__
from orchestrator.web.operations import Operation, Parameter, operation_of
from orchestrator.web.problems import SLUGS, STATUS
from orchestrator.web.shapes import ProblemDetails

Json = dict[str, Any]
ALWAYS = ("unauthorized", "forbidden", "too-many-requests", "store-unavailable")
"""Problems that any operation may answer with."""
_METHODS = ("GET", "POST")
_STATUS = {slug: status for status, slug in SLUGS.items()} | STATUS
_DESCRIPTION = """\
What agent desktops ask and report. `docs/api.md` tells of server-sent events, coming back, tokens and limits.
"""


def document(app: Flask) -> Json:
    """For this application's views under `/api`."""
    found = list(_operations(app))
    types = [ProblemDetails, *(each for _, _, one in found for each in _types(one))]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    names: dict[Any, Json] = dict(zip(types, schemas, strict=True))
    paths: Json = {}
    for path, method, one in found:
        paths.setdefault(path, {})[method.lower()] = _operation(path, method, one, names)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Agent desktop API", "version": __version__, "description": _DESCRIPTION},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operations(app: Flask) -> Iterator[tuple[str, str, Operation]]:
    for rule in sorted(app.url_map.iter_rules(), key=lambda each: each.rule):
        one = operation_of(app.view_functions[rule.endpoint])
        for method in _METHODS if one is not None and rule.methods else ():
            if one is not None and method in (rule.methods or ()):
                yield _path(rule), method, one


def _path(rule: Rule) -> str:
    return rule.rule.replace("<sid>", "{call_sid}")


def _types(one: Operation) -> list[Any]:
    return [each for each in (*one.answers.values(), one.body) if each is not None]


def _operation(path: str, method: str, one: Operation, names: dict[Any, Json]) -> Json:
    told: Json = {
        "operationId": _name(path, method),
        "summary": one.summary,
        "parameters": [_parameter(each) for each in one.parameters],
        "responses": {str(status): _answer(one, shape, names) for status, shape in one.answers.items()}
        | _problems((*one.problems, *ALWAYS), names[ProblemDetails]),
    }
    if one.body is not None:
        content = {"application/json": {"schema": names[one.body]}}
        told["requestBody"] = {"required": one.needs_body, "content": content}
    return told


def _name(path: str, method: str) -> str:
    words = path.removeprefix("/api/v1/").replace("{call_sid}", "call").replace("/", "-")
    return f"{method.lower()}-{words}"


def _parameter(each: Parameter) -> Json:
    told: Json = {"name": each.name, "in": each.place, "description": each.means, "schema": each.schema}
    return told | ({"required": True} if each.place == "path" else {})


def _answer(one: Operation, shape: Any, names: dict[Any, Json]) -> Json:
    content: Json = {} if shape is None else {"application/json": {"schema": names[shape]}}
    content |= {media: {"schema": schema} for media, schema in one.media.items()}
    text = one.summary if shape is None else str(shape.__doc__).partition("\n")[0]
    return {"description": text, "content": content}


def _problems(slugs: tuple[str, ...], schema: Json) -> Json:
    by_status: dict[int, list[str]] = {}
    for slug in sorted(set(slugs)):
        by_status.setdefault(_STATUS[slug], []).append(slug)
    return {
        str(status): {
            "description": ", ".join(f"`{slug}`" for slug in found),
            "content": {"application/problem+json": {"schema": schema}},
        }
        for status, found in sorted(by_status.items())
    }


def cached(app: Flask) -> Callable[[], Json]:
    """The document, made when it is first asked for."""
    return cache(lambda: document(app))
