"""Every command of the README and of docs/ is run here against a whole site, with its placeholders filled in.

Blocks of shell, indented lines that begin with a program of ours, and commands between backticks count. What cannot be
run here is named below, with the place where it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from orchestrator import profiles
from orchestrator.cli import main
from tests.e2e.harness import ACCOUNT_SID, CUSTOMER, DESKTOP_KEY, NUMBER, Site
from tests.e2e.numbers import WORKFLOW
from tests.e2e.numbers import profiles as numbers
from tests.e2e.processes import ROOT, poll

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
PROGRAMS = r"orchestrator|curl|make|pip|redis-server|set|cp|python3?|\."
ELSEWHERE = {
    r"pip install": "`make` installs from the same files before any test",
    r"make( |$)": "this run itself is one; that the targets exist is checked below",
    r"orchestrator (serve|worker)\b": "the processes of these tests, and tests/integration/web/test_processes.py",
    r"orchestrator demo\b": "runs until Ctrl-C; tests/e2e/test_demo.py",
    r"orchestrator emulate\b": "the emulators of these tests; run until they are ended",
    r"orchestrator calls --watch": "needs a terminal; tests/integration/cli/test_watching.py",
    r"orchestrator sinks\b": "needs a sink; tests/integration/transcripts/test_sink.py",
}
WALKED = {"docs/deploy.md": "tests/deployment/test_stranger.py"}
"""Pages that another test follows from an empty folder."""
DIFFERENT = {r"orchestrator replay": {0, 1}}
"""Exit codes beside 0 that are answers."""


@dataclass(frozen=True)
class Command:
    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


def commands(page: str) -> Iterator[Command]:
    """In their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines, is_shell = text.splitlines(), False
    number = 0
    while number < len(lines):
        line, first = lines[number], number + 1
        number += 1
        if line.startswith("```"):
            is_shell = line.strip() == "```sh"
            continue
        is_indented = re.match(rf" {{4,}}({PROGRAMS}) ", line) is not None and not line.lstrip().startswith("set ")
        if is_shell or is_indented:
            while line.endswith("\\"):
                line = line[:-1].rstrip() + " " + lines[number].strip()
                number += 1
            if line.strip():
                yield Command(page, first, line.strip())
            continue
        for found in re.findall(r"`((?:orchestrator|make) [^`|]+)`", line):
            yield Command(page, first, complete(found))


def complete(text: str) -> str:
    """A command that is only named, without the arguments that it must have, is asked for its help."""
    context = click.Context(main)
    name, *rest = text.split()[1:]
    command = main.get_command(context, name) if text.startswith("orchestrator") else None
    needs_more = isinstance(command, click.Group) or any(each.required for each in (command.params if command else ()))
    return f"{text} --help" if needs_more and not rest else text


def is_elsewhere(command: Command) -> bool:
    return command.page in WALKED or any(re.match(pattern, command.text) for pattern in ELSEWHERE)


@pytest.fixture(scope="module")
def whole_site() -> Iterator[Site]:
    """All numbers and the workspace point here, and a feed of the day before yesterday is there."""
    with Site() as site:
        workspace = {"workspace_sid": "WS" + "0" * 32, "event_callback_url": "", "workflows": [WORKFLOW]}
        site.twilio("workspace", workspace)
        site.asapp("feeds", {"date": day(), "rows": [], "generate": 2})
        setup = [sys.executable, "-m", "orchestrator", "setup", *numbers(site.flows.url), "--apply"]
        subprocess.run(setup, env=site.environment(), check=True, capture_output=True, timeout=60)  # noqa: S603  ours
        yield site


