"""Requests to the service as Twilio signs them, for tests that speak for Twilio themselves."""

from __future__ import annotations

import requests
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # twilio has no types

from tests.e2e.harness import AUTH_TOKEN, Site

_HTTP_S = 10.0


def post_signed(
    site: Site, path: str, form: dict[str, str], *, token: str = AUTH_TOKEN, keep_alive: bool = True
) -> requests.Response:
    """POST a form to a path of the service, signed with `token`."""
    url = f"{site.web_url}{path}"
    signature = RequestValidator(token).compute_signature(url, form)
    headers = {"X-Twilio-Signature": signature, "Connection": "keep-alive" if keep_alive else "close"}
    return site.http.post(url, data=form, headers=headers, timeout=_HTTP_S)
