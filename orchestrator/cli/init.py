"""`orchestrator init`: what a deployment begins with, where there is no checkout."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator import starter


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
def command(folder: Path) -> None:
    """Write Procfile, gunicorn's configuration, profiles and an example environment into FOLDER.

    A file that is there already stays as it is.
    """
    for path, text in starter.files().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            click.echo(f"kept     {target}")
        else:
            click.echo(f"written  {target}")
    click.echo("Next: copy config/example.env to .env, fill it in, describe your numbers in config/profiles.toml,")
    click.echo("and run: orchestrator doctor")
