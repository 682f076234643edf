"""The alert rules and the metrics as Prometheus's own tool judges them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.metrics import Tally, exposition, observed
from tests.e2e.processes import ROOT

RULES = ROOT / "config/prometheus"


def promtool(*words: str | Path, told: str = "", cwd: Path = RULES) -> str:
    tool = Path(sys.executable).parent / "promtool"
    if not tool.exists():
        pytest.fail("promtool is missing; scripts/require-promtool.sh says how to get it")
    done = subprocess.run([tool, *words], cwd=cwd, input=told, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  our own words
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_alerts_fire_when_they_should(tmp_path: Path) -> None:
    """Every case of alerts_test.yml; a case that is wrong is noticed."""
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")
    (tmp_path / "alerts.yml").write_text((RULES / "alerts.yml").read_text().replace("> 0.001", "> 0.5"))
    (tmp_path / "alerts_test.yml").write_text((RULES / "alerts_test.yml").read_text())
    with pytest.raises(AssertionError, match="PausesNotOffInTime"):
        promtool("test", "rules", "alerts_test.yml", cwd=tmp_path)


def test_the_configuration_is_one(tmp_path: Path) -> None:
    """With the token's file beside it."""
    for name in ("alerts.yml", "prometheus.yml"):
        (tmp_path / name).write_text((RULES / name).read_text())
    (tmp_path / "metrics-token").write_text("fake")
    promtool("check", "config", "prometheus.yml", cwd=tmp_path)


def test_the_metrics_page_has_no_lint() -> None:
    """Types, units and help as Prometheus likes them."""
    tally = Tally()
    tally.webhook("voice.voice", 200, 0.02)
    tally.provider_request("asapp", "stop-transcription", "done", 0.1)
    tally.transcript_message("stored")
    counts = tally.take() | observed("orchestrator_pause_to_off_seconds", 0.4) | {"_coverage_heard_ms": 5.0}
    text = exposition(counts, {"waiting": 2, "transcribing": 1})
    assert promtool("check", "metrics", told=text).strip() == ""
