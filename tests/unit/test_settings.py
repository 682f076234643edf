"""Settings read the environment as a whole and tell every fault at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from orchestrator.errors import ConfigurationError
from orchestrator.secret import Secret
from orchestrator.settings import Settings

GOOD = {
    "REDIS_URL": "redis://localhost:6379/0",
    "PUBLIC_BASE_URL": "https://calls.example.com/",
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "fake-token",
    "ASAPP_API_ID": "fake-id",
    "ASAPP_API_SECRET": "fake-secret",
}


def read(**changes: str | None) -> Settings:
    environ = {**GOOD, **{key: value for key, value in changes.items() if value is not None}}
    for key, value in changes.items():
        if value is None:
            environ.pop(key, None)
    return Settings.from_environment(environ)


def faults(**changes: str | None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(**changes)
    return caught.value.faults


def test_defaults_are_those_of_the_contract() -> None:
    """What is not set has the promised default."""
    settings = read()
    assert settings.public_base_url == "https://calls.example.com"
    assert (settings.worker_threads, settings.inline_worker_threads) == (16, 0)
    assert (settings.redis_shards, settings.asapp_max_rps, settings.twilio_max_concurrency) == (1, 90, 50)
    assert (settings.call_ttl_days, settings.transcript_ttl_days, settings.quarantine_ttl_hours) == (7, 7, 24)
    assert settings.asapp_api_base_url == "https://api.sandbox.asapp.com"
    assert settings.transcript_webhook_secret_name == "asapp-webhook-secret"
    assert settings.asapp_daily_limit is None


def test_every_fault_is_told_in_one_message() -> None:
    """An empty environment and a malformed one list all that is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_environment({"WORKER_THREADS": "many", "LOG_LEVEL": "loud"})
    message = str(caught.value)
    for name in (*GOOD, "WORKER_THREADS", "LOG_LEVEL"):
        assert name in message


def test_faults_of_the_profiles_file_are_told_in_the_same_message(tmp_path: Path) -> None:
    """Whoever sets a site right sees everything at once, with the line in the file."""
    path = tmp_path / "profiles.toml"
    path.write_text("[default]\nroute = 'nowhere'\nmax_pause_s = 0\n", encoding="utf-8")
    told = faults(PUBLIC_BASE_URL=None, ORCHESTRATOR_CONFIG=str(path))
    assert "PUBLIC_BASE_URL is not set" in told
    assert any("line 2: route must be" in fault for fault in told)
    assert any("line 3: max_pause_s must be" in fault for fault in told)
    assert any("cannot be read" in fault for fault in faults(ORCHESTRATOR_CONFIG=str(tmp_path / "absent.toml")))


