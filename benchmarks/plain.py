"""What the voice webhook is measured against: a bare Flask view, and an integration that asks ASAPP for each call.

Both are served with the very options of gunicorn that the service has, access log included; only the hooks that start
our own worker threads are left out. `python -m gunicorn --config benchmarks/plain.py "benchmarks.plain:bare()"`.
"""

from __future__ import annotations

import os
import threading

import requests
from flask import Flask, Response, request

from orchestrator import log
from orchestrator.settings import Settings
from orchestrator.web.server import options

URL_PATH = "/mg-autotranscribe/v1/twilio-media-stream-url"
DOCUMENT = (
    '<?xml version="1.0" encoding="UTF-8"?><Response><Start><Stream name="asapp-1" track="both_tracks" url="{url}" '
    'statusCallback="https://calls.example.com/twilio/stream-status" statusCallbackMethod="POST" /></Start>'
    "<Dial><Conference>room</Conference></Dial></Response>"
)

_settings = Settings.from_environment()
log.configure(_settings.log_format, _settings.log_level)
_ours = options(_settings, workers=1)
globals().update({name: value for name, value in _ours.items() if name not in {"post_worker_init", "worker_exit"}})


def bare() -> Flask:
    """The least that answers: a fixed document."""
    app = Flask("bare", static_folder=None)
    document = DOCUMENT.format(url="wss://media.asapp.example/fake")

    @app.post("/twilio/voice")
    def voice() -> Response:
        return Response(document, content_type="text/xml; charset=utf-8")

    return app


def naive() -> Flask:
    """As a first integration is written: for each call ASAPP is asked for a URL, and the caller waits for it."""
    app = Flask("naive", static_folder=None)
    local = threading.local()
    credentials = {"asapp-api-id": os.environ["ASAPP_API_ID"], "asapp-api-secret": os.environ["ASAPP_API_SECRET"]}

    @app.post("/twilio/voice")
    def voice() -> Response:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        assert request.form["CallSid"]
        answer = local.session.get(os.environ["ASAPP_API_BASE_URL"] + URL_PATH, headers=credentials, timeout=10)
        answer.raise_for_status()
        return Response(DOCUMENT.format(url=answer.json()["streamingUrl"]), content_type="text/xml; charset=utf-8")

    return app
