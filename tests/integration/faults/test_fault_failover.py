"""Redis's master dies under load: Sentinel makes the replica the master, and every call is right again."""

from __future__ import annotations

import contextlib
import random
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.store.connect import Redis, connect
from orchestrator.store.errors import StoreUnavailable
from orchestrator.web import create_app
from tests.integration.conftest import RedisServer
from tests.integration.faults.conftest import Floor, until
from tests.integration.faults.vendors import START, STOP
from tests.ports import free_port

MakeFloor = Callable[..., Floor]
DOWN_AFTER_MS, SENTINELS, QUORUM = 500, 3, 2
BACK_WITHIN_S = 8.0
CALLS = 30
TOGGLES_S = 0.02


@dataclass
class Replicated:
    """A master with its replica, watched by three Sentinels."""

    master: RedisServer
    replica: RedisServer
    url: str
    sentinel: Redis

    def masters_port(self) -> int:
        return int(self.sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "calls")[1])

    def cut_off_replica(self) -> None:
        """From now on it learns nothing, though its master serves."""
        with contextlib.closing(connect(self.master.url)) as master:
            master.execute_command("ACL", "SETUSER", "default", "-psync", "-sync")
            master.execute_command("CLIENT", "KILL", "TYPE", "replica")


@pytest.fixture
def replicated(more_redis: Callable[..., RedisServer], tmp_path: Path) -> Iterator[Replicated]:
    with contextlib.ExitStack() as running:
        master, replica = (more_redis("--repl-diskless-sync-delay", "0") for _ in range(2))
        direct = connect(replica.url)
        running.callback(direct.close)
        direct.execute_command("REPLICAOF", "127.0.0.1", master.port)
        until(lambda: _follows(direct), 15, "the replica follows")
        ports = [_start_sentinel(running, tmp_path, master.port, number) for number in range(SENTINELS)]
        first = connect(f"redis://127.0.0.1:{ports[0]}/0")
        running.callback(first.close)
        until(lambda: _knows_all(first), 15, "the Sentinels know the replica and each other")
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        yield Replicated(master, replica, f"redis+sentinel://{hosts}/calls/0", first)


def _start_sentinel(running: contextlib.ExitStack, folder: Path, master: int, number: int) -> int:
    port, configuration = free_port(), folder / f"sentinel-{number}.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\n"
        f"sentinel monitor calls 127.0.0.1 {master} {QUORUM}\n"
        f"sentinel down-after-milliseconds calls {DOWN_AFTER_MS}\n"
        "sentinel failover-timeout calls 3000\n"
    )
    command = ["redis-server", str(configuration), "--sentinel"]
    process = running.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))  # noqa: S603  ours
    running.callback(process.kill)
    return port


def _follows(replica: Redis) -> bool:
    return str(replica.execute_command("INFO", "replication").get("master_link_status")) == "up"


def _knows_all(sentinel: Redis) -> bool:
    try:
        told = sentinel.execute_command("SENTINEL", "MASTER", "calls")
    except StoreUnavailable:
        return False
    words = [each.decode() if isinstance(each, bytes) else str(each) for each in told]
    facts = dict(zip(words[::2], words[1::2], strict=True))
    return facts["num-slaves"] == "1" and facts["num-other-sentinels"] == str(SENTINELS - 1)


@dataclass
class Desk:
    """Holds and unholds calls at random, as fast as it is answered, and keeps what was acknowledged last."""

    floor: Floor
    sids: list[str]
    seed: int
    held: dict[str, bool] = field(default_factory=dict)
    refused: int = 0
    acknowledged: int = 0

    def work(self, ending: threading.Event) -> None:
        rng = random.Random(self.seed)  # noqa: S311  a repeatable run
        while not ending.wait(TOGGLES_S):
            sid = rng.choice(self.sids)
            self._report(sid, is_hold=not self.held.get(sid, False))

    def repeat_what_stands(self) -> None:
        """As its people do who look at their screens: what they see is reported until it is acknowledged."""
        for sid in self.sids:
            until(lambda sid=sid: self._report(sid, is_hold=self.held.get(sid, False)), 5, "acknowledged")  # type: ignore[misc]

    def _report(self, sid: str, *, is_hold: bool) -> bool:
        try:
            (self.floor.hold if is_hold else self.floor.unhold)(sid)
        except StoreUnavailable:
            self.refused += 1
            return False
        self.held[sid] = is_hold
        self.acknowledged += 1
        return True


