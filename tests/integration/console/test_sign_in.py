"""Signing in and out of the console, and what keeps others out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.conftest import RedisServer
from tests.integration.console.visitor import USERS, Visitor, token_of, words_of
from tests.integration.web.site import CALL, MakeSettings, Site, Vendor, open_site

PAGES = ("", "/calls", f"/calls/{CALL}", "/problems", "/audit")


def test_pages_need_a_session(visitor: Visitor) -> None:
    """Every page sends whoever is not signed in to the form, and there back to where they wanted to go."""
    for path in PAGES:
        answer = visitor.opens(path)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/console/sign-in?next=/console")
    assert visitor.sends(f"/calls/{CALL}/pause", {}).headers["Location"] == "/console/sign-in"


def test_sign_in_leads_where_one_wanted_to_go(visitor: Visitor) -> None:
    """To a page of the console; an address elsewhere counts as none."""
    assert visitor.signs_in("amy", "fake-password", "/console/problems?q=31920").headers["Location"] == (
        "/console/problems?q=31920"
    )
    for elsewhere in ("https://evil.example/", "//evil.example", "/console/../api", "/console\r\nX: y"):
        answer = Visitor(visitor.site).signs_in("amy", "fake-password", elsewhere)
        assert answer.headers["Location"] == "/console"


@pytest.mark.parametrize(("name", "password"), [("amy", "fake-password"), ("ben", "fake-hashed")])
def test_plain_and_hashed_passwords(visitor: Visitor, name: str, password: str) -> None:
    """Both forms of CONSOLE_USERS let in who knows the password."""
    assert visitor.signs_in(name, password).status_code == 303
    assert name in visitor.reads("")


@pytest.mark.parametrize(("name", "password"), [("amy", "fake"), ("ben", "pbkdf2:sha256:1000"), ("eve", "x"), ("", "")])
def test_wrong_sign_in(visitor: Visitor, name: str, password: str) -> None:
    """Who does not know both stays out, and is not told which was wrong."""
    answer = visitor.signs_in(name, password)
    assert answer.status_code == 401
    assert "Name or password is wrong." in words_of(answer)
    assert visitor.opens("").status_code == 303


def test_the_cookie_is_for_this_host_and_no_script(amy: Visitor, site: Site) -> None:
    """HttpOnly, Secure, SameSite, and the prefix that binds it to the host; Redis holds a digest only."""
    fresh = Visitor(site)
    cookie = fresh.signs_in("amy", "fake-password").headers.getlist("Set-Cookie")[0]
    name, _, rest = cookie.partition("=")
    assert name == "__Host-console"
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= {part.strip() for part in rest.split(";")}
    keys = site.services.redis.execute_command("KEYS", "*")
    assert not [key for key in keys if rest.partition(";")[0].encode() in key]
    assert amy.opens("").status_code == 200


def test_sign_out_ends_the_session(amy: Visitor) -> None:
    """The old cookie signs nobody in any more."""
    cookie = amy.client.get_cookie("__Host-console", domain="calls.example.com")
    assert cookie is not None
    amy.sends("/sign-out", {"form_token": token_of(amy.opens(""))})
    amy.client.set_cookie("__Host-console", cookie.value, domain="calls.example.com", secure=True)
    assert amy.opens("").status_code == 303


def test_another_password_ends_sessions(
    amy: Visitor, make_settings: MakeSettings, redis_server: RedisServer, vendor: Vendor
) -> None:
    """A session lasts no longer than the password that opened it."""
    cookie = amy.client.get_cookie("__Host-console", domain="calls.example.com")
    assert cookie is not None
    other = open_site(make_settings(redis_server.url, CONSOLE_USERS="amy:fake-new"), vendor)
    visitor = Visitor(other)
    visitor.client.set_cookie("__Host-console", cookie.value, domain="calls.example.com", secure=True)
    assert visitor.opens("").status_code == 303
    other.services.close()


def test_two_passwords_of_one_user(
    amy: Visitor, make_settings: MakeSettings, redis_server: RedisServer, vendor: Vendor
) -> None:
    """During a rotation both sign in, and the sessions of both last; nobody else's password does."""
    cookie = amy.client.get_cookie("__Host-console", domain="calls.example.com")
    assert cookie is not None
    users = "amy:fake-new,amy:fake-password,ben:fake-other"
    other = open_site(make_settings(redis_server.url, CONSOLE_USERS=users), vendor)
    visitor = Visitor(other)
    visitor.client.set_cookie("__Host-console", cookie.value, domain="calls.example.com", secure=True)
    assert visitor.opens("").status_code == 200
    passwords = ("fake-new", "fake-password", "fake-other")
    assert [Visitor(other).signs_in("amy", each).status_code for each in passwords] == [303, 303, 401]
    other.services.close()