def test_a_profile_that_leads_back_to_the_service_is_refused(tmp_path: Path) -> None:
    """The start names line and key, before any caller goes round in circles."""
    path = tmp_path / "profiles.toml"
    path.write_text('[default]\nroute = "conference"\nsurvey_url = "https://calls.example.com/twilio/survey"\n')
    told = faults(PUBLIC_BASE_URL="https://calls.example.com/", ORCHESTRATOR_CONFIG=str(path))
    assert list(told) == [f"{path}, line 3: survey_url must lead away from this service"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "http://x"),
        ("REDIS_URL", "redis://host:port/0"),
        ("REDIS_URL", "redis://host:99999/0"),
        ("REDIS_URL", "redis+sentinel://one:26379,two:26379"),
        ("REDIS_URL", "redis+sentinel://one:x/service"),
        ("REDIS_URL", "redis+sentinel://one:26379/service/zero"),
        ("REDIS_URL", "rediss+cluster://one:70000"),
        ("REDIS_URL", "redis+cluster://one:6379,,"),
        ("REDIS_TLS_VERIFY", "perhaps"),
        ("REDIS_TLS_CA_FILE", "/nowhere/ca.pem"),
        ("REDIS_TLS_CA_FILE", __file__),
        ("PUBLIC_BASE_URL", "calls.example.com"),
        ("PUBLIC_BASE_URL", "http://calls.example.com"),
        ("PUBLIC_BASE_URL", "https://calls.example.com/?a=b"),
        ("PUBLIC_BASE_URL", "https://user:pw@calls.example.com"),
        ("PUBLIC_BASE_URL", "https://my_calls.example.com"),
        ("PUBLIC_BASE_URL", "https://[broken"),
        ("TWILIO_ACCOUNT_SID", "AC1"),
        ("ASAPP_API_BASE_URL", "http://api.example.com"),
        ("TWILIO_API_BASE_URL", "http://api.example.com"),
        ("AGENT_API_KEYS", "nokey"),
        ("AGENT_API_KEYS", "a:b:write"),
        ("AGENT_API_ORIGINS", "desk.example.com"),
        ("CONSOLE_USERS", "amy"),
        ("TWILIO_SHARED_KEYS", "webhooks_sharedkey_fake"),
        ("TWILIO_SIGNATURES", "none"),
        ("TWILIO_SIGNATURES", "shared-key"),
        ("REDIS_SHARDS", "0"),
        ("ASAPP_DAILY_LIMIT", "-1"),
        ("PORT", "70000"),
        ("TWILIO_API_KEY", "alone"),
        ("TRANSCRIPT_WEBHOOK_SECRET_NAME", "a b"),
        ("TRANSCRIPT_WEBHOOK_AUTH", "basic"),
        ("TRANSCRIPT_WEBHOOK_AUTH", "oauth2"),
        ("TRANSCRIPT_WEBHOOK_JWKS_URL", "http://issuer.example/keys"),
        ("TRANSCRIPT_WEBHOOK_MTLS_HEADER", "X-Client-Verify"),
        ("TRANSCRIPT_WEBHOOK_PROXIES", "proxy"),
        ("ARCHIVE_URL", "nowhere"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ],
)
def test_a_malformed_variable_is_named(name: str, value: str) -> None:
    """The one fault names the variable and does not repeat the value."""
    (fault,) = faults(**{name: value})
    assert fault.startswith(name)
    assert name != "REDIS_URL" or value not in fault


def test_traces_without_their_extra_are_a_fault_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, not at the first call."""
    collector = "https://collector.example"
    assert read(OTEL_EXPORTER_OTLP_ENDPOINT=f"{collector}/").otel_exporter_otlp_endpoint == collector
    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    (fault,) = faults(OTEL_EXPORTER_OTLP_ENDPOINT=collector)
    assert "asapp-twilio-orchestrator[otel]" in fault


def test_redis_is_not_asked_for_a_start() -> None:
    """Every way to run Redis is understood, and none of them is connected to."""
    for url in ("redis://h:1/2", "unix:///run/x?db=1", "redis+sentinel://a,b:1/s/3", "rediss+cluster://:pw@a:1,b"):
        assert read(REDIS_URL=url).redis_url == url


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:9", "[::1]:2"])
def test_plain_http_is_for_loopback_hosts_only(host: str) -> None:
    """Emulators on this machine are reached without TLS."""
    assert read(ASAPP_API_BASE_URL=f"http://{host}").asapp_api_base_url == f"http://{host}"


def test_a_secret_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A rotated file is in force at once; an unreadable or empty one leaves the last values in force."""
    path = tmp_path / "token"
    path.write_text("first\n")
    settings = read(TWILIO_AUTH_TOKEN=None, TWILIO_AUTH_TOKEN_FILE=str(path), TWILIO_AUTH_TOKEN_SECONDARY="next")
    assert settings.signing_tokens() == ("first", "next")
    path.write_text("second, third\n")
    os.utime(path, ns=(1, 1))
    assert settings.signing_tokens() == ("second", "third", "next")
    path.unlink()
    assert settings.signing_tokens() == ("second", "third", "next")


def test_a_missing_secret_file_and_a_double_setting_are_faults(tmp_path: Path) -> None:
    """Both mistakes are told by name."""
    missing = str(tmp_path / "none")
    assert any("ASAPP_API_ID_FILE" in fault for fault in faults(ASAPP_API_ID=None, ASAPP_API_ID_FILE=missing))
    assert any("both" in fault for fault in faults(ASAPP_API_ID_FILE=missing))


