"""How fast a day's batch feed is exported, and with how much memory: rows per second and the peak of the process.

The command `orchestrator export utterances` runs as a process of its own against an emulated ASAPP whose feeds are made
up on the way (utterances and their states, split and compressed) and a real redis-server. Beside it the same files
are read once by a bare loop that counts lines, which is what the emulator and the line allow. Goal: under 300 MB for
two million utterances.

    python benchmarks/batch_export.py [--rows 2000000] [--format jsonl]

Exit 1 when the goal is missed with `--strict`.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parents[1]))

from orchestrator.asapp.exporter import STATES, UTTERANCES, Exporter
from orchestrator.asapp.exporter_download import rows
from orchestrator.core.actions import Outcome
from orchestrator.http import Http
from tests.contract.vendors import _emulator
from tests.integration.conftest import start_redis

PEAK_GOAL_MB = 300
DAY = (datetime.now(UTC) - timedelta(days=1, hours=3)).date().isoformat()
ID, SECRET = "fake-id", "fake-secret"


def main() -> int:
    asked = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    asked.add_argument("--rows", type=int, default=2_000_000, help="utterances of the day (default 2,000,000)")
    asked.add_argument("--format", default="jsonl", choices=["jsonl", "csv"])
    asked.add_argument("--strict", action="store_true", help="exit 1 when the goal is missed")
    options = asked.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="batch-export-")))
        asapp = stack.enter_context(_emulator("asapp", "--api-id", ID, "--api-secret", SECRET))
        redis = start_redis(folder)
        stack.callback(redis.end)
        _post(asapp, "switches", {"feed-packing": "gz", "feed-split-rows": "250000", "feed-duplicates": "stale"})
        _post(asapp, "feeds", {"date": DAY, "generate": options.rows})
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}")
        count, bare_s = _bare(asapp)
        print(f"reading alone      {count:>10,} rows of both feeds in {bare_s:6.1f} s: {count / bare_s:>9,.0f} rows/s")
        taken_s, peak_mb, told = _export(folder, asapp, redis.url, options.format)
        print(
            f"export             {count:>10,} rows of both feeds in {taken_s:6.1f} s: {count / taken_s:>9,.0f} rows/s"
        )
        print(f"                   {options.rows / taken_s:,.0f} utterances/s, peak of the process {peak_mb:.0f} MB")
        print(told.strip())
    is_met = peak_mb < PEAK_GOAL_MB
    print(f"goal of {PEAK_GOAL_MB} MB: {'met' if is_met else 'missed'}")
    return int(options.strict and not is_met)


def _post(asapp: str, path: str, body: dict[str, Any]) -> None:
    requests.post(f"{asapp}/_emulator/{path}", json=body, timeout=60).raise_for_status()


def _bare(asapp: str) -> tuple[int, float]:
    """How long the files take that nothing is done with."""
    http = Http(1)
    client = Exporter(http, asapp, lambda: (ID, SECRET))
    began, count = time.monotonic(), 0
    for feed in (UTTERANCES, STATES):
        partitions = client.partitions(feed)
        assert not isinstance(partitions, Outcome)
        files = client.files(partitions[-1])
        assert not isinstance(files, Outcome)
        for file in files:
            link = client.link(file)
            assert not isinstance(link, Outcome)
            count += sum(1 for _ in rows(link, is_csv=file.partition.is_csv))
    http.close()
    return count, time.monotonic() - began


def _export(folder: Path, asapp: str, redis_url: str, form: str) -> tuple[float, float, str]:
    """Seconds, megabytes at the peak, and what the command said."""
    (folder / "profiles.toml").write_text('[default]\nroute = "conference"\n')
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "PUBLIC_BASE_URL": "https://calls.example.com",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "fake-token",
        "ASAPP_API_BASE_URL": asapp,
        "ASAPP_API_ID": ID,
        "ASAPP_API_SECRET": SECRET,
        "TRANSCRIPT_WEBHOOK_SECRET": "fake-webhook",
        "ORCHESTRATOR_CONFIG": str(folder / "profiles.toml"),
    }
    command = [sys.executable, "-m", "orchestrator", "export", "utterances", "--date", DAY, "--format", form]
    command += ["--to", str(folder / "out"), "--work-dir", str(folder / "work")]
    began = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    process.stdout.close()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    return time.monotonic() - began, used.ru_maxrss / 1024, told


if __name__ == "__main__":
    sys.exit(main())
