"""The Dockerfile's steps, carried out in order in a folder of this machine: they work, and what they leave serves.

No container engine is needed, so the paths of the image become paths below a temporary folder, base images are this
machine, and what only an image has (users, ports, signals) is left to the engine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.harness import Site
from tests.e2e.processes import ROOT, Process, poll

PLACES = ("/venv", "/src", "/app")
ENGINES = {"EXPOSE", "USER", "STOPSIGNAL"}


class Image:
    """What building leaves: folder, environment, health check and command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = folder / "context"
        self.cwd = folder
        self.environment: dict[str, str] = {}
        self.health: list[str] = []
        self.command: list[str] = []

    def here(self, text: str) -> str:
        """With the image's places as folders of this machine."""
        return re.sub(rf"(?<![\w.])({'|'.join(PLACES)})(?=[/\s]|$)", rf"{self.folder}\1", text)

    def build(self) -> None:
        ignored = (ROOT / ".dockerignore").read_text().splitlines()
        for name in (line[1:] for line in ignored if line.startswith("!")):
            copy(ROOT / name, self.context / name)
        for line in (ROOT / "Dockerfile").read_text().splitlines():
            word, _, rest = line.partition(" ")
            if word and word != "#" and word not in ENGINES:
                self.step(word, self.here(rest))

    def step(self, word: str, rest: str) -> None:
        match word:
            case "FROM":
                self.cwd = self.folder
            case "WORKDIR":
                self.cwd = Path(rest)
                self.cwd.mkdir(parents=True, exist_ok=True)
            case "COPY" if not rest.startswith("--from"):
                source, target = rest.split()
                copy(self.context / source, self.cwd / target / ("" if source == "." else source))
            case "COPY":
                assert Path(rest.split()[1]).is_dir(), f"the first stage left no {rest}"
            case "RUN" if not rest.startswith("useradd"):
                path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
                subprocess.run(["sh", "-ec", rest], cwd=self.cwd, env={"PATH": path}, check=True, timeout=300)  # noqa: S603, S607  our own Dockerfile
            case "RUN":
                return
            case "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in rest.split())
            case "HEALTHCHECK":
                self.health = json.loads(rest[rest.index("[") :])
            case "CMD":
                self.command = json.loads(rest)
            case _:
                raise AssertionError(f"what is {word}?")


def copy(source: Path, target: Path) -> None:
    if source.is_dir():
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, target, symlinks=True, ignore=skipped, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


class InImage(Site):
    """A site whose web process is the image's command, and whose worker is compose's."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.image = image

    def _run_service(self, name: str, command: list[str]) -> Process:
        chosen = self.image.command if name == "web" else command
        return self._run(name, chosen, self.environment() | self.image.environment, cwd=self.image.folder / "app")

    def health(self) -> int:
        environ = self.image.environment | {"PORT": self.web_url.rpartition(":")[2]}
        return subprocess.run(self.image.health, env=environ, check=False, capture_output=True, timeout=20).returncode  # noqa: S603  our own


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    image = Image(tmp_path_factory.mktemp("image"))
    image.build()
    return image


def test_the_image_serves_and_says_whether_it_lives(image: Image) -> None:
    """Its command and compose's worker become ready; its health check passes then, and fails once it has ended."""
    assert not list((image.folder / "venv").rglob("pip/__main__.py"))
    with InImage(image) as site:
        assert site.health() == 0
        web = site.process("web")
        web.popen.terminate()
        poll(lambda: web.popen.poll() is not None, 30, "the web process ends")
        assert site.health() != 0