def test_nothing_secret_shows_itself() -> None:
    """No repr of settings or secrets holds a secret value."""
    settings = read(
        AGENT_API_KEYS="desk:canary-1", REDIS_URL="redis://:canary-2@h/0", TRANSCRIPT_WEBHOOK_SECRET="canary-3"
    )
    shown = repr(settings) + repr(settings.api_keys()) + str(Secret("X", "canary-4"))
    assert "canary" not in shown


def test_api_keys_and_console_users_are_read() -> None:
    """A key may be for reading only; a hashed password keeps its colons; a user may have two."""
    users = "amy:scrypt:32768:8:1$salt$hash,ben:old,ben:new"
    settings = read(AGENT_API_KEYS="desk:k1, board:k2:read", CONSOLE_USERS=users)
    assert [(key.name, key.key, key.is_read_only) for key in settings.api_keys()] == [
        ("desk", "k1", False),
        ("board", "k2", True),
    ]
    assert settings.console_logins() == {"amy": ["scrypt:32768:8:1$salt$hash"], "ben": ["old", "new"]}


def test_shared_keys_are_read() -> None:
    """Name and secret of each."""
    settings = read(
        TWILIO_SHARED_KEYS="webhooks_sharedkey_a:s1, webhooks_sharedkey_b:s2", TWILIO_SIGNATURES="shared-key"
    )
    assert settings.shared_keys() == (("webhooks_sharedkey_a", "s1"), ("webhooks_sharedkey_b", "s2"))
    assert settings.twilio_signatures == "shared-key"


def test_rest_credentials_prefer_the_api_key() -> None:
    """With no key the account and its token serve."""
    assert read().twilio_credentials() == (GOOD["TWILIO_ACCOUNT_SID"], "fake-token")
    assert read(TWILIO_API_KEY="SK1", TWILIO_API_SECRET="s").twilio_credentials() == ("SK1", "s")


def test_a_command_with_its_own_store_needs_no_redis_url() -> None:
    """`serve` may start without REDIS_URL, and with its own number of worker threads."""
    environ = {key: value for key, value in GOOD.items() if key != "REDIS_URL"}
    settings = Settings.from_environment(environ, needs_redis=False, inline_worker_threads=4)
    assert settings.redis_url is None
    assert settings.inline_worker_threads == 4


SIGNING_KEY = "whsec_ZmFrZS1zZWNyZXQtb2YtMjQtYnl0ZXMtISE="


@pytest.mark.parametrize(
    ("url", "secret", "fault"),
    [
        ("https://hooks.example.com/calls?token=fake-token", SIGNING_KEY, None),
        ("http://127.0.0.1:9000/calls", f"{SIGNING_KEY},{SIGNING_KEY}", None),
        ("http://hooks.example.com/calls", SIGNING_KEY, "SINK_URL must be https"),
        ("https://fake:fake@hooks.example.com", SIGNING_KEY, "SINK_URL must have no user or password"),
        ("https://hooks.example.com", None, "SINK_URL needs SINK_SECRET"),
        ("https://hooks.example.com", "whsec_c2hvcnQ=", "SINK_SECRET: entry 1"),
        ("https://hooks.example.com", "whsec_%%%", "SINK_SECRET: entry 1"),
        ("https://hooks.example.com", "fake-secret-of-more-than-24-letters", "SINK_SECRET: entry 1"),
    ],
)
def test_a_sink_is_a_safe_address_and_a_key(url: str, secret: str | None, fault: str | None) -> None:
    """https or loopback, and a key as Standard Webhooks has it; the address may hold a token and is not shown."""
    if fault is None:
        assert "fake-token" not in repr(read(SINK_URL=url, SINK_SECRET=secret))
        return
    assert any(each.startswith(fault) for each in faults(SINK_URL=url, SINK_SECRET=secret))
