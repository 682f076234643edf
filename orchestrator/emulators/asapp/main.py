"""The process: ``orchestrator emulate asapp``.

Serves the vendor's HTTP and the control paths on ``--port`` and the media WebSocket (TLS, with a
certificate made at start) on ``--wss-port``, both on 127.0.0.1. Prints one JSON line when ready; ends at
once on SIGTERM or SIGINT.
"""

import asyncio
import signal
import ssl
import sys
from pathlib import Path
from typing import Final

import click
import msgspec
import trustme
from aiohttp import web

from orchestrator.emulators.asapp import api, control, exporter_api, media
from orchestrator.emulators.asapp.state import EMULATOR, Emulator, Settings
from orchestrator.emulators.asapp.switches import SWITCHES, UnknownSwitchError
from orchestrator.emulators.asapp.vendor import vendor_side
from orchestrator.emulators.asapp.webhook import Target

_HOST: Final = "127.0.0.1"


def api_app(emulator: Emulator, ca_pem: bytes) -> web.Application:
    """Return the application of the HTTP port."""
    app = web.Application(middlewares=[vendor_side])
    app[EMULATOR] = emulator
    app[control.CA_PEM] = ca_pem
    app.add_routes(api.routes)
    app.add_routes(exporter_api.routes)
    app.add_routes(control.routes)
    return app


def media_app(emulator: Emulator) -> web.Application:
    """Return the application of the WebSocket port."""
    app = web.Application()
    app[EMULATOR] = emulator
    app.add_routes(media.routes)
    return app


async def serve(settings: Settings, port: int, wss_port: int, ca_file: Path | None) -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    emulator = Emulator(settings)
    authority = trustme.CA(organization_name="Emulated ASAPP")
    pem = authority.cert_pem.bytes()
    if ca_file is not None:
        _write_whole(ca_file, pem)
    runners = [_runner(api_app(emulator, pem)), _runner(media_app(emulator))]
    bound = await _listen(runners[0], port, None)
    emulator.media_port = await _listen(runners[1], wss_port, _tls(authority))
    ready = {
        "ready": "asapp",
        "url": f"http://{_HOST}:{bound}",
        "wss_url": f"wss://{_HOST}:{emulator.media_port}",
        "ca_file": str(ca_file) if ca_file else None,
    }
    click.echo(msgspec.json.encode(ready).decode())
    sys.stdout.flush()
    await ended.wait()
    for runner in runners:
        await runner.cleanup()
    await emulator.close()


def _runner(app: web.Application) -> web.AppRunner:
    return web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handle_signals=False)


async def _listen(runner: web.AppRunner, port: int, tls: ssl.SSLContext | None) -> int:
    await runner.setup()
    await web.TCPSite(runner, _HOST, port, ssl_context=tls, backlog=1024).start()
    bound: int = runner.addresses[0][1]
    return bound


def _tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(_HOST, "localhost").configure_cert(context)
    return context


def _write_whole(path: Path, content: bytes) -> None:
    """Replace the file at once, because others read it whenever they dial."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _chosen(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if not all(separator for _, separator, _ in pairs):
        raise click.BadParameter("a switch is name=value")
    return {name: value for name, _, value in pairs}


@click.command(
    name="asapp",
    epilog="Switches: " + "; ".join(f"{name} ({each.default})" for name, each in SWITCHES.items()),
)
@click.option("--port", default=0, show_default=True, help="HTTP port; 0 takes a free one.")
@click.option("--wss-port", default=0, show_default=True, help="WebSocket port; 0 takes a free one.")
@click.option("--api-id", default="emulated-id", show_default=True, help="The one known asapp-api-id.")
@click.option("--api-secret", default="emulated-secret", show_default=True, help="Its asapp-api-secret.")
@click.option("--webhook-url", help="Where transcripts go; none are sent without it.")
@click.option("--webhook-secret", help="Secret that transcripts bring.")
@click.option("--webhook-secret-name", default="asapp-webhook-secret", show_default=True)
@click.option(
    "--webhook-secret-in", "place", type=click.Choice(["header", "query"]), default="header", show_default=True
)
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Makes ids, delays and drawn faults repeat.")
@click.option("--ca-file", type=click.Path(path_type=Path), help="Where the CA certificate is written (PEM).")
@click.option("--switch", "switches", multiple=True, callback=_chosen, help="name=value; repeatable.")
def command(
    port: int,
    wss_port: int,
    api_id: str,
    api_secret: str,
    webhook_url: str | None,
    webhook_secret: str | None,
    webhook_secret_name: str,
    place: str,
    speed: float,
    seed: int,
    ca_file: Path | None,
    switches: dict[str, str],
) -> None:
    """Emulate ASAPP AutoTranscribe."""
    target = Target(
        url=webhook_url,
        secret=webhook_secret,
        name=webhook_secret_name,
        place="query" if place == "query" else "header",
    )
    settings = Settings(api_id, api_secret, target, speed, seed, switches)
    try:
        asyncio.run(serve(settings, port, wss_port, ca_file))
    except UnknownSwitchError as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    command()
