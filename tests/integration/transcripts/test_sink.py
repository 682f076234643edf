"""The sink: told at least once of each finished transcript, signed, never of what is fenced; told to forget, too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from standardwebhooks import Webhook

from orchestrator.cli import main
from orchestrator.core.call import Call
from orchestrator.store import keys
from orchestrator.store.forgetting import forget
from orchestrator.transcripts import sink
from orchestrator.worker import slow
from tests.integration.claims import claim_due
from tests.integration.conftest import RedisServer
from tests.integration.transcripts.conftest import Office, open_office
from tests.scripted_http import ScriptedServer, answer
from tests.unit.transcripts.conversations import SID, given_call, heard, listed

OLD, NEW = "whsec_ZmFrZS1vbGQtc2VjcmV0LW9mLTI0LWJ5dGVz", "whsec_ZmFrZS1uZXctc2VjcmV0LW9mLTI0LWJ5dGVz"
LEAK = "four two four two fake card"
CALL = given_call((40, 60, "hold"), promised=2)
HELLO = heard(12_000, 13_000, "hello there")
THANKS = listed(70_000, "thank you")
OTHERS = [msgspec.structs.replace(given_call(), call_sid="CA" + digit * 32) for digit in "23456789"]


@dataclass
class Receiver:
    """Somebody's webhook, and the office that tells it."""

    office: Office
    server: ScriptedServer

    def work(self) -> None:
        """What the slow queue has due now, until nothing is."""
        queue = self.office.services.slow_queue
        while (claim := claim_due(queue)) is not None:
            queue.release(claim, slow.look(self.office.services, claim.key))

    def catch_up(self) -> None:
        """What is due later, too: a command's clock may be a millisecond ahead of this process's."""
        redis, keys_of = self.office.services.redis, self.office.services.store.keys
        due = keys_of.queue(keys.SLOW_QUEUE, 0).due
        for name in redis.execute_command("ZRANGE", due, 0, -1):
            redis.execute_command("ZADD", due, 1, name)
        self.work()

    def look(self, call: Call = CALL) -> int | None:
        return sink.look(self.office.services, call.call_sid)

    def finish(self, call: Call = CALL) -> None:
        """The look after the call; the sink is not told yet."""
        self.office.put(call)
        self.office.look(call)

    def verified(self, secret: str = NEW) -> list[dict[str, Any]]:
        """Every message as the receiver's library takes it."""
        return [dict(Webhook(secret).verify(each.body, each.headers)) for each in self.server.asked]

    def ids(self) -> list[str]:
        return [each.headers["webhook-id"] for each in self.server.asked]

    def heals(self) -> None:
        """The time until the next probe of a breaker that is open has passed."""
        self.office.services.redis.delete(keys.breaker("sink"))

    def command(self, *arguments: str) -> Result:
        return self.main("sinks", *arguments)

    def main(self, *arguments: str, **more: str) -> Result:
        """With `more` in its environment."""
        return CliRunner().invoke(main, [*arguments], env={**self.office.environment, **more})


@pytest.fixture
def receiver(redis: object, redis_server: RedisServer, tmp_path: Path) -> Iterator[Receiver]:
    del redis  # empties the server
    with ScriptedServer() as server:
        server.otherwise = answer(200, {})
        sink_at = {"SINK_URL": f"{server.url}/hook?fake-token=1", "SINK_SECRET": f"{NEW},{OLD}"}
        sink_at["METRICS_TOKEN"] = "fake-metrics"
        with open_office(redis_server, tmp_path, **sink_at) as office:
            office.lists([listed(13_000, "Hello there."), THANKS])
            yield Receiver(office, server)


def test_a_finished_transcript_is_sent_signed(receiver: Receiver) -> None:
    """The archive's document less its timeline, under both secrets of a rotation; told once, it is not told again."""
    receiver.office.hear(CALL, HELLO)
    receiver.finish()
    receiver.work()
    receiver.office.look(CALL)
    receiver.work()
    (message,) = receiver.verified()
    assert receiver.verified(OLD) == [message]
    assert message["type"] == "transcript.completed"
    archived = receiver.office.archived()
    assert archived is not None
    del archived["timeline"]
    assert message["data"] == archived
    (asked,) = receiver.server.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/hook", {"fake-token": "1"})


def test_what_is_not_complete_is_told_and_told_again_when_it_is(receiver: Receiver) -> None:
    """`transcript.updated`, then `transcript.completed` under an id of its own."""
    receiver.office.hear(CALL, HELLO)
    receiver.office.has_nothing()
    receiver.finish()
    receiver.work()
    receiver.office.lists([listed(13_000, "Hello there."), THANKS])
    receiver.finish()
    receiver.work()
    assert [(each["type"], each["data"]["complete"]) for each in receiver.verified()] == [
        ("transcript.updated", False),
        ("transcript.completed", True),
    ]
    assert len(set(receiver.ids())) == 2