def day() -> str:
    return (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%d")


class Reader:
    """Somebody who follows a page in a folder of their own, with one call that goes on and one that has ended."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        (folder / "config").mkdir()
        shutil.copy(ROOT / "config/profiles.toml", folder / "config/profiles.toml")
        filled_in = "".join(f"{name}='{value}'\n" for name, value in site.environment().items())
        (folder / "config/example.env").write_text(filled_in, encoding="utf-8")
        shutil.copy(folder / "config/example.env", folder / "site.env")
        self.live = self._call()
        self.ended = self._call()
        site.twilio(f"calls/{self.ended}/hangup", {})
        poll(lambda: site.api(f"/calls/{self.ended}")["state"] == "ended", 10, "the call has ended")

    def _call(self) -> str:
        sid = str(self.site.twilio("calls", {"from": CUSTOMER, "to": NUMBER})["sid"])
        poll(lambda: self.site.twilio(f"calls/{sid}")["conference"], 10, "the caller waits in the conference")
        return sid

    def close(self) -> None:
        self.site.twilio(f"calls/{self.live}/hangup", {})

    def filled_in(self, text: str) -> str:
        """The command as a reader would type it."""
        began = datetime.fromisoformat(self.site.api(f"/calls/{self.live}")["created_at"])
        wants_ended = re.match(r"orchestrator forget", text)
        for old, new in {
            "CALL_SID": self.ended if wants_ended else self.live,
            "YOUR-KEY": DESKTOP_KEY,
            "https://api.twilio.com": self.site.twilio_url,
            "https://calls.example.com": self.site.web_url,
            "https://YOUR-HOST": self.site.web_url,
            "12:03:10": began.strftime("%H:%M:%S.%f"),
            "12:04:00": (began + timedelta(seconds=1)).strftime("%H:%M:%S.%f"),
            "s3://reports": (self.folder / "reports").as_uri(),
            " NUMBER": f" {NUMBER}",
            "curl ": "curl --fail --silent --show-error ",
        }.items():
            text = text.replace(old, new)
        return re.sub(r"--date (DAY|\d{4}-\d\d-\d\d)", f"--date {day()}", text)

    def follow(self, given: list[Command]) -> None:
        """One shell for the whole page, as it is read; the first command that fails ends it, and is named."""
        lines = [f"export {name}='{value}'" for name, value in self.site.environment().items()]
        for command in given:
            text = self.filled_in(command.text)
            allowed = next((codes for pattern, codes in DIFFERENT.items() if re.match(pattern, command.text)), {0})
            accepted = " || ".join(f"[ $code = {code} ]" for code in sorted(allowed))
            lines += [f"echo '=== {command.page}:{command.line}'", "code=0", f"{text} || code=$?"]
            lines += [f"({accepted}) || {{ echo FAILED {command.page}:{command.line} exit $code; exit 1; }}"]
        done = subprocess.run(  # noqa: S603  the commands of our own pages
            ["/bin/sh", "-c", "\n".join(lines)],
            cwd=self.folder,
            env={"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(self.folder)},
            input="y\n" * 20,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.parametrize("page", [page for page in PAGES if any(not is_elsewhere(each) for each in commands(page))])
def test_every_command_of_the_page_works(whole_site: Site, tmp_path: Path, page: str) -> None:
    """Exit 0, in the order of the page."""
    reader = Reader(whole_site, tmp_path)
    try:
        reader.follow([command for command in commands(page) if not is_elsewhere(command)])
    finally:
        reader.close()


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_are_named_are_there(page: str) -> None:
    """What a page says to make, the Makefile makes."""
    made = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands(page):
        if command.text.startswith("make "):
            assert command.text.split()[1] in made, str(command)


@pytest.mark.parametrize("page", PAGES)
def test_profiles_in_the_pages_are_profiles(page: str) -> None:
    """Each block of TOML is read as a profiles file is, with a default where it has none."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        if "[[profile]]" in block or "[default]" in block:
            default = "" if "[default]" in block else '[default]\nroute = "conference"\n'
            profiles.parse(default + block)


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    """No page points to one that nobody wrote."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([\w./-]+?)(?:#[\w-]+)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_the_pages_have_commands() -> None:
    """Otherwise all of this would prove nothing."""
    found = [command.text for page in PAGES for command in commands(page)]
    for start in (
        "orchestrator explain CALL_SID --from",
        "orchestrator setup",
        "orchestrator doctor",
        "curl",
        "make demo",
    ):
        assert any(text.startswith(start) for text in found), start
    assert ACCOUNT_SID not in " ".join(found)
