"""One attempt, one total deadline, and the truth about what was sent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import trustme

from orchestrator import lines
from orchestrator.http import Answer, Http, NoAnswer, NotSent, TooLarge
from tests.scarce import no_threads
from tests.scripted_http import Script, ScriptedServer, answer

Behaviour = Callable[[socket.socket, int], None]


@contextmanager
def raw_server(behaviour: Behaviour) -> Iterator[str]:
    """A TCP server; `behaviour(connection, number)` plays the other side of each connection in a thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def play(connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            behaviour(connection, number)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                open_ones.append(connection)
                thread = threading.Thread(target=play, args=(connection, len(open_ones)))
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in open_ones:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(4096)
        if not more:
            raise ConnectionResetError
        got += more
    return got


def drip(connection: socket.socket, head: bytes, endless: bytes) -> None:
    read_request(connection)
    connection.sendall(head)
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        connection.sendall(endless)
        time.sleep(0.02)  # the pace of the drip, not a wait for anything


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http(4)
    yield client
    client.close()


def test_answers_with_status_body_and_type(http: Http) -> None:
    """What came back is told whatever the status; parameters of the content type are left out."""
    with ScriptedServer() as server:
        server.script.append(Script(418, b"short", "Text/Plain; charset=utf-8"))
        got = http.request("POST", server.url + "/a", deadline_s=5, data={"x": "1 2"}, auth=("me", "fake"))
        assert (got.status, got.body, got.content_type) == (418, b"short", "text/plain")
        assert server.asked[0].form == {"x": "1 2"}
        assert server.asked[0].headers["authorization"].startswith("Basic ")
        assert "short" not in repr(got)


def test_redirects_proxies_netrc_and_cookies_are_left_alone(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxies do not apply, a redirect is an answer, a cookie is not sent back."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with ScriptedServer() as server:
        server.script.append(Script(302, b"", headers={"Location": "/elsewhere", "Set-Cookie": "a=b"}))
        server.script.append(answer(200, {}))
        assert http.request("GET", server.url + "/", deadline_s=5).status == 302
        assert http.request("GET", server.url + "/", deadline_s=5).status == 200
        assert [asked.path for asked in server.asked] == ["/", "/"]
        assert "cookie" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("head", "endless"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"b"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"c"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nd\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b""),
    ],
    ids=["header", "length", "until-close", "chunked", "continue", "silent"],
)
def test_the_deadline_is_total(http: Http, head: bytes, endless: bytes) -> None:
    """A server that drips bytes, wherever in its answer, cannot hold us beyond the deadline."""
    with raw_server(lambda connection, _: drip(connection, head, endless)) as url:
        started = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            http.request("GET", url, deadline_s=0.3)
        assert 0.25 < time.monotonic() - started < 1.0
        assert caught.value.reason == "deadline"


def test_a_handshake_that_never_ends_was_not_sent(http: Http) -> None:
    """TLS is part of the deadline, and before its end nothing has left."""

    def dumb(connection: socket.socket, _: int) -> None:
        connection.recv(10_000)
        connection.recv(1)

    with raw_server(dumb) as url:
        started = time.monotonic()
        with pytest.raises(NotSent):
            http.request("GET", url.replace("http:", "https:"), deadline_s=1.0)
        assert time.monotonic() - started < 3.0


def test_an_untrusted_certificate_was_not_sent(http: Http) -> None:
    """A certificate that nobody vouches for ends the attempt before a byte of the request."""
    server_context = _tls(trustme.CA())

    def hand(connection: socket.socket, _: int) -> None:
        with server_context.wrap_socket(connection, server_side=True):
            pass

    with raw_server(hand) as url, pytest.raises(NotSent):
        http.request("POST", url.replace("http:", "https:"), deadline_s=5)


def test_the_ca_bundle_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A private certificate authority named in the environment is trusted, and TLS answers keep the deadline too."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    server_context = _tls(authority)

    def serve(connection: socket.socket, number: int) -> None:
        with server_context.wrap_socket(connection, server_side=True) as secure:
            if number == 1:
                read_request(secure)
                secure.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
            else:
                drip(secure, b"HTTP/1.1 200 OK\r\nX: ", b"a")

    http = Http(2)
    with raw_server(serve) as url:
        secure_url = url.replace("http:", "https:")
        assert http.request("GET", secure_url, deadline_s=5).body == b"ok"
        with pytest.raises(NoAnswer):
            http.request("GET", secure_url, deadline_s=0.3)
    http.close()


