"""`create_app`: the Flask application around one `Services`."""

from __future__ import annotations

from functools import partial

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from orchestrator import log
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.web import (
    api,
    callbacks,
    console,
    context,
    docs,
    health,
    minting,
    problems,
    streams,
    tallying,
    tracing,
    transcripts,
    voice,
)

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "none",
}
_TLS_ONLY = {"Strict-Transport-Security": "max-age=31536000"}
"""For a year browsers ask this host by https only; its neighbours under the same domain are not spoken for."""


def create_app(settings: Settings | None = None, *, services: Services | None = None) -> Flask:
    """The application; nothing is connected before the first request.

    Settings come from the environment when neither is given; raises `ConfigurationError` then. With `services` given
    the caller has set up logging, hands over the tally, and closes them.
    """
    is_own = services is None
    if services is None:
        settings = settings or Settings.from_environment()
        log.configure(settings.log_format, settings.log_level)
        services = build(settings)
    app = Flask("orchestrator.web", static_folder=None)
    app.extensions[context.KEY] = services
    app.extensions[streams.KEY] = streams.make_hub(services)
    app.config.update(
        MAX_CONTENT_LENGTH=transcripts.MAX_MESSAGE,
        MAX_FORM_MEMORY_SIZE=context.MAX_BODY,
        MAX_FORM_PARTS=context.MAX_FIELDS,
    )
    proxies = services.settings.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    tallying.register(app, services, is_keeping=is_own)
    tracing.register(app, services)
    problems.register(app)
    is_https = services.settings.public_base_url.startswith("https:")
    app.after_request(partial(_with_headers, tuple((_HEADERS | (_TLS_ONLY if is_https else {})).items())))
    console.register(app, services)
    for blueprint in (voice.bp, callbacks.bp, transcripts.bp, api.bp, minting.bp, streams.bp, health.bp):
        app.register_blueprint(blueprint)
    docs.register(app)
    return app


def _with_headers(headers: tuple[tuple[str, str], ...], answer: Response) -> Response:
    """A view may have set a stricter or looser one of its own. One look for all: this is done for each request."""
    present = {name.lower() for name, _ in answer.headers}
    answer.headers.extend((name, value) for name, value in headers if name.lower() not in present)
    if answer.response in ([], [b""]) and answer.mimetype == "text/html":  # what Flask says of nothing at all
        del answer.headers["Content-Type"]
    return answer
