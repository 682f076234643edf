"""``orchestrator emulate twilio``: the emulator as a process of its own.

Prints one JSON line when it is ready, ``{"ready": "twilio", "url": "http://127.0.0.1:PORT"}``, and ends at
once on SIGTERM or SIGINT. It listens on the loopback interface only.
"""

import asyncio
import json
import signal
from pathlib import Path

import click
from aiohttp import web

from orchestrator.emulators.twilio.account import Account, Settings
from orchestrator.emulators.twilio.app import create_app
from orchestrator.emulators.twilio.switches import UnknownSwitchError


def _pairs(values: tuple[str, ...], separator: str, option: str) -> dict[str, str]:
    pairs = dict(value.partition(separator)[::2] for value in values)
    if not all(pairs) or not all(pairs.values()):
        raise click.UsageError(f"{option} takes NAME{separator}VALUE")
    return pairs


@click.command("twilio")
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0: any.")
@click.option("--account-sid", default="AC" + "0" * 32, show_default=True)
@click.option("--auth-token", default="fake-auth-token", show_default=True)
@click.option("--api-key", "api_keys", multiple=True, metavar="SID:SECRET", help="May be repeated.")
@click.option("--speed", default=1.0, show_default=True, help="Emulated seconds in a real second.")
@click.option("--seed", default=0, show_default=True, help="Of what is said, and of faults by chance.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Certificate (PEM) to trust for wss.")
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help="May be repeated.")
def command(
    port: int,
    account_sid: str,
    auth_token: str,
    api_keys: tuple[str, ...],
    speed: float,
    seed: int,
    ca_file: Path | None,
    switches: tuple[str, ...],
) -> None:
    """Emulate Twilio's voice platform."""
    settings = Settings(
        account_sid,
        auth_token,
        _pairs(api_keys, ":", "--api-key"),
        speed,
        seed,
        ca_file,
        _pairs(switches, "=", "--switch"),
    )
    try:
        asyncio.run(_serve(settings, port))
    except UnknownSwitchError as problem:
        raise click.UsageError(str(problem)) from problem


async def _serve(settings: Settings, port: int) -> None:
    account = Account(settings)
    runner = web.AppRunner(create_app(account), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, ended.set)
    actual = runner.addresses[0][1]
    click.echo(json.dumps({"ready": "twilio", "url": f"http://127.0.0.1:{actual}"}))
    await ended.wait()
    await account.hooks.close()
    await runner.cleanup()


if __name__ == "__main__":
    command()
