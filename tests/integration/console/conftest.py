"""The console of the site of `tests/integration/web`, and somebody in front of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import RedisServer
from tests.integration.console.visitor import USERS, Visitor
from tests.integration.web.conftest import make_settings, vendor, vendor_server
from tests.integration.web.site import MakeSettings, Site, Vendor, open_site

__all__ = ["make_settings", "vendor", "vendor_server"]


@pytest.fixture
def site(redis: object, redis_server: RedisServer, make_settings: MakeSettings, vendor: Vendor) -> Iterator[Site]:
    del redis  # empties the server
    site = open_site(make_settings(redis_server.url, CONSOLE_USERS=USERS), vendor)
    yield site
    site.services.close()


@pytest.fixture
def visitor(site: Site) -> Visitor:
    """Nobody yet."""
    return Visitor(site)


@pytest.fixture
def amy(site: Site) -> Visitor:
    """Signed in."""
    amy = Visitor(site)
    assert amy.signs_in("amy", "fake-password").status_code == 303
    return amy
