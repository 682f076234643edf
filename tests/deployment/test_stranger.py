"""A stranger deploys by docs/deploy.md: a wheel, `orchestrator init`, a `.env`, a Procfile runner, a redis-server."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.harness import NUMBER, Site
from tests.e2e.processes import DRAIN_S, poll
from tests.e2e.world import CallSeen, assert_ended_clean

DOCTOR = ("honcho", "run", "orchestrator", "doctor")


class CleanFolder(Site):
    """A site whose service is started by honcho in a folder that `orchestrator init` filled."""

    def command(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run as the stranger types it."""
        assert self.installed
        path = f"{self.installed / 'bin'}{os.pathsep}{os.defpath}"
        home = {"PATH": path, "HOME": str(self.home)}
        return subprocess.run(command, cwd=self.home, env=home, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  our own commands

    @property
    def home(self) -> Path:
        folder = self.folder / "home"
        folder.mkdir(exist_ok=True)
        return folder

    def _start_services(self) -> None:
        assert self.command("orchestrator", "init").returncode == 0
        self._fill_in()
        checked = self.command(*DOCTOR, "--release")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert self.installed
        path = f"{self.installed / 'bin'}{os.pathsep}{os.defpath}"
        runner = ["honcho", "start", "web", "worker"]
        self._run("runner", runner, {"PATH": path, "HOME": str(self.home)}, cwd=self.home)

    def _configure(self, number: str) -> None:
        """The stranger has bought one number, and points it here."""
        if number == NUMBER:
            bought = {"phone_number": number}
            self.http.post(f"{self.twilio_url}/_emulator/numbers", json=bought, timeout=10).raise_for_status()
            done = self.command("honcho", "run", "orchestrator", "setup", number, "--apply")
            assert done.returncode == 0, done.stdout + done.stderr

    def _fill_in(self) -> None:
        """`.env` from the example, each name with this site's value; the profiles as they come."""
        values = self.environment()
        example = (self.home / "config/example.env").read_text()
        names = re.findall(r"^(\w+)=", example, re.MULTILINE)
        local = ("PORT", "TWILIO_API_BASE_URL", "ARCHIVE_URL")
        lines = [
            f"{name}={values[name]}" for name in (*names, *local)
        ]  # no ORCHESTRATOR_CONFIG: it is where init put it
        (self.home / ".env").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def clean_folder(installed: Path) -> CleanFolder:
    return CleanFolder(installed=installed)


def test_a_stranger_deploys_and_the_doctor_is_pleased(clean_folder: CleanFolder) -> None:
    """Nothing but what the page says; a call is then transcribed, and the runner ends all on SIGTERM."""
    with clean_folder as site:
        checked = site.command(*DOCTOR)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert "FAIL" not in checked.stdout
        for part in ("redis", "asapp", "stream URL", "twilio"):
            assert re.search(rf"^ +ok  {part}:", checked.stdout, re.MULTILINE), checked.stdout
        assert_ended_clean(CallSeen(site, site.play("queue_then_agent").call_sid))
        runner = site.process("runner")
        runner.popen.terminate()
        poll(lambda: runner.popen.poll() is not None, DRAIN_S, "the runner ends")
        assert "worker-stopped" in runner.text()
