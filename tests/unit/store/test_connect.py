"""Addresses of Redis, and the settings that bound every operation."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.store.connect import Client, Tls, connect, settings
from orchestrator.store.errors import StoreMisconfigured


def pool_options(client: Any) -> dict[str, Any]:
    return dict(client.connection_pool.connection_kwargs)


@pytest.mark.parametrize(
    "url", ["redis://localhost/0", "rediss://:fake@localhost:6390/2", "unix:///run/valkey.sock?db=1"]
)
def test_every_setting_that_decides_about_time_is_ours(url: str) -> None:
    """No default of redis-py (ten retries of five seconds) is left in force."""
    client = connect(url)

    options = pool_options(client)

    assert isinstance(client, Client)
    assert options["socket_timeout"] == 1.0
    assert options["socket_connect_timeout"] == 0.5
    assert options["health_check_interval"] == 0
    assert options["retry"].get_retries() == 0
    assert options["protocol"] == 2
    assert not options["decode_responses"]


def test_settings_name_the_size_of_the_pool() -> None:
    """The pool holds what the caller asked for."""
    assert settings(7)["max_connections"] == 7


def test_sentinel_addresses_are_understood() -> None:
    """Every Sentinel, the service and the database are found in the URL, with the same bounds."""
    client: Any = connect("redis+sentinel://:fake@one:26379,two/mymaster/3")

    pool = client.connection_pool
    sentinels = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]

    assert pool.service_name == "mymaster"
    assert pool.connection_kwargs["db"] == 3
    assert pool.connection_kwargs["password"] == "fake"
    assert pool.connection_kwargs["socket_timeout"] == 1.0
    assert [(each["host"], each["port"], each["socket_timeout"]) for each in sentinels] == [
        ("one", 26379, 1.0),
        ("two", 26379, 1.0),
    ]


def test_what_a_server_must_show_reaches_every_kind_of_client() -> None:
    """Sentinels too; an address without TLS is asked for nothing."""
    tls = Tls("chain", "/ca.pem")
    wanted = {"ssl_cert_reqs": "required", "ssl_check_hostname": False, "ssl_ca_certs": "/ca.pem"}
    assert wanted.items() <= pool_options(connect("rediss://h:1/0", tls=tls)).items()
    client: Any = connect("rediss+sentinel://one:1/service", tls=tls)
    assert wanted.items() <= client.connection_pool.connection_kwargs.items()
    (sentinel,) = client.connection_pool.sentinel_manager.sentinels
    assert wanted.items() <= pool_options(sentinel).items()
    assert not any(name.startswith("ssl") for name in pool_options(connect("redis://h:1/0", tls=tls)))


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost", "redis+sentinel://host:1", "redis+sentinel://host:x/service", ""]
)
def test_addresses_that_make_no_sense_are_refused(url: str) -> None:
    """A wrong REDIS_URL stops the start with a message that does not repeat the URL."""
    with pytest.raises(StoreMisconfigured) as raised:
        connect(url)

    assert raised.value.error_id == "store-misconfigured"