def test_forms_of_other_sites_are_refused(amy: Visitor, site: Site) -> None:
    """Without the session's own token nothing is done."""
    site.arrive()
    for token in ("", "fake", token_of(Visitor(site).opens("/sign-in"))):
        assert amy.sends(f"/calls/{CALL}/stop", {"form_token": token}).status_code == 403
        assert amy.sends("/sign-out", {"form_token": token}).status_code == 403
    found = site.services.store.load(CALL)
    assert found is not None
    assert found.pauses == ()
    assert amy.opens("").status_code == 200


def test_signing_somebody_in_from_elsewhere_is_refused(visitor: Visitor) -> None:
    """The form of the sign-in page counts only with this site's cookie."""
    form = {"name": "amy", "password": "fake-password", "form_token": ""}
    assert visitor.sends("/sign-in", form).status_code == 403
    assert visitor.sends("/sign-in", {**form, "form_token": "fake"}).status_code == 403


def test_tries_are_limited_by_name_and_address(visitor: Visitor, site: Site) -> None:
    """After five wrong passwords not even the right one helps from there; from elsewhere it does."""
    assert [visitor.signs_in("amy", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    refused = visitor.signs_in("amy", "fake-password")
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert visitor.signs_in("ben", "fake-hashed").status_code == 303
    assert Visitor(site, "192.0.2.8").signs_in("amy", "fake-password").status_code == 303


def test_tries_of_one_address_are_limited(visitor: Visitor) -> None:
    """Trying many names from one address ends, too."""
    statuses = [visitor.signs_in(f"name-{number}", "wrong").status_code for number in range(31)]
    assert statuses == [401] * 30 + [429]


def test_signing_in_is_written_down(visitor: Visitor, site: Site) -> None:
    """In, out and wrong; a name that is nobody's is not kept, for it may be a password."""
    visitor.signs_in("amy", "wrong")
    visitor.signs_in("fake-password", "x")
    visitor.signs_in("amy", "fake-password")
    visitor.sends("/sign-out", {"form_token": token_of(visitor.opens(""))})
    told = [(each.name, each.did) for each in site.services.audit.latest(10)]
    assert told == [
        ("amy", "signed-out"),
        ("amy", "signed-in"),
        ("unknown", "failed-to-sign-in"),
        ("amy", "failed-to-sign-in"),
    ]


def test_no_users_no_console(make_settings: MakeSettings, redis_server: RedisServer, vendor: Vendor) -> None:
    """Without CONSOLE_USERS every path is 404, its style and script, too."""
    site = open_site(make_settings(redis_server.url), vendor)
    visitor = Visitor(site)
    for path in (*PAGES, "/sign-in", "/static/console.css"):
        assert visitor.opens(path).status_code == 404
    site.services.close()


def test_pages_load_nothing_from_elsewhere(amy: Visitor) -> None:
    """The policy allows this site's own files only, no inline script or style; the pages have none."""
    for path in ("", "/calls", "/problems", "/audit"):
        page = amy.opens(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "style=" not in page.text
        assert "<script>" not in page.text
        assert "https://" not in page.text


OpenGuests = Callable[..., Visitor]


@pytest.fixture
def guests(make_settings: MakeSettings, redis_server: RedisServer, vendor: Vendor, redis: object) -> OpenGuests:
    del redis

    def make(**changes: str) -> Visitor:
        base = {"PUBLIC_BASE_URL": "http://127.0.0.1:8000", "CONSOLE_GUEST": "demo", **changes}
        return Visitor(open_site(make_settings(redis_server.url, **base), vendor))

    return make


def test_a_guest_needs_no_password(guests: OpenGuests) -> None:
    """Whoever sits at the machine itself is in, under the guest's name, and that is written down."""
    visitor = guests()
    page = visitor.client.get("/console", base_url="http://127.0.0.1:8000")
    assert page.status_code == 200
    assert "demo" in words_of(page)
    assert [(each.name, each.did) for each in visitor.site.services.audit.latest(1)] == [("demo", "signed-in")]
    visitor.site.services.close()


@pytest.mark.parametrize(
    ("base", "address", "headers"),
    [
        ("http://127.0.0.1:8000", "192.0.2.7", {}),
        ("http://evil.example:8000", "127.0.0.1", {}),
        ("http://127.0.0.1:8000", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
        ("http://127.0.0.1:8000", "192.0.2.7", {"X-Forwarded-For": "127.0.0.1"}),
    ],
)
def test_nobody_else_is_a_guest(guests: OpenGuests, base: str, address: str, headers: dict[str, str]) -> None:
    """Neither another machine, nor a page of another site, nor anybody behind a proxy."""
    visitor = guests()
    environ = {"REMOTE_ADDR": address}
    answer = visitor.client.get("/console", base_url=base, environ_overrides=environ, headers=headers)
    assert answer.status_code == 303
    visitor.site.services.close()


def test_users_beside_a_guest_still_sign_in(guests: OpenGuests) -> None:
    """A guest takes nobody's name away."""
    visitor = guests(CONSOLE_USERS=USERS)
    page = visitor.client.get("/console", base_url="http://127.0.0.1:8000")
    assert "demo" in words_of(page)
    visitor.site.services.close()
