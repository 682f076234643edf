"""The coverage ledger over calls in Redis and in the archive."""

from __future__ import annotations

import csv
import io
import json

from click.testing import CliRunner, Result
from msgspec.structs import replace

from orchestrator.cli import main
from orchestrator.core.call import Gap
from tests.integration.transcripts.conftest import Office
from tests.unit.transcripts.conversations import SID, T0, given_call

DAY = "2023-11-14"
GAP = Gap(start=T0 + 110_000, end=T0 + 120_000, reason="stream-broken")
FIRST = replace(given_call((40, 60, "hold")), gaps=(GAP,), unwanted_ms=250)
SECOND = replace(given_call(), call_sid="CA" + "2" * 32, gaps=(replace(GAP, reason="asapp-5xx"),))


def coverage(office: Office, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["coverage", *arguments], env=office.environment)


def test_days_and_agents_are_summed_over_both_places(office: Office) -> None:
    """Each call once, whether Redis, the archive or both have it."""
    office.lists([])
    office.put(FIRST)
    office.look(FIRST)
    office.put(SECOND)
    office.services.redis.execute_command("DEL", office.services.store.keys.of(SID).document)
    done = coverage(office, "--from", DAY, "--to", DAY, "--format", "json")
    assert done.exit_code == 0, done.output
    everyone, amy = json.loads(done.output)
    assert (everyone["day"], everyone["agent"], everyone["calls"]) == (DAY, "*", 2)
    assert (everyone["transcribed_s"], everyone["missing_s"], everyone["unwanted_s"]) == (180, 20, 0.25)
    assert (everyone["stream-broken"], everyone["vendor-down"]) == (10, 10)
    assert everyone["ratio"] == round(180 / 200, 4)
    assert (amy["agent"], amy["talk_s"]) == ("amy", 200)


def test_a_table_and_csv_say_the_same(office: Office) -> None:
    """For people and for spreadsheets; days without calls say so."""
    office.put(FIRST)
    table = coverage(office, "--from", DAY, "--to", DAY)
    assert "amy" in table.output
    assert "stream-broken 10" in table.output
    rows = list(csv.DictReader(io.StringIO(coverage(office, "--from", DAY, "--to", DAY, "--format", "csv").output)))
    assert [row["agent"] for row in rows] == ["*", "amy"]
    assert "No calls" in coverage(office, "--from", "2023-11-15", "--to", "2023-11-15").output
    assert coverage(office, "--from", "2023-11-15", "--to", DAY).exit_code == 2
