"""app.json, compose.yaml and Dockerfile name only what exists, and agree with the Procfile and the settings."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from orchestrator.cli import main
from orchestrator.errors import ConfigurationError
from orchestrator.settings import Settings

ROOT = Path(__file__).parents[2]
VARIABLES = {each.name.upper() for each in dataclasses.fields(Settings)}
APP: dict[str, Any] = json.loads((ROOT / "app.json").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
PROCFILE = dict(re.findall(r"^(\w+): *(.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def dockerfile() -> list[tuple[str, str]]:
    """Instruction and the rest of each line."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def image_command() -> list[str]:
    return list(json.loads(next(rest for word, rest in reversed(dockerfile()) if word == "CMD")))


def test_app_json_sets_what_is_required_and_nothing_unknown() -> None:
    """The button asks for each variable without which there is no start; Redis's address comes from the add-on."""
    assert set(APP["env"]) <= VARIABLES
    given = {"REDIS_URL": "rediss://h:1", "REDIS_TLS_VERIFY": APP["env"]["REDIS_TLS_VERIFY"]["value"]}
    for name, told in APP["env"].items():
        if told.get("required", True):
            given[name] = told.get("value", {"generator": "fake"}.get(told.get("generator", ""), "fake"))
    given |= {"PUBLIC_BASE_URL": "https://h.example", "TWILIO_ACCOUNT_SID": "AC" + "0" * 32}
    Settings.from_environment(given)
    for name in ("PUBLIC_BASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "ASAPP_API_ID", "ASAPP_API_SECRET"):
        assert name in missing_without(given, name)


def missing_without(given: dict[str, str], name: str) -> str:
    try:
        Settings.from_environment({key: value for key, value in given.items() if key != name})
    except ConfigurationError as error:
        return error.message
    return ""


def test_app_json_gives_no_secret_a_value() -> None:
    """A secret is asked for or generated; a value here would be everybody's."""
    settings = (ROOT / "docs/configuration.md").read_text()
    secrets = set(re.findall(r"^\| `(\w+)` \| \S+ \| \*secret\*", settings, re.MULTILINE))
    assert not [name for name in secrets & APP["env"].keys() if "value" in APP["env"][name]]


def test_every_platform_runs_the_procfiles_processes() -> None:
    """The same types, the same commands."""
    assert set(APP["formation"]) == PROCFILE.keys() - {"release"}
    commands = {name: service.get("command", image_command()) for name, service in OURS.items()}
    assert commands == {name: shlex.split(command) for name, command in PROCFILE.items()}
    assert (ROOT / ".python-version").read_text().strip() in (ROOT / "setup.cfg").read_text()


def test_every_command_is_one_of_ours() -> None:
    """It exists, with its options."""
    for command in PROCFILE.values():
        words = shlex.split(command)
        if words[:3] == ["python", "-m", "orchestrator"]:
            done = CliRunner().invoke(main, [*words[3:], "--help"])
            assert done.exit_code == 0, command
        else:
            assert words[:3] == ["gunicorn", "--config", "config/gunicorn.py"]


def test_compose_is_whole() -> None:
    """Volumes, dependencies, files and variables that it names are there."""
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= COMPOSE["services"].keys()
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
    for name, service in OURS.items():
        assert set(service["environment"]) <= VARIABLES
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in OURS["web"]["ports"])


def test_what_does_not_answer_http_is_not_asked_for_its_health() -> None:
    """The image's health check is the web process's."""
    assert [name for name, service in OURS.items() if not service.get("healthcheck", {}).get("disable")] == ["web"]


def test_the_image_is_built_from_tracked_files_and_runs_as_nobody() -> None:
    """What is copied passes the ignore file; the last user is a number without rights; /healthz is asked."""
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    copied = [rest.split()[0] for word, rest in dockerfile() if word == "COPY" and not rest.startswith("--from")]
    assert set(copied) <= {*kept, "."}
    stages = [rest for word, rest in dockerfile() if word == "FROM"]
    assert len(stages) == 2
    assert len({stage.split()[0] for stage in stages}) == 1
    users = [rest for word, rest in dockerfile() if word == "USER"]
    assert users == ["10001"]
    (check,) = [rest for word, rest in dockerfile() if word == "HEALTHCHECK"]
    assert "/healthz" in check
