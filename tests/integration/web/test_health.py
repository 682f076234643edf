"""Health, readiness and metrics, and the headers that every answer bears."""

from __future__ import annotations

import json
import time

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.conftest import RedisServer
from tests.integration.web.site import MakeSettings, Site, Vendor, open_site


def ready(site: Site) -> tuple[int, dict[str, dict[str, object]]]:
    answer = site.client.get("/readyz")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    return answer.status_code, {line["dependency"]: line for line in lines}


def test_ready_means_redis_and_a_worker(site: Site) -> None:
    """One JSON line per dependency; no vendor is asked."""
    status, lines = ready(site)
    assert status == 503
    assert lines["redis"]["ok"] is True
    assert lines["workers"] == lines["workers"] | {"ok": False, "alive": 0}
    site.services.heartbeat.beat("w1", 5)
    status, lines = ready(site)
    assert status == 200
    assert "stream_url" in lines
    assert site.vendor.requests == []


def test_with_redis_away_the_process_is_alive_and_not_ready(
    own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor
) -> None:
    """A restart would help nobody."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.end()
    assert site.client.get("/healthz").status_code == 200
    status, lines = ready(site)
    assert (status, lines["redis"]["ok"]) == (503, False)


def test_health_asks_nobody(own_redis: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> None:
    """With Redis hanging `/healthz` answers at once."""
    site = open_site(make_settings(own_redis.url), vendor)
    own_redis.freeze()
    started = time.monotonic()
    assert site.client.get("/healthz").status_code == 200
    assert time.monotonic() - started < 0.2


def test_metrics_need_their_token(site: Site, redis_server: RedisServer, make_settings: MakeSettings) -> None:
    """401 without it; without a configured token there is no such page."""
    assert site.client.get("/metrics").status_code == 401
    assert site.client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    off = open_site(make_settings(redis_server.url, METRICS_TOKEN=""), site.vendor)
    assert off.client.get("/metrics").status_code == 404


def test_metrics_tell_calls_and_webhooks(site: Site) -> None:
    """What this and other processes counted, as Prometheus reads it."""
    site.arrive()
    answer = site.client.get("/metrics", headers={"Authorization": "Bearer fake-metrics"})
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (waiting,) = families["orchestrator_calls"].samples
    assert (waiting.labels, waiting.value) == ({"state": "waiting"}, 1)
    counts = {
        sample.labels["endpoint"]: sample.value
        for sample in families["orchestrator_webhook_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counts["voice.voice"] == 1


def test_every_answer_bears_safe_headers(site: Site) -> None:
    """Nothing is sniffed, kept or framed, errors included."""
    for path in ("/healthz", "/nowhere", "/api/v1/calls"):
        headers = site.client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