def test_a_message_is_repeated_until_it_is_taken(receiver: Receiver) -> None:
    """The same id and the same body each time, further and further apart; an answer that got lost counts as none."""
    receiver.server.script.extend([replace(answer(200, {}), status=0), answer(500, {}), answer(204, {})])
    receiver.finish()
    now = receiver.office.services.clock.now_ms()
    waits = [(receiver.look() or 0) - now for _ in range(2)]
    assert receiver.look() is None
    assert 4_900 < waits[0] < 6_500
    assert 29_000 < waits[1] < 35_000
    assert len(receiver.ids()) == 3
    assert len(set(receiver.ids())) == 1
    assert len({each.body for each in receiver.server.asked}) == 1


def test_a_version_that_was_overtaken_is_not_sent(receiver: Receiver) -> None:
    """While the sink was away more became known: it gets what there is now."""
    receiver.server.script.append(answer(503, {}))
    receiver.office.has_nothing()
    receiver.finish()
    receiver.look()
    receiver.office.hear(CALL, HELLO)
    receiver.office.lists([listed(13_000, "Hello there."), THANKS])
    receiver.finish()
    assert receiver.look() is None
    assert [each["type"] for each in receiver.verified()] == ["transcript.updated", "transcript.completed"]


def test_words_of_a_forgotten_call_are_never_sent(receiver: Receiver) -> None:
    """Neither when they were to be sent first nor when they were to be repeated."""
    services = receiver.office.services
    receiver.server.script.append(answer(500, {}))
    receiver.office.hear(CALL, HELLO)
    receiver.finish()
    receiver.look()
    receiver.office.look(CALL)
    forget(services.redis, services.store.keys, SID)
    receiver.office.put(CALL)  # a late callback made the call known again
    receiver.work()
    assert [each["type"] for each in receiver.verified()] == ["transcript.completed", "call.forgotten"]
    assert services.redis.execute_command("EXISTS", services.store.keys.delivery(SID)) == 0


def test_the_sink_is_told_to_forget(receiver: Receiver) -> None:
    """`call.forgotten` with the SID alone, repeated until it is taken; then nothing here names the call."""
    receiver.office.hear(CALL, HELLO)
    receiver.finish()
    receiver.work()
    receiver.server.script.append(answer(503, {}))
    erased = receiver.main("forget", SID, "--yes", "--json")
    assert json.loads(erased.output)["sink_will_be_told"] is True
    receiver.catch_up()
    assert SID in receiver.office.everything_kept()
    receiver.catch_up()
    told = receiver.verified()
    assert [each["type"] for each in told] == ["transcript.completed", "call.forgotten", "call.forgotten"]
    assert told[-1]["data"] == {"call_sid": SID}
    assert receiver.ids()[-1] == receiver.ids()[-2]
    receiver.catch_up()
    assert SID not in receiver.office.everything_kept()
    assert len(receiver.server.asked) == len(told)


def test_that_a_call_is_forgotten_is_told_though_the_archive_cannot_be_reached(receiver: Receiver) -> None:
    """The command fails and is run again; the sink knows already."""
    receiver.office.hear(CALL, HELLO)
    receiver.finish()
    receiver.work()
    failed = receiver.main("forget", SID, "--yes", ARCHIVE_URL="ftp://127.0.0.1:1/archive")
    assert failed.exit_code == 1, failed.output
    receiver.catch_up()
    assert receiver.verified()[-1]["type"] == "call.forgotten"


def test_a_call_forgotten_while_it_is_sent_is_told_to_be(receiver: Receiver) -> None:
    """What has left cannot be taken back: it is not noted any more, and the receiver is told next."""
    services, held = receiver.office.services, threading.Event()
    receiver.server.script.append(replace(answer(500, {}), wait=held))
    receiver.finish()
    looks: list[int | None] = []
    sending = threading.Thread(target=lambda: looks.append(receiver.look()))
    sending.start()
    while not receiver.server.asked:
        sending.join(0.01)
    forget(services.redis, services.store.keys, SID)
    held.set()
    sending.join()
    assert services.redis.execute_command("EXISTS", services.store.keys.delivery(SID)) == 0
    (again_at,) = looks
    assert again_at is not None
    assert again_at <= services.clock.now_ms()


def test_a_receiver_that_never_took_it_is_told_by_hand(receiver: Receiver) -> None:
    """That a call is forgotten becomes a dead letter as well, and a replay tells it."""
    receiver.server.script.append(answer(410, {}))
    receiver.main("forget", SID, "--yes")
    receiver.catch_up()
    assert f"{SID}  " in receiver.command("list").output
    receiver.command("replay", SID)
    receiver.catch_up()
    assert [each["type"] for each in receiver.verified()] == ["call.forgotten", "call.forgotten"]
    assert SID not in receiver.office.everything_kept()


def test_no_word_of_a_pause_is_sent(receiver: Receiver) -> None:
    """The fence stands before the sink, too."""
    receiver.office.hear(CALL, HELLO, heard(45_000, 47_000, LEAK))
    receiver.office.lists([listed(13_000, "Hello there."), listed(47_000, LEAK)])
    receiver.finish()
    receiver.work()
    (message,) = receiver.verified()
    assert len(message["data"]["quarantined"]) == 1
    assert not any(LEAK in each.body.decode() for each in receiver.server.asked)


