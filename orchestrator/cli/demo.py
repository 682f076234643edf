"""`orchestrator demo`: everything in one terminal, with synthetic calls. No account, nothing running."""

from __future__ import annotations

import contextlib
import signal
import tempfile
import threading
import time
from pathlib import Path

import click
import requests
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from orchestrator.demo.processes import Stage
from orchestrator.demo.traffic import Traffic
from orchestrator.demo.view import View, summary
from orchestrator.demo.watching import Watcher
from orchestrator.errors import OrchestratorError

_LOOK_S = 0.4
_HANG_UP_S = 10.0
_ARCHIVE_S = 20.0
_PLAIN_WIDTH = 150


@click.command("demo")
@click.option("--calls", type=click.IntRange(1), help="How many calls to place; default: until Ctrl-C.")
@click.option("--rate", default=20.0, show_default=True, help="Calls placed per minute.")
@click.option("--duration", type=click.FloatRange(1), help="Place calls for so many seconds; default: until Ctrl-C.")
@click.option("--speed", default=4.0, show_default=True, help="Emulated seconds in a real second.")
@click.option("--port", default=8000, show_default=True, help="The service's port on this machine; 0: any.")
@click.option("--seed", default=1, show_default=True, help="Of what is said.")
def command(calls: int | None, rate: float, duration: float | None, speed: float, port: int, seed: int) -> None:
    """Play synthetic calls through the service and two emulators, and show what was heard and what was kept out."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # the last: its terminal was closed
        signal.signal(name, lambda *_: stopping.set())
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        console.print("Starting the Twilio and ASAPP emulators and the service on an embedded Valkey ...")
        try:
            with Stage(Path(folder), port=port, speed=speed, seed=seed) as stage:
                has_failed = _play(console, stage, stopping, rate=rate, calls=calls, duration=duration, speed=speed)
        except OrchestratorError as error:
            raise click.ClickException(str(error)) from error
    if has_failed:
        raise SystemExit(1)


def _play(
    console: Console,
    stage: Stage,
    stopping: threading.Event,
    *,
    rate: float,
    calls: int | None,
    duration: float | None,
    speed: float,
) -> bool:
    """Whether any script could not be played."""
    console.print(f"The service is at {stage.service_url}; {rate:g} calls a minute, {speed:g} times as fast as life.")
    console.print(f"The console is at {stage.service_url}/console; on this machine it needs no password.")
    console.print(f"Answer one yourself, as an agent does: {stage.desk_url}")
    urls: dict[str, object] = {
        "twilio_url": stage.twilio_url,
        "asapp_url": stage.asapp_url,
        "desktop_url": stage.service_url,
        "desktop_key": stage.desktop_key,
    }
    traffic = Traffic(urls, rate_per_min=rate, calls=calls, speed=speed)
    watcher = Watcher(stage.service_url, stage.desktop_key, stage.asapp_url, stage.archive)
    ends_at = float("inf") if duration is None else time.monotonic() + duration
    traffic.start()
    with View(console, "orchestrator demo") as view:
        while not stopping.is_set() and not traffic.is_over() and time.monotonic() < ends_at:
            view.show(list(watcher.rows.values()), watcher.look(traffic.calls))
            stopping.wait(_LOOK_S)
        traffic.stop(_HANG_UP_S)
        _await_archive(watcher, traffic, view)
    summary(console, list(watcher.rows.values()), _pause_to_off(stage))
    return any(playing.trouble for playing in traffic.calls)


def _await_archive(watcher: Watcher, traffic: Traffic, view: View) -> None:
    """The last calls' documents are written some seconds after their end."""
    deadline = time.monotonic() + _ARCHIVE_S
    while time.monotonic() < deadline:
        view.show(list(watcher.rows.values()), watcher.look(traffic.calls))
        if all(row.is_archived or not row.is_call for row in watcher.rows.values()):
            return
        time.sleep(_LOOK_S)


def _pause_to_off(stage: Stage) -> str:
    """From the service's own metrics: how many pauses, and within what time nearly all were off."""
    buckets: list[tuple[float, float]] = []
    with contextlib.suppress(requests.RequestException):
        text = requests.get(f"{stage.service_url}/metrics", headers=stage.metrics_headers, timeout=3).text
        for family in text_string_to_metric_families(text):
            if family.name == "orchestrator_pause_to_off_seconds":
                samples = [sample for sample in family.samples if sample.name.endswith("_bucket")]
                buckets = [(float(sample.labels["le"]), sample.value) for sample in samples]
    total = max((count for _, count in buckets), default=0.0)
    if not total:
        return "no pause was played"
    within = min(limit for limit, count in buckets if count >= 0.99 * total)
    return f"{total:.0f} pauses, 99 % confirmed off within {within:g} s"
