"""A whole site on loopback ports: Redis, both emulators, and the service as it is deployed.

`Site()` in a `with` starts everything and waits until it is ready; leaving ends every process by its own id.
`layout="procfile"` runs `web` and `worker` exactly as the Procfile has them, over a real Redis; `layout="serve"` runs
`orchestrator serve`, which brings its own store. Emulated time runs `speed` times as fast as real time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import redis as redis_py
import requests

from orchestrator.emulators.scenario import Played, Player, Step, load, shipped
from orchestrator.store.keys import Keys
from tests.e2e.flows import ExistingFlows
from tests.e2e.numbers import FLOW_NUMBER, NUMBER, PROBED_NUMBER, as_toml, profiles
from tests.e2e.processes import READY_S, ROOT, Process, free_port, poll, procfile, start
from tests.e2e.unconfirmed import DOCUMENTED, Switched

ACCOUNT_SID, AUTH_TOKEN = "AC" + "e" * 32, "fake-auth-token"
API_KEY, API_SECRET = "SK" + "e" * 32, "fake-api-secret"
ASAPP_ID, ASAPP_SECRET = "fake-asapp-id", "fake-asapp-secret"
DESKTOP_KEY, READ_KEY = "fake-desktop-key", "fake-read-key"
METRICS_TOKEN, WEBHOOK_SECRET = "fake-metrics-token", "fake-webhook-secret"
CUSTOMER = "+15555550101"
SPEED = 8.0
_HTTP_S = 20.0

PATIENCE_S = 10.0
__all__ = ["CUSTOMER", "FLOW_NUMBER", "NUMBER", "PROBED_NUMBER", "Json", "OnEachSite", "OnStep", "Site"]

Json = dict[str, Any]
OnStep = Callable[[str, str], None]


class Site:
    """See the module. `web_url`, `asapp_url`, `twilio_url` are where it listens; `folder` holds logs and archive."""

    def __init__(
        self,
        layout: str = "procfile",
        *,
        speed: float = SPEED,
        environment: Mapping[str, str] | None = None,
        profiles: str = "",
        switched: Switched = DOCUMENTED,
        installed: Path | None = None,
    ) -> None:
        """`installed`: a virtual environment with the wheel; the service then runs from it, outside the checkout."""
        self.layout, self.speed, self.switched = layout, speed, switched
        self.installed = installed
        self._extra, self._profiles = dict(environment or {}), profiles
        self.processes: list[Process] = []
        self.twilio_url = self.asapp_url = self.redis_url = ""
        self._local = threading.local()
        self._sessions: list[requests.Session] = []

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="site-")))
            self.flows = stack.enter_context(ExistingFlows())
            stack.callback(self._end)
            try:
                self._start()
            except AssertionError:
                sys.stderr.write(self.logs())
                raise
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    # --- starting and ending -------------------------------------------------------------------------------------

    def _start(self) -> None:
        self.web_url = self._public_address()
        self._start_emulators()
        if self.layout == "procfile":
            self._start_redis()
            self._start_services()
        else:
            self._run_service("serve", ["python", "-m", "orchestrator", "serve"])
        poll(self._is_ready, READY_S, "the service is ready, with a stream URL at hand")
        for number in profiles(self.flows.url):
            self._configure(number)

    def _start_services(self) -> None:
        for name in ("web", "worker"):
            self.start_service(name)

    def _public_address(self) -> str:
        """Where everybody finds the service; its port is the web process's own unless `environment` says otherwise."""
        return f"http://127.0.0.1:{free_port()}"

    def start_service(self, name: str) -> Process:
        """Start a process type of the Procfile (one more, if one runs)."""
        return self._run_service(name, shlex.split(procfile()[name]))

    def _run_service(self, name: str, command: list[str]) -> Process:
        if self.installed is None:
            return self._run(name, command, self.environment())
        path = {"PATH": f"{self.installed / 'bin'}{os.pathsep}{os.defpath}"}
        return self._run(name, command, self.environment() | path, cwd=self.folder)

    def _run(
        self, name: str, command: list[str], environment: Mapping[str, str] | None = None, *, cwd: Path = ROOT
    ) -> Process:
        count = sum(process.name.startswith(name) for process in self.processes)
        process = start(f"{name}-{count + 1}" if count else name, command, self.folder, environment, cwd=cwd)
        self.processes.append(process)
        return process

    def _start_redis(self) -> None:
        binary = shutil.which("redis-server")
        assert binary, "redis-server is missing; scripts/require-redis.sh says how to get it"
        port = free_port()
        self.redis_url = f"redis://127.0.0.1:{port}/0"
        options = ["--bind", "127.0.0.1", "--dir", str(self.folder), "--appendonly", "yes", "--save", ""]
        redis = self._run("redis", [binary, "--port", str(port), *options])
        poll(lambda: "Ready to accept connections" in redis.text(), READY_S, "redis-server is ready")

    def _start_emulators(self) -> None:
        emulate = [sys.executable, "-m", "orchestrator", "emulate"]
        speed, ca_file = ["--speed", str(self.speed)], ["--ca-file", str(self.folder / "asapp-ca.pem")]
        hook = ["--webhook-url", f"{self.web_url}/asapp/transcripts", "--webhook-secret", WEBHOOK_SECRET]
        keys = ["--api-id", ASAPP_ID, "--api-secret", ASAPP_SECRET]
        account = ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN, "--api-key", f"{API_KEY}:{API_SECRET}"]
        asapp_switches, twilio_switches = _switches(self.switched.asapp), _switches(self.switched.twilio)
        asapp = self._run("asapp", [*emulate, "asapp", *speed, *ca_file, *keys, *hook, *asapp_switches])
        twilio = self._run("twilio", [*emulate, "twilio", *speed, *ca_file, *account, *twilio_switches])
        self.asapp_url, self.twilio_url = asapp.ready_line()["url"], twilio.ready_line()["url"]

    def environment(self) -> dict[str, str]:
        """The service's environment, complete: nothing of the test's own leaks in."""
        profiles_file = self.folder / "profiles.toml"
        if not profiles_file.exists():
            profiles_file.write_text(as_toml(self.flows.url, self._profiles))
        store = {"REDIS_URL": self.redis_url} if self.redis_url else {"EMBEDDED_DATA_DIR": str(self.folder / "data")}
        return {
            **store,
            "PORT": self.web_url.rpartition(":")[2],
            "PUBLIC_BASE_URL": self.web_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_API_BASE_URL": self.twilio_url,
            "ASAPP_API_BASE_URL": self.asapp_url,
            "ASAPP_API_ID": ASAPP_ID,
            "ASAPP_API_SECRET": ASAPP_SECRET,
            "TRANSCRIPT_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "AGENT_API_KEYS": f"desktop:{DESKTOP_KEY},dashboard:{READ_KEY}:read",
            "METRICS_TOKEN": METRICS_TOKEN,
            "ORCHESTRATOR_CONFIG": str(profiles_file),
            "ARCHIVE_URL": f"file://{self.folder}/archive",
            "LOG_FORMAT": "json",
            "AGENT_API_RPS": "2000",  # tests look far more often than desktops do
            **self._extra,
        }

    def _is_ready(self) -> bool:
        for process in self.processes:
            assert process.popen.poll() is None, f"{process.name} ended before it was ready"
        try:
            answer = self.http.get(f"{self.web_url}/readyz", timeout=_HTTP_S)
        except requests.RequestException:
            return False
        lines = {line["dependency"]: line for line in map(json.loads, answer.text.splitlines())} if answer.ok else {}
        return answer.ok and lines["stream_url"].get("age_s") is not None

    def _configure(self, number: str) -> None:
        """As an operator does: the number's URLs, over Twilio's REST API."""
        self.http.post(f"{self.twilio_url}/_emulator/numbers", json={"phone_number": number}, timeout=_HTTP_S)
        numbers = f"{self.twilio_url}/2010-04-01/Accounts/{ACCOUNT_SID}/IncomingPhoneNumbers"
        login = (ACCOUNT_SID, AUTH_TOKEN)
        query = {"PhoneNumber": number}
        listed = self.http.get(f"{numbers}.json", params=query, auth=login, timeout=_HTTP_S).json()
        settings = {
            "VoiceUrl": f"{self.web_url}/twilio/voice",
            "VoiceFallbackUrl": f"{self.web_url}/twilio/voice-fallback",
            "StatusCallback": f"{self.web_url}/twilio/call-status",
        }
        sid = listed["incoming_phone_numbers"][0]["sid"]
        self.http.post(f"{numbers}/{sid}.json", data=settings, auth=login, timeout=_HTTP_S).raise_for_status()

    def _end(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for session in self._sessions:
            session.close()

    def logs(self) -> str:
        """The end of every process's output."""
        return "\n".join(process.tail() for process in self.processes)

    def process(self, name: str) -> Process:
        return next(process for process in reversed(self.processes) if process.name.partition("-")[0] == name)

    # --- asking --------------------------------------------------------------------------------------------------

    @property
    def http(self) -> requests.Session:
        """This thread's session."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.trust_env = False
            self._sessions.append(self._local.session)
        session: requests.Session = self._local.session
        return session

    def api(self, path: str, body: object = None, *, status: int | None = None, key: str = DESKTOP_KEY) -> Any:
        """The desktop API's JSON; `status` is what the answer must be (any success by default)."""
        answer = self.http.request(
            "GET" if body is None else "POST",
            f"{self.web_url}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
            timeout=_HTTP_S,
        )
        assert answer.status_code == status if status else answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def asapp(self, path: str, body: object = None, **query: str) -> Any:
        """The ASAPP emulator's control."""
        return self._control(self.asapp_url, path, body, query)

    def twilio(self, path: str, body: object = None, **query: str) -> Any:
        """The Twilio emulator's control."""
        return self._control(self.twilio_url, path, body, query)

    def _control(self, url: str, path: str, body: object, query: Mapping[str, str]) -> Any:
        verb = "GET" if body is None else "POST"
        answer = self.http.request(verb, f"{url}/_emulator/{path}", json=body, params=query, timeout=_HTTP_S)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else {}

    def metrics(self) -> str:
        headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        return self.http.get(f"{self.web_url}/metrics", headers=headers, timeout=_HTTP_S).text

    def redis(self) -> redis_py.Redis:
        """A connection to the store that the service uses; the caller closes it."""
        if self.redis_url:
            return redis_py.Redis.from_url(self.redis_url)
        sockets = list((self.folder / "data").rglob("*.sock"))
        assert len(sockets) == 1, f"one embedded store: {sockets}"
        return redis_py.Redis(unix_socket_path=str(sockets[0]))

    def is_idle(self, call_sid: str) -> bool:
        """Whether the call is not due, now or later, and nobody holds it."""
        queue = Keys().queue("calls", 0)
        with contextlib.closing(self.redis()) as redis:
            places = (queue.due, queue.urgent, queue.held_due, queue.held_urgent, queue.leases)
            return all(redis.zscore(place, call_sid) is None for place in places)

    # --- playing -------------------------------------------------------------------------------------------------

    def play(
        self,
        name: str,
        *,
        number: str | None = None,
        on_step: OnStep | None = None,
        changed: Mapping[str, str] | None = None,
    ) -> Played:
        """Play a scenario that the emulators ship with; `on_step(call_sid, sentence)` hears each as it begins.

        `changed` puts sentences in the place of others; an empty one leaves a sentence out.
        """
        player = Player(
            self.twilio_url,
            self.asapp_url,
            self.web_url,
            DESKTOP_KEY,
            speed=self.speed,
            on_step=on_step,
            patience_s=PATIENCE_S,
        )
        scenario = load(shipped(with_needs=True)[name])
        if changed:
            steps = tuple(Step(changed.get(step.sentence, step.sentence), step.line) for step in scenario.steps)
            scenario = dataclasses.replace(scenario, steps=tuple(step for step in steps if step.sentence))
        return player.play(dataclasses.replace(scenario, number=number or scenario.number))


OnEachSite = Callable[[Callable[[Site], None]], None]


def _switches(given: Mapping[str, str]) -> list[str]:
    return [word for name, value in given.items() for word in ("--switch", f"{name}={value}")]