def test_without_an_archive_the_transcript_comes_from_redis(
    receiver: Receiver, redis_server: RedisServer, tmp_path: Path
) -> None:
    """The same message."""
    more = {"SINK_URL": receiver.server.url, "SINK_SECRET": NEW, "ARCHIVE_URL": ""}
    with open_office(redis_server, tmp_path, **more) as office:
        office.lists([listed(13_000, "Hello there."), THANKS])
        bare = Receiver(office, receiver.server)
        office.hear(CALL, HELLO)
        bare.finish()
        bare.work()
        (message,) = bare.verified()
        assert [each["text"] for each in message["data"]["utterances"]] == ["hello there", "thank you"]


def test_what_is_never_taken_becomes_a_dead_letter(receiver: Receiver) -> None:
    """After the last attempt it is no longer due, and told in the list, in /readyz and as a metric."""
    receiver.server.otherwise = answer(500, {})
    receiver.finish()
    looks = 0
    while receiver.look() is not None:
        receiver.heals()
        looks += 1
    assert looks == len(sink.WAITS_S)
    told = json.loads(receiver.command("list", "--format", "json").output)
    assert [(each["call_sid"], each["attempts"], each["error"]) for each in told] == [(SID, looks + 1, "500")]
    assert f"{SID}  " in receiver.command("list").output
    lines = receiver.office.client.get("/readyz").text.splitlines()
    assert {"dependency": "sink", "dead_letters": 1}.items() <= json.loads(lines[-1]).items()
    page = receiver.office.client.get("/metrics", headers={"Authorization": "Bearer fake-metrics"}).text
    assert "orchestrator_dead_letters 1\n" in page
    assert f'orchestrator_sink_deliveries_total{{outcome="failed"}} {looks + 1}\n' in page


def test_a_dead_letter_is_replayed_under_its_id(receiver: Receiver) -> None:
    """By its Call SID or with all others; then it is a dead letter no more."""
    receiver.server.script.append(answer(410, {}))
    receiver.finish()
    assert receiver.look() is None
    assert receiver.command("replay", SID).output.startswith("1 made due")
    receiver.catch_up()
    assert len(set(receiver.ids())) == 1
    assert len(receiver.verified()) == 2
    assert receiver.command("list").output == "No dead letters.\n"
    assert receiver.command("replay", SID).exit_code == 1
    assert receiver.command("replay").exit_code == 2
    assert receiver.command("replay", "--all").output == "0 made due; the workers send them\n"


def test_a_dead_letter_outlives_what_redis_knows(receiver: Receiver) -> None:
    """The archive has its words for as long as it keeps them; without them nothing can be sent, and that is told."""
    services = receiver.office.services
    receiver.server.script.append(answer(410, {}))
    receiver.finish()
    receiver.look()
    services.redis.delete(services.store.keys.of(SID).document)
    receiver.command("replay", SID)
    receiver.server.script.append(answer(500, {}))
    receiver.catch_up()
    assert len(receiver.verified()) == 2
    for path in (receiver.office.folder / "archive").rglob("*.json"):
        path.unlink()
    assert receiver.look() is None
    assert len(receiver.verified()) == 2
    (dead,) = services.deliveries.dead()
    assert dead.error == "transcript-expired"


def test_a_sink_that_fails_for_all_is_spared(receiver: Receiver) -> None:
    """After five failures in a row the others wait, uncounted; when it takes one again they are all due at once."""
    services = receiver.office.services
    receiver.server.otherwise = answer(500, {})
    for call in (CALL, *OTHERS):
        receiver.office.put(call)
        receiver.look(call)
    assert len(receiver.server.asked) == 5
    assert services.deliveries.of(OTHERS[-1].call_sid).attempts == 0
    receiver.server.otherwise = answer(200, {})
    services.redis.execute_command("HSET", keys.breaker("sink"), "open_until", 1)
    receiver.look(OTHERS[-1])
    receiver.work()
    assert len(receiver.server.asked) == 5 + 1 + len(OTHERS) - 5


def test_the_sink_can_be_tried(receiver: Receiver) -> None:
    """`sinks test` sends one signed message and says what became of it, without naming the URL."""
    assert receiver.command("test").output.startswith("The sink took it")
    assert [each["type"] for each in receiver.verified()] == ["sink.test"]
    receiver.server.script.append(answer(401, {}))
    refused = receiver.command("test")
    assert (refused.exit_code, "401" in refused.output) == (1, True)
    assert "fake-token" not in refused.output


def test_without_a_sink_nothing_is_due(office: Office) -> None:
    """And the commands say what is missing."""
    office.put(CALL)
    office.lists([])
    office.look(CALL)
    assert office.services.slow_queue.depth() == 0
    assert CliRunner().invoke(main, ["sinks", "test"], env=office.environment).exit_code == 2