def test_fault_31_the_master_dies_under_load(replicated: Replicated, make_floor: MakeFloor) -> None:
    """31: within seconds of the failover work goes on; nothing due is forgotten, every hold is honoured, none loops."""
    floor, second = make_floor(redis_url=replicated.url), make_floor(redis_url=replicated.url)
    sids = [floor.talk(number) for number in range(CALLS)]
    until(lambda: all(floor.state(sid) == "transcribing" for sid in sids), 10, "all are transcribed")
    desks = [Desk(floor, sids[part::3], part) for part in range(3)]
    ending = threading.Event()
    threads = [threading.Thread(target=desk.work, args=(ending,), daemon=True) for desk in desks]
    for thread in threads:
        thread.start()
    until(lambda: sum(desk.acknowledged for desk in desks) > 50, 10, "there is load")

    replicated.master.end()
    killed_at, before = time.monotonic(), sum(desk.acknowledged for desk in desks)
    until(lambda: sum(desk.acknowledged for desk in desks) > before + 50, BACK_WITHIN_S, "reports are taken again")
    assert replicated.masters_port() == replicated.replica.port
    assert time.monotonic() - killed_at <= BACK_WITHIN_S
    ending.set()
    for thread in threads:
        thread.join()
    assert sum(desk.refused for desk in desks), "the failover was felt"

    # What was acknowledged in the last moment of the old master may be lost (it is replicated afterwards). That is
    # what the comparison with Twilio repairs; here the desks tell once more what stands.
    for desk in desks:
        desk.repeat_what_stands()
    wanted = {sid: "paused" if desk.held.get(sid) else "transcribing" for desk in desks for sid in desk.sids}
    until(lambda: {sid: floor.state(sid) for sid in sids} == wanted, 12, "every call is as its desk has it")
    until(lambda: floor.services.queue.depth() == 0, 5, "nothing is due")
    assert heard_by(floor, sids) == {sid for sid in sids if wanted[sid] == "transcribing"}
    for each in (floor, second):
        assert create_app(services=each.services).test_client().get("/readyz").status_code == 200


def heard_by(floor: Floor, sids: list[str]) -> set[str]:
    """The calls that ASAPP transcribes: the last that it was asked for them was a start."""
    last = {
        sid: max((each.at, part) for part in (START, STOP) for each in floor.vendors.requests(part, sid))[1]
        for sid in sids
    }
    return {sid for sid, part in last.items() if part == START}


def test_fault_31_a_write_that_the_failover_forgot(replicated: Replicated, make_floor: MakeFloor) -> None:
    """31: what the old master took and did not pass on is found at Twilio, which is asked after the failover."""
    floor = make_floor(redis_url=replicated.url)
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.vendors.leg_status = "completed"  # the caller hung up, and the callback is what is lost
    asked = len(floor.vendors.requests(f"/Calls/{sid}.json"))
    replicated.master.end()
    until(lambda: replicated.masters_port() == replicated.replica.port, BACK_WITHIN_S, "the replica is the master")
    until(lambda: len(floor.vendors.requests(f"/Calls/{sid}.json")) > asked, BACK_WITHIN_S, "Twilio is asked")
    floor.reaches(sid, "ended", 5)


def test_fault_31_a_start_that_the_failover_forgot(replicated: Replicated, make_floor: MakeFloor) -> None:
    """31: ASAPP was told to start, and who knew of it is lost: the call, held as far as is known, is stopped again."""
    floor = make_floor(redis_url=replicated.url)
    sid = floor.talk()
    floor.reaches(sid, "transcribing")
    floor.hold(sid)
    floor.reaches(sid, "paused")
    assert floor.services.redis.execute_command("WAIT", 1, 5_000) == 1, "the replica has it"
    replicated.cut_off_replica()
    floor.unhold(sid)
    until(lambda: heard_by(floor, [sid]) == {sid}, 5, "ASAPP transcribes again")
    replicated.master.end()
    until(lambda: replicated.masters_port() == replicated.replica.port, BACK_WITHIN_S, "the replica is the master")
    until(lambda: not heard_by(floor, [sid]), BACK_WITHIN_S, "ASAPP was told to stop")
    floor.reaches(sid, "paused")
