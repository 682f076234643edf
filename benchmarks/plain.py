"""What ours is measured against.

For the voice webhook: a bare view, the least with our promises, and one that asks ASAPP. For a hold: one that asks
ASAPP at once and keeps nothing.

All are served with the very options of gunicorn that the service has, access log included; only the hooks that start
our own worker threads are left out. `python -m gunicorn --config benchmarks/plain.py "benchmarks.plain:bare()"`.
"""

from __future__ import annotations

import json
import os
import threading

import requests
from flask import Flask, Response, request

from orchestrator import log
from orchestrator.settings import Settings
from orchestrator.store.connect import connect
from orchestrator.twilio.signature import SignatureCheck
from orchestrator.web.server import options

URL_PATH = "/mg-autotranscribe/v1/twilio-media-stream-url"
STOP_PATH = "/mg-autotranscribe/v1/stop-streaming"
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


def least() -> Flask:
    """No less will do: Twilio's signature is checked, the call is kept in Redis, and only then it is answered."""
    app = Flask("least", static_folder=None)
    document = DOCUMENT.format(url="wss://media.asapp.example/fake")
    signature = SignatureCheck(_settings.public_base_url, _settings.signing_tokens)
    store = connect(_settings.redis_url or "")

    @app.post("/twilio/voice")
    def voice() -> Response:
        form = request.form
        if not signature.is_valid(request.path, form.items(), request.headers.get("X-Twilio-Signature")):
            return Response(status=403)
        kept = json.dumps({"call_sid": form["CallSid"], "from": form["From"], "to": form["To"]})
        store.set(f"least:{form['CallSid']}", kept, ex=60)
        return Response(document, content_type="text/xml; charset=utf-8")

    return app


def naive() -> Flask:
    """As a first integration is written: for each call ASAPP is asked for a URL, and the caller waits for it."""
    app = Flask("naive", static_folder=None)
    local, credentials = threading.local(), _credentials()

    @app.post("/twilio/voice")
    def voice() -> Response:
        assert request.form["CallSid"]
        answer = _session(local).get(os.environ["ASAPP_API_BASE_URL"] + URL_PATH, headers=credentials, timeout=10)
        answer.raise_for_status()
        return Response(DOCUMENT.format(url=answer.json()["streamingUrl"]), content_type="text/xml; charset=utf-8")

    return app


def relay() -> Flask:
    """The shortest way from a hold to ASAPP: `stop-streaming` is sent before the hold is answered, and that is all."""
    app = Flask("relay", static_folder=None)
    local, credentials = threading.local(), _credentials()

    @app.post("/hold")
    def hold() -> Response:
        asked = {"namespace": "twilio", "guid": request.get_json()["guid"]}
        url = os.environ["ASAPP_API_BASE_URL"] + STOP_PATH
        _session(local).post(url, json=asked, headers=credentials, timeout=10)
        return Response(status=204)

    return app


def _credentials() -> dict[str, str]:
    return {"asapp-api-id": os.environ["ASAPP_API_ID"], "asapp-api-secret": os.environ["ASAPP_API_SECRET"]}


def _session(local: threading.local) -> requests.Session:
    """This thread's."""
    if not hasattr(local, "session"):
        local.session = requests.Session()
    session: requests.Session = local.session
    return session
