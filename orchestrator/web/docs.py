"""`/api/openapi.json` and `/api/docs`: the desktop API described, for programs and for people. Without a key.

The page is plain HTML made of the same document: no script, one style sheet, nothing from elsewhere.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, current_app, render_template, send_from_directory

from orchestrator.web import openapi

KEY = "orchestrator.openapi"
_PAGE_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
bp = Blueprint("docs", __name__, url_prefix="/api")


def register(app: Any) -> None:
    app.extensions[KEY] = openapi.cached(app)
    app.register_blueprint(bp)


@bp.get("/openapi.json")
def openapi_json() -> Response:
    text = json.dumps(current_app.extensions[KEY](), indent=1)
    return Response(text, content_type="application/json", headers={"Access-Control-Allow-Origin": "*"})


@bp.get("/docs")
def docs() -> Response:
    document = current_app.extensions[KEY]()
    page = render_template("api/docs.html", document=document, type_of=type_of)
    return Response(page, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _PAGE_POLICY})


@bp.get("/docs.css")
def docs_css() -> Response:
    return send_from_directory("static/api", "docs.css")


def type_of(schema: dict[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(type_of(each) for each in schema["anyOf"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " · ".join("null" if each is None else str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema['items'])}"
    words = [str(schema.get("type", "anything"))]
    if "format" in schema:
        words.append(f"({schema['format']})")
    if "pattern" in schema:
        words.append(f"matching {schema['pattern']}")
    if "minimum" in schema:
        words.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        words.append(f"(default {schema['default']})")
    return " ".join(words)
