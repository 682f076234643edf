"""The files that a deployment begins with, as `orchestrator init` writes them.

They are links to the ones at the top of the checkout; a wheel holds copies. `files` maps the path in the new folder to
the text.
"""

from __future__ import annotations

from importlib import resources

PATHS = ("Procfile", "config/gunicorn.py", "config/profiles.toml", "config/example.env")


def files() -> dict[str, str]:
    """Path to text of every file."""
    folder = resources.files("orchestrator.starter")
    return {path: folder.joinpath(path).read_text(encoding="utf-8") for path in PATHS}
