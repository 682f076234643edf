"""`create_app`: the Flask application around one `Services`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

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
    app.wsgi_app = _Strict(app.wsgi_app, _HEADERS | (_TLS_ONLY if is_https else {}))  # type: ignore[method-assign]
    app.after_request(_of_no_kind)
    console.register(app, services)
    for blueprint in (voice.bp, callbacks.bp, transcripts.bp, api.bp, minting.bp, streams.bp, health.bp):
        app.register_blueprint(blueprint)
    docs.register(app)
    return app


class _Strict:
    """Sends these headers with every answer that has none of the same name; a view may have set one of its own.

    Around Flask, not in it: Flask checks and copies each header of each answer, and these are always the same.
    """

    def __init__(self, app: WSGIApplication, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower(), (name, value)) for name, value in headers.items()]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, sent: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in sent}
            strict = [header for name, header in self._headers if name not in present]
            return start_response(status, [*sent, *strict], *error)

        return self._app(environ, start)


def _of_no_kind(answer: Response) -> Response:
    """Takes away what Flask says of nothing at all."""
    if answer.response in ([], [b""]) and answer.mimetype == "text/html":
        del answer.headers["Content-Type"]
    return answer
