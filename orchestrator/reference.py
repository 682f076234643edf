"""The reference of the configuration, made from the code: `docs/configuration.md` and `orchestrator config-reference`.

What a variable or a key means is said once, in the text below its field in `Settings` or `Profile`; defaults are those
in force. So a new setting needs its field with that text, the line that reads it, and `make reference`.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
from typing import Any

import msgspec

from orchestrator.core.profile import Profile
from orchestrator.profiles import CHECKS
from orchestrator.secret import Secret
from orchestrator.settings import Settings, defaults

_OPENING = """\
# Configuration

The environment configures a deployment, the profiles file what happens to the calls of each number. Both are checked
as a whole at every start: anything missing or malformed ends it with exit 2 and one message that lists every fault.
`orchestrator doctor` checks them without starting anything, and asks Redis and both vendors.

This page is made from the code by `make reference`; `orchestrator config-reference` prints it for the version that is
installed. What to set first is told in [getting-started.md](getting-started.md).

## Environment

Every variable that is marked *secret* may instead be given as `NAME_FILE`, the path of a file that is read again when
it changes, and, during a rotation, as a comma-separated list of values that are all valid. "none" means that nothing is
set.

"""
_PROFILES = """
## Profiles

`[default]` and any number of `[[profile]]`, each with `to`: a pattern of called numbers (`to = "+1555*"`) or a SIP
domain. The first match wins; a key that a profile does not set comes from `[default]`, then from here. Each call keeps
the profile that it began with.

"""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One variable or key. `default` is as it would be written; None: nothing is set."""

    name: str
    meaning: str
    default: str | None
    is_required: bool = False
    is_secret: bool = False


def variables() -> list[Entry]:
    """Of the environment, in the order of `Settings`."""
    told, (in_force, required) = _texts(Settings), defaults()
    return [
        Entry(
            name=field.name.upper(),
            meaning=told.get(field.name, ""),
            default=_as_variable(getattr(in_force, field.name)),
            is_required=field.name.upper() in required,
            is_secret=isinstance(getattr(in_force, field.name), Secret),
        )
        for field in dataclasses.fields(Settings)
    ]


def keys() -> list[Entry]:
    """Of a profile, in the order of `Profile`."""
    told = _texts(Profile)
    return [
        Entry(
            name=field.name,
            meaning=told.get(field.name, ""),
            default=None if field.default in {None, msgspec.NODEFAULT} else json.dumps(field.default),
            is_required=field.required,
        )
        for field in msgspec.structs.fields(Profile)
        if field.name in CHECKS
    ]


def markdown() -> str:
    """The whole page."""
    return f"{_OPENING}{_table('Variable', variables())}{_PROFILES}{_table('Key', keys())}"


def document() -> dict[str, Any]:
    """The same for programs."""
    return {
        "variables": [dataclasses.asdict(entry) for entry in variables()],
        "profile_keys": [dataclasses.asdict(entry) for entry in keys()],
    }


def _table(title: str, entries: list[Entry]) -> str:
    rows = [f"| `{entry.name}` | {_default(entry)} | {_meaning(entry)} |\n" for entry in entries]
    return f"| {title} | Default | Meaning |\n|---|---|---|\n{''.join(rows)}"


def _default(entry: Entry) -> str:
    if entry.is_required:
        return "required"
    return "none" if entry.default is None else f"`{entry.default}`"


def _meaning(entry: Entry) -> str:
    return f"*secret*. {entry.meaning}" if entry.is_secret else entry.meaning


def _as_variable(value: object) -> str | None:
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return None if value is None or text == "" or isinstance(value, Secret) else text


def _texts(described: type) -> dict[str, str]:
    """The text below each field of a class, on one line."""
    (definition,) = ast.parse(inspect.getsource(described)).body
    if not isinstance(definition, ast.ClassDef):  # a class's source is its definition; this tells mypy
        raise TypeError(described)
    found: dict[str, str] = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found
