"""What the commands that look at calls share: the services, and a call named by any of its legs."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from orchestrator import log, profiles
from orchestrator.core.call import Call
from orchestrator.http import Http
from orchestrator.profiles import Profiles
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.transcripts.archive import Archive
from orchestrator.twilio.account import Account
from orchestrator.web.context import CALL_SID


def services(*, needs_redis: bool = False) -> Services:
    """From the environment; only warnings are logged, since the answer is what was asked for.

    Without REDIS_URL, the embedded store of `orchestrator serve` is read, whether it runs right now or not; with
    `needs_redis` that is a fault of the configuration.
    """
    settings = Settings.from_environment(needs_redis=needs_redis)
    log.configure(settings.log_format, "warning")
    if settings.redis_url is None:
        from orchestrator.store.embedded import EmbeddedServer  # noqa: PLC0415  needed only without REDIS_URL

        server = EmbeddedServer(settings.embedded_data_dir).start()
        click.get_current_context().call_on_close(server.stop)
        settings = dataclasses.replace(settings, redis_url=server.url)
    return build(settings)


@dataclasses.dataclass(frozen=True)
class Vendors:
    """What commands about Twilio's account need; no store."""

    settings: Settings
    profiles: Profiles
    account: Account


def vendors() -> Vendors:
    """From the environment, for a command that reads and changes nothing of ours."""
    settings = Settings.from_environment(needs_redis=False)
    log.configure(settings.log_format, "warning")
    http = Http(pool=1)
    click.get_current_context().call_on_close(http.close)
    return Vendors(settings, profiles.load(settings.orchestrator_config), account_of(settings, http))


def account_of(settings: Settings, http: Http) -> Account:
    return Account(
        http,
        settings.twilio_api_base_url,
        settings.twilio_account_sid,
        settings.twilio_credentials,
        lambda: (settings.twilio_account_sid, settings.twilio_auth_token.value()),
    )


def archived(services: Services, sid: str) -> dict[str, Any] | None:
    """The archive's document of a call that Redis knows no more; None while it does, or where there is none."""
    url, store = services.settings.archive_url, services.store
    if not url or not CALL_SID.match(sid) or store.load(sid) is not None or store.resolve("leg", sid) is not None:
        return None
    return Archive(url).find(sid)


def known_call(services: Services, sid: str) -> Call:
    """Raises a usage-friendly failure (exit 1) when no call has this SID."""
    store = services.store
    found = store.load(sid)
    if found is None:
        named = store.resolve("leg", sid)
        found = store.load(named) if named is not None else None
    if found is None:
        raise click.ClickException(f"No call is known by {sid}")
    return found
