"""docs/configuration.md is the reference that the code makes of itself, and what names a page or variable is right."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator import reference
from orchestrator.cli import main
from orchestrator.errors import ConfigurationError
from orchestrator.profiles import CHECKS
from orchestrator.secret import Secret
from orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
NAMING = (
    "config/profiles.toml",
    "config/example.env",
    "orchestrator/settings.py",
    "orchestrator/web/api.py",
    "README.md",
)
REQUIRED = {
    "REDIS_URL": "redis://h",
    "PUBLIC_BASE_URL": "https://h.example",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake",
    "ASAPP_API_ID": "fake",
    "ASAPP_API_SECRET": "fake",
}


def test_the_page_is_current() -> None:
    """Whoever changes a setting runs `make reference`."""
    assert reference.markdown() == PAGE, "docs/configuration.md is out of date: run `make reference`"


def test_the_command_prints_the_page_and_the_same_for_programs() -> None:
    """Both name every variable."""
    assert CliRunner().invoke(main, ["config-reference"]).output == PAGE
    told = json.loads(CliRunner().invoke(main, ["config-reference", "--json"]).output)
    assert [each["name"] for each in told["variables"]] == [each.name for each in reference.variables()]
    assert {each["name"] for each in told["profile_keys"]} == CHECKS.keys()


@pytest.mark.parametrize("entry", [*reference.variables(), *reference.keys()], ids=lambda entry: str(entry.name))
def test_everything_says_what_it_means(entry: reference.Entry) -> None:
    """The text below the field is there, and is a sentence."""
    assert entry.meaning.endswith("."), f"{entry.name}: write what it means below its field"
    assert "|" not in entry.meaning


def test_defaults_are_those_in_force() -> None:
    """As read from an environment that sets only what must be set; secrets are marked as such."""
    settings = Settings.from_environment({**REQUIRED, "LOG_FORMAT": "json"})
    for entry in reference.variables():
        value = getattr(settings, entry.name.lower())
        assert entry.is_required == (entry.name in REQUIRED), entry.name
        assert entry.is_secret == isinstance(value, Secret), entry.name
        if entry.default is not None:
            assert entry.default == (",".join(value) if isinstance(value, tuple) else str(value)), entry.name


@pytest.mark.parametrize("name", REQUIRED)
def test_what_is_called_required_is(name: str) -> None:
    """Without it there is no start."""
    with pytest.raises(ConfigurationError, match=f"{name} is not set"):
        Settings.from_environment({key: value for key, value in REQUIRED.items() if key != name})


def test_the_example_environment_names_only_what_there_is() -> None:
    """A misspelt variable in it would be copied and never read."""
    known = {entry.name for entry in reference.variables()}
    example = (ROOT / "config/example.env").read_text(encoding="utf-8")
    for name in re.findall(r"^#? ?([A-Z][A-Z_]+)=", example, re.MULTILINE):
        assert name in known or name.removesuffix("_FILE") in known, name


@pytest.mark.parametrize("path", NAMING)
def test_pages_that_are_named_are_there(path: str) -> None:
    """No file points to a page of docs that nobody wrote."""
    for page in re.findall(r"docs/[\w-]+\.md", (ROOT / path).read_text(encoding="utf-8")):
        assert (ROOT / page).is_file(), page
