"""Alert rules, their tests, the dashboard and the pages speak of metrics and sections that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.metrics import HELP

ROOT = Path(__file__).parents[2]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "config/prometheus/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
TESTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "config/prometheus/alerts_test.yml").read_text())["tests"]
BOARD: dict[str, Any] = json.loads((ROOT / "config/grafana/orchestrator.json").read_text())
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel.get("targets", [])]
PROMISED = (
    "orchestrator_webhook_seconds",
    "orchestrator_event_to_action_seconds",
    "orchestrator_pause_to_off_seconds",
    "orchestrator_stream_recovery_seconds",
    "orchestrator_unwanted_transcription_seconds_total",
    "orchestrator_calls",
    "orchestrator_provider_requests_total",
    "orchestrator_transcript_messages_total",
    "orchestrator_coverage_ratio",
)
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SAMPLES = {name + part for name, (kind, _) in HELP.items() for part in PARTS[kind]}


def test_every_promised_name_is_there() -> None:
    """Names of the public contract are never changed."""
    assert set(PROMISED) <= HELP.keys()


@pytest.mark.parametrize("text", [*(rule["expr"] for rule in ALERTS), *QUERIES])
def test_every_query_asks_for_a_metric_that_exists(text: str) -> None:
    """A renamed metric would make an alert silent and a panel empty."""
    assert set(re.findall(r"orchestrator_\w+", text)) <= SAMPLES


def test_the_dashboard_shows_every_promised_metric() -> None:
    """Each is somewhere."""
    shown = " ".join(QUERIES)
    assert [name for name in PROMISED if name not in shown] == []


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_is_tested_both_ways_and_explained(rule: dict[str, Any]) -> None:
    """It fires in one situation and is quiet in another, and the page tells what to do."""
    tried = [each for test in TESTS for each in test["alert_rule_test"] if each["alertname"] == rule["alert"]]
    assert {bool(each.get("exp_alerts")) for each in tried} == {True, False}
    page, _, section = rule["annotations"]["runbook"].partition("#")
    assert section == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in (ROOT / page).read_text()
    assert rule["labels"]["severity"] in {"page", "ticket"}