def _tls(authority: trustme.CA) -> Any:
    import ssl  # noqa: PLC0415  # only the TLS tests need it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_refused_was_not_sent(http: Http) -> None:
    """Nobody listening: certainly not carried out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSent):
        http.request("POST", f"http://127.0.0.1:{port}/", deadline_s=2)


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid/", "http://", "ftp://x/", "http://a b/", "nonsense", "http://[::1/"]
)
def test_unusable_addresses_were_not_sent(http: Http, url: str) -> None:
    """A name that does not resolve and an address that is none end before anything is sent."""
    with pytest.raises(NotSent):
        http.request("POST", url, deadline_s=3)


def test_an_expired_deadline_sends_nothing(http: Http) -> None:
    """With no time left there is no attempt."""
    with ScriptedServer() as server:
        with pytest.raises(NotSent):
            http.request("GET", server.url, deadline_s=0)
        assert server.asked == []


def test_closed_without_a_byte_is_no_answer(http: Http) -> None:
    """A new connection that closes after our request leaves the outcome unknown; it is not repeated."""
    with ScriptedServer() as server:
        server.otherwise = Script(0)
        with pytest.raises(NoAnswer):
            http.request("POST", server.url, deadline_s=5, is_repeatable=True)
        assert len(server.asked) == 1


def test_a_cut_body_is_no_answer(http: Http) -> None:
    """Fewer bytes than promised are no answer."""

    def cut(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!")

    with raw_server(cut) as url, pytest.raises(NoAnswer):
        http.request("GET", url, deadline_s=5)


def test_too_large_is_not_read(http: Http) -> None:
    """An answer is read up to `max_bytes`, declared length or not."""
    with ScriptedServer() as server:
        server.script.append(Script(200, b"x" * 1000))
        server.script.append(Script(200, b"x" * 100))
        with pytest.raises(TooLarge):
            http.request("GET", server.url, deadline_s=5, max_bytes=999)
        assert len(http.request("GET", server.url, deadline_s=5, max_bytes=999).body) == 100


def stale(connection: socket.socket, number: int) -> None:
    """Answers once; then, on the first connection only, takes the next request and closes without a byte."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    read_request(connection)
    if number == 1:
        return
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def test_a_stale_connection_is_replaced_for_what_may_be_repeated(http: Http) -> None:
    """A kept-alive connection that broke under a repeatable request costs nothing but one immediate repetition."""
    with raw_server(stale) as url:
        assert http.request("POST", url, deadline_s=5, is_repeatable=True).status == 200
        assert http.request("POST", url, deadline_s=5, is_repeatable=True).status == 200


def test_a_stale_connection_is_unknown_for_what_may_not(http: Http) -> None:
    """What creates something is never sent twice."""
    with raw_server(stale) as url:
        assert http.request("POST", url, deadline_s=5).status == 200
        with pytest.raises(NoAnswer):
            http.request("POST", url, deadline_s=5)


def test_a_repetition_that_cannot_be_sent_stays_unknown(http: Http) -> None:
    """The first sending may have been carried out, whatever became of the second."""
    gone = threading.Event()

    def once(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        read_request(connection)
        listener.close()
        gone.set()

    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def accept() -> None:
        connection, _ = listener.accept()
        with connection:
            once(connection, 1)

    thread = threading.Thread(target=accept)
    thread.start()
    assert http.request("POST", url, deadline_s=5, is_repeatable=True).status == 200
    with pytest.raises(NoAnswer):
        http.request("POST", url, deadline_s=5, is_repeatable=True)
    assert gone.is_set()
    thread.join()


def test_many_threads_share_it(http: Http) -> None:
    """Threads get their own answers, slow ones do not delay or break the others."""
    hold = threading.Event()
    with ScriptedServer() as server, ThreadPoolExecutor(12) as threads:
        server.otherwise = answer(200, {})

        def ask(number: int) -> Answer:
            return http.request("GET", f"{server.url}/{number}", deadline_s=5)

        server.script.extend([Script(wait=hold), Script(wait=hold)])
        slow = [threads.submit(http.request, "GET", server.url, deadline_s=0.3) for _ in range(2)]
        for future in slow:
            with pytest.raises(NoAnswer):
                future.result(5)
        assert all(each.status == 200 for each in threads.map(ask, range(60)))
        hold.set()


def test_errors_name_no_address(http: Http) -> None:
    """An error can be logged: it holds neither the URL nor what was sent."""
    with pytest.raises(NotSent) as caught:
        http.request("POST", "http://no-such-host.invalid/secret-token", deadline_s=3)
    assert "secret-token" not in f"{caught.value!r}{caught.value}"
    assert caught.value.__suppress_context__


def test_deadlines_hold_again_once_a_thread_can_watch_them() -> None:
    """The system had none to give: the attempt goes on, and the next one brings its watchdog."""
    watchdog, guards = lines._Watchdog(), [lines.Guard(time.monotonic(), is_repeatable=False) for _ in range(2)]
    with no_threads():
        watchdog.watch(guards[0])
    watchdog.watch(guards[1])
    until = time.monotonic() + 5
    while not all(each.is_expired for each in guards) and time.monotonic() < until:
        time.sleep(0.01)
    assert all(each.is_expired for each in guards)
