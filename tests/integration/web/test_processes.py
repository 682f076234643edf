"""The application as it is run: gunicorn with its configuration, and `orchestrator serve`, as real processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # Twilio ships no types

from tests.integration.conftest import RedisServer
from tests.integration.web.processes import GUNICORN, ROOT, SERVE, base, is_up, running
from tests.link import Link

KEY = {"Authorization": "Bearer fake-canary-key"}
Eventually = Callable[[Callable[[], object]], None]


def report(environ: dict[str, str]) -> requests.Response:
    return requests.post(
        f"{base(environ)}/api/v1/calls/CA{'a' * 32}/events?secret=fake-canary-query",
        json={"type": "pause", "reason": "payment"},
        headers={"Authorization": "Bearer fake-canary-key"},
        timeout=5,
    )


def test_gunicorn_serves_and_logs_no_secret_and_no_query(
    environ: dict[str, str], redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """JSON lines, one per request, without anything that was in a query, a header or the environment."""
    environ["REDIS_URL"] = redis_server.url
    log = tmp_path / "log"
    with running(GUNICORN, environ, log):
        eventually(lambda: is_up(environ))
        assert report(environ).status_code == 202
        eventually(lambda: "/events" in log.read_text())
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (access,) = [line for line in lines if line.get("method") == "POST"]
    assert (access["status"], access["path"]) == (202, f"/api/v1/calls/CA{'a' * 32}/events")
    assert "canary" not in log.read_text()


def test_the_secret_of_the_transcript_webhook_is_in_no_log(
    environ: dict[str, str], redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """In a query, where ASAPP may put it, right or wrong; nor is the text of a message."""
    environ |= {"REDIS_URL": redis_server.url, "TRANSCRIPT_WEBHOOK_SECRET": "fake-canary-webhook"}
    log = tmp_path / "log"
    message = {
        "type": "transcript",
        "externalConversationId": f"CA{'a' * 32}",
        "streamId": "fake-stream",
        "sender": {"role": "customer", "externalId": "x"},
        "autotranscribeResponse": {"message": "transcript", "start": 0, "end": 9, "utterance": [{"text": "canary"}]},
    }
    with running(GUNICORN, environ, log):
        eventually(lambda: is_up(environ))
        for secret, status in (("fake-canary-webhook", 200), ("fake-canary-wrong", 401)):
            query = {"asapp-webhook-secret": secret}
            answer = requests.post(f"{base(environ)}/asapp/transcripts", params=query, json=message, timeout=5)
            assert answer.status_code == status
        eventually(lambda: '"/asapp/transcripts"' in log.read_text())  # what was refused; the rest is counted
    assert "canary" not in log.read_text()


@pytest.mark.parametrize(("length", "connection"), [(2_000_000, "close"), (30, "keep-alive")])
def test_a_body_that_is_refused_unread_ends_its_connection(
    environ: dict[str, str],
    redis_server: RedisServer,
    tmp_path: Path,
    eventually: Eventually,
    length: int,
    connection: str,
) -> None:
    """The answer says so; a body that was read leaves the connection to the next request."""
    environ["REDIS_URL"] = redis_server.url
    with running(GUNICORN, environ, tmp_path / "log"):
        eventually(lambda: is_up(environ))
        answer = requests.post(
            f"{base(environ)}/api/v1/calls/CA{'a' * 32}/events", data=b"x" * length, headers=KEY, timeout=5
        )
        assert answer.status_code == (413 if length > 30 else 400)
        assert answer.headers["Connection"] == connection


def call_in(environ: dict[str, str], call_sid: str) -> requests.Response:
    """Twilio's signed request for a caller's document."""
    form = {"CallSid": call_sid, "From": "+15555550101", "To": "+15555550100", "Direction": "inbound"}
    signed = RequestValidator("fake-canary-token").compute_signature("https://calls.example.com/twilio/voice", form)
    return requests.post(base(environ) + "/twilio/voice", form, headers={"X-Twilio-Signature": signed}, timeout=5)


@pytest.mark.parametrize(("is_hung", "within_s"), [(False, 0.5), (True, 2.5)], ids=["refused", "hung"])
def test_a_process_that_starts_without_redis_answers_its_first_caller(
    environ: dict[str, str],
    own_redis: RedisServer,
    tmp_path: Path,
    eventually: Eventually,
    is_hung: bool,
    within_s: float,
) -> None:
    """Nothing of the start waits for Redis; the first caller of all has the route in time."""
    environ["REDIS_URL"] = own_redis.url
    own_redis.freeze() if is_hung else own_redis.end()
    with running(GUNICORN, environ, tmp_path / "log"):
        eventually(lambda: is_up(environ))
        started = time.monotonic()
        answer = call_in(environ, "CA" + "c" * 32)
        assert time.monotonic() - started < within_s
        assert answer.status_code == 200
        assert "<Conference" in answer.text
        assert requests.get(base(environ) + "/readyz", timeout=5).status_code == 503


def test_web_and_worker_that_start_before_redis_work_when_it_comes(
    environ: dict[str, str], redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """Neither ends, and nobody has to start them again."""
    sid = "CA" + "e" * 32
    with Link(redis_server.port) as link:
        link.cut()
        environ["REDIS_URL"] = link.url
        with (
            running(GUNICORN, environ, tmp_path / "web"),
            running([sys.executable, "-m", "orchestrator", "worker"], environ, tmp_path / "worker") as worker,
        ):
            eventually(lambda: is_up(environ))
            eventually(lambda: "store-unavailable" in (tmp_path / "worker").read_text())
            assert call_in(environ, sid).status_code == 200
            link.mend()
            eventually(lambda: requests.get(base(environ) + "/readyz", timeout=5).ok)
            assert worker.poll() is None
            assert call_in(environ, sid).status_code == 200
            assert requests.get(f"{base(environ)}/api/v1/calls/{sid}", headers=KEY, timeout=5).ok


def test_gunicorn_with_a_bad_configuration_exits_2_and_lists_every_fault(environ: dict[str, str]) -> None:
    """Before a worker starts; so does `serve`."""
    for command in (GUNICORN, SERVE, [sys.executable, "-m", "orchestrator", "calls"]):
        done = subprocess.run(  # noqa: S603  ours
            command,
            cwd=ROOT,
            env={**environ, "REDIS_URL": "nonsense", "PUBLIC_BASE_URL": "nowhere"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert "REDIS_URL" in done.stderr
        assert "PUBLIC_BASE_URL" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_request_under_way_at_sigterm_is_answered(
    environ: dict[str, str], redis_server: RedisServer, tmp_path: Path, eventually: Eventually
) -> None:
    """Draining cuts nobody off."""
    environ["REDIS_URL"] = redis_server.url
    with running(GUNICORN, environ, tmp_path / "log") as process:
        eventually(lambda: is_up(environ))
        body = b'{"type": "hold"}'
        head = (
            f"POST /api/v1/calls/CA{'b' * 32}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer fake-canary-key\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", int(environ["PORT"])), timeout=10) as line:
            line.sendall(head.encode() + body[:5])
            time.sleep(0.2)  # the head has been read; nothing outside shows it
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            line.sendall(body[5:])
            assert b" 202 " in line.recv(4096)
        assert process.wait(25) == 0


def test_serve_brings_its_own_store_and_finds_it_again(
    environ: dict[str, str], tmp_path: Path, eventually: Eventually
) -> None:
    """No Redis: an embedded one, told at start; a restart on the same folder knows the call; readiness has a worker."""
    environ["EMBEDDED_DATA_DIR"] = str(tmp_path / "store")
    log = tmp_path / "log"
    with running(SERVE, environ, log) as process:
        eventually(lambda: is_up(environ))
        assert report(environ).status_code == 202
        eventually(lambda: requests.get(base(environ) + "/readyz", timeout=5).ok)
        process.send_signal(signal.SIGTERM)
        assert process.wait(25) == 0
    assert "embedded store in use" in log.read_text()
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-m", "orchestrator", "explain", "CA" + "a" * 32],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "payment" in done.stdout, done.stderr
    with running(SERVE, environ, log):
        eventually(lambda: is_up(environ))
        found = requests.get(
            f"{base(environ)}/api/v1/calls/CA{'a' * 32}",
            headers={"Authorization": "Bearer fake-canary-key"},
            timeout=5,
        )
        assert found.json()["pauses"][0]["reason"] == "payment"


@pytest.mark.parametrize("command", [["--help"], ["version"], ["calls", "--help"], ["explain", "--help"]])
def test_the_command_line_helps_without_configuration(environ: dict[str, str], command: list[str]) -> None:
    """Exit 0 and words."""
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-m", "orchestrator", *command],
        cwd=ROOT,
        env={"PATH": environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_commands_that_look_at_calls(environ: dict[str, str], redis_server: RedisServer) -> None:
    """`calls` lists, `explain` tells, a stranger's SID fails with exit 1."""
    environ["REDIS_URL"] = redis_server.url

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603  ours
            [sys.executable, "-m", "orchestrator", *arguments],
            cwd=ROOT,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert run("explain", "CA" + "d" * 32).returncode == 1
    assert run("nonsense").returncode == 2
    done = run("calls", "--json")
    assert done.returncode == 0, done.stderr
