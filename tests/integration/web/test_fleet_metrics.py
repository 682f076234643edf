"""Metrics over several gunicorn processes and machines: any of them answers for all, to the last request."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.conftest import RedisServer
from tests.integration.web.processes import GUNICORN, base, is_up, running
from tests.integration.web.test_processes import report
from tests.ports import free_port

Eventually = Callable[[Callable[[], object]], None]
ROUNDS = 30


def counted(each: dict[str, str]) -> float:
    """Events accepted, as this machine tells."""
    answer = requests.get(f"{base(each)}/metrics", headers={"Authorization": "Bearer fake-metrics"}, timeout=5)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    return sum(
        sample.value
        for sample in families["orchestrator_webhook_seconds"].samples
        if sample.name.endswith("_count") and sample.labels["status"] == "202"
    )


def test_every_process_answers_for_the_fleet(
    environ: dict[str, str],
    redis: object,
    redis_server: RedisServer,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    """Two machines of two processes each; one of them ends, and what it counted stays."""
    del redis  # empties the server
    common = environ | {"REDIS_URL": redis_server.url, "METRICS_TOKEN": "fake-metrics", "WEB_CONCURRENCY": "2"}
    one, two = common | {"PORT": str(free_port())}, common | {"PORT": str(free_port())}
    with running(GUNICORN, one, tmp_path / "one"), ExitStack() as second:
        process = second.enter_context(running(GUNICORN, two, tmp_path / "two"))
        for each in (one, two):
            eventually(lambda each=each: is_up(each))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        for _ in range(ROUNDS):
            assert [report(one).status_code, report(two).status_code] == [202, 202]
        for each in (one, two):
            eventually(lambda each=each: counted(each) == 2 * ROUNDS)  # type: ignore[misc]  # as above
        assert report(two).status_code == 202
        process.send_signal(signal.SIGTERM)
        assert process.wait(25) == 0
        assert counted(one) == 2 * ROUNDS + 1
