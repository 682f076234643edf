"""Delivery of webhooks: signed, tried as the URL's overrides say, spoilt as the fault rules say.

Kinds are the operations of fault rules that `operations.WEBHOOKS` lists. A rule matches on ``call_sid`` and on any
parameter of the request. Its ``status`` and ``body`` are taken for the service's answer.

Every attempt is kept in `Webhooks.deliveries`. Deliveries run side by side; nothing makes one wait for
another, so their order of arrival is not promised (Twilio: status callbacks).
"""

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from orchestrator.emulators.twilio import overrides, signature

if TYPE_CHECKING:
    from orchestrator.emulators.faults import Faults, Rule
    from orchestrator.emulators.twilio.switches import Switches

_KEPT = 100_000
_MOST_REDIRECTS = 10
_OVERTAKEN_WITHIN_S = 2.0
_SERVER_ERROR, _CLIENT_ERROR = 500, 400


@dataclass(frozen=True)
class Reply:
    """What came of a delivery: the last answer, or ``failure`` (``ct``, ``rt``) and status 0."""

    status: int = 0
    content_type: str = ""
    body: str = ""
    failure: str = ""

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's range of success


@dataclass(frozen=True)
class Webhook:
    """One request to the service: ``kind`` is the operation that fault rules and the log know it by."""

    kind: str
    url: str
    params: dict[str, str]
    method: str = "POST"
    honours_overrides: bool = True


@dataclass
class Webhooks:
    """The account's webhook client; `close` waits for what is under way for a moment, then cuts it."""

    token: str
    faults: "Faults"
    switches: "Switches"
    deliveries: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))

    shared_key: tuple[str, str] | None = None
    """Name and secret of the key that signs instead of the token."""
    is_mute: bool = False

    def __post_init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._passed = asyncio.Event()

    def send(self, hook: Webhook, after_s: float = 0.0) -> None:
        """Deliver in the background; the answer is logged and ignored. Nothing goes out while mute."""
        if self.is_mute:
            return
        task = asyncio.create_task(self._send(hook, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        self.is_mute = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def request(self, hook: Webhook) -> Reply:
        """Deliver and return the answer (of the first copy, where a rule duplicates it)."""
        rule = self.faults.take(hook.kind, {"call_sid": hook.params.get("CallSid", ""), **hook.params})
        if rule is None:
            return await self._deliver(hook)
        if rule.delay_ms:
            await asyncio.sleep(rule.delay_ms / 1000)
        if rule.reorder:
            await self._let_another_pass()
        if rule.drop:
            self._log(hook, "", 0, 0.0, "dropped")
            return Reply(failure="rt")
        reply, *_ = await asyncio.gather(*(self._deliver(hook) for _ in range(1 + rule.duplicate)))
        return _spoilt(reply, rule)

    async def _send(self, hook: Webhook, after_s: float) -> None:
        if after_s:
            await asyncio.sleep(after_s)
        await self.request(hook)

    async def _let_another_pass(self) -> None:
        self._passed.clear()
        try:
            await asyncio.wait_for(self._passed.wait(), _OVERTAKEN_WITHIN_S)
        except TimeoutError:
            return

    async def _deliver(self, hook: Webhook) -> Reply:
        try:
            url, how = overrides.split(hook.url)
        except overrides.OverrideError as problem:
            self._log(hook, "", 0, 0.0, f"11243 {problem}")
            return Reply(failure="override")
        if not hook.honours_overrides:
            how = overrides.Overrides()
        idempotency = uuid.uuid4().hex
        deadline = asyncio.get_running_loop().time() + how.total_s
        reply = Reply()
        for attempt in range(1 + how.retries):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            reply = await self._attempt(hook, url, how, left, self._token_header(idempotency, attempt))
            failure = _failure(reply)
            if not failure or not how.retries_after(failure):
                break
        self._passed.set()
        return reply

    def _token_header(self, value: str, attempt: int) -> dict[str, str]:
        wanted = self.switches["idempotency-token"]
        is_sent = wanted == "always" or (wanted == "repeats" and attempt > 0)
        return {"I-Twilio-Idempotency-Token": value} if is_sent else {}

    async def _attempt(
        self, hook: Webhook, url: str, how: overrides.Overrides, left_s: float, headers: dict[str, str]
    ) -> Reply:
        began = time.time()
        reply = await self._exchange(hook, url, how, left_s, headers)
        self._log(hook, url, reply.status, (time.time() - began) * 1000, reply.failure)
        return reply

    async def _exchange(
        self, hook: Webhook, url: str, how: overrides.Overrides, left_s: float, headers: dict[str, str]
    ) -> Reply:
        is_get = hook.method.upper() == "GET"
        if is_get:
            url = with_query(url, hook.params)
        sent = {
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            **headers,
            **signature.headers(self.token, self.shared_key, url, None if is_get else hook.params),
        }
        limits = aiohttp.ClientTimeout(total=left_s, sock_connect=how.connect_s, sock_read=how.read_s)
        try:
            async with self._client().request(
                hook.method,
                URL(url, encoded=True),
                data=None if is_get else hook.params,
                headers=sent,
                timeout=limits,
                max_redirects=_MOST_REDIRECTS,
            ) as answer:
                text = await answer.text(errors="replace")
                return Reply(answer.status, answer.headers.get("Content-Type", ""), text)
        except (aiohttp.ServerTimeoutError, TimeoutError) as trouble:
            is_connect = isinstance(trouble, aiohttp.ConnectionTimeoutError)
            return Reply(failure="ct" if is_connect else "rt")
        except aiohttp.ClientConnectorError:
            return Reply(failure="ct")
        except (aiohttp.ClientError, ValueError):
            return Reply(failure="rt")

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            closes = self.switches["webhook-connections"] == "close"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=closes, limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _log(self, hook: Webhook, url: str, status: int, latency_ms: float, failure: str) -> None:
        self.deliveries.append(
            {
                "at": time.time(),
                "kind": hook.kind,
                "method": hook.method,
                "url": url or hook.url,
                "params": hook.params,
                "status": status,
                "latency_ms": round(latency_ms, 3),
                "failure": failure,
            }
        )


def with_query(url: str, params: dict[str, str]) -> str:
    """Return the URL with the parameters in its query, as a GET carries them."""
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(params))))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, parts.fragment))


def _failure(reply: Reply) -> str:
    if reply.failure:
        return reply.failure
    if reply.status >= _SERVER_ERROR:
        return "5xx"
    return "4xx" if reply.status >= _CLIENT_ERROR else ""


def _spoilt(reply: Reply, rule: "Rule") -> Reply:
    """Act as though the service had answered what the rule says (``drop_after``: nothing)."""
    if rule.drop_after or rule.hang:
        return Reply(failure="rt")
    if not rule.replaces_the_answer:
        return reply
    return Reply(rule.status or reply.status, rule.content_type or "text/xml", rule.body or "")
