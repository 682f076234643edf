"""`create_app`: the Flask application around one `Services`."""

from __future__ import annotations

from flask import Flask, Response
from werkzeug.middleware.proxy_fix import ProxyFix

from orchestrator import log
from orchestrator.services import Services, build
from orchestrator.settings import Settings
from orchestrator.web import api, callbacks, console, context, health, problems, tallying, transcripts, voice

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


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
    app.config.update(
        MAX_CONTENT_LENGTH=transcripts.MAX_MESSAGE,
        MAX_FORM_MEMORY_SIZE=context.MAX_BODY,
        MAX_FORM_PARTS=context.MAX_FIELDS,
    )
    proxies = services.settings.trusted_proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    tallying.register(app, services, is_keeping=is_own)
    problems.register(app)
    app.after_request(_with_safe_headers)
    console.register(app, services)
    for blueprint in (voice.bp, callbacks.bp, transcripts.bp, api.bp, health.bp):
        app.register_blueprint(blueprint)
    return app


def _with_safe_headers(answer: Response) -> Response:
    for name, value in _HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
