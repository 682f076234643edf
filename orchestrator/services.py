"""The one composition root: everything that views and workers use, built from settings.

`build` opens no connection and starts no thread, so an application can be made, and answers callers, with Redis away.
Whoever builds it may close it.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from orchestrator.asapp.client import AsappClient
from orchestrator.asapp.stream_url import StreamUrls
from orchestrator.asapp.wire import StoredMessage
from orchestrator.clock import Clock
from orchestrator.core.reconcile import head_start_ms, is_urgent, reconcile
from orchestrator.core.seen import is_seen_to_change
from orchestrator.core.transition import begin, transition
from orchestrator.errors import ConfigurationError
from orchestrator.http import Http
from orchestrator.metrics import Tally, measure
from orchestrator.profiles import Profiles, load
from orchestrator.settings import Settings
from orchestrator.store.audit import AuditTrail
from orchestrator.store.breakers import Breaker
from orchestrator.store.budgets import ConcurrencyLimit, TokenBucket
from orchestrator.store.calls import CallStore
from orchestrator.store.connect import Redis, connect
from orchestrator.store.daily import DailyLimit
from orchestrator.store.deliveries import Deliveries
from orchestrator.store.feed import Feed
from orchestrator.store.heartbeat import Heartbeat
from orchestrator.store.keys import SLOW_QUEUE, Keys
from orchestrator.store.messages import MessageStore
from orchestrator.store.queue import DueQueue
from orchestrator.store.rules import Rules
from orchestrator.store.sessions import Sessions
from orchestrator.store.utterances import UtteranceStore
from orchestrator.tracing import OFF, Tracing
from orchestrator.transcripts.fence import fenced_until
from orchestrator.twilio.client import TwilioClient
from orchestrator.twilio.mismatch import Mismatches
from orchestrator.twilio.signature import SignatureCheck
from orchestrator.twilio.twiml import CallbackUrls

_DAY_S = 86_400
_SMALLEST_BURST = 2
AFTER_CALL_LEAVES = 0.5
READS_PER_S = 50
"""One look a minute for 2,400 conversations at a time; with more of them the looks come further apart."""


@dataclasses.dataclass(frozen=True)
class Budgets:
    """What all workers together may ask of the vendors."""

    asapp: TokenBucket
    twilio: ConcurrencyLimit
    starts: Breaker
    """Of ASAPP's start-streaming, and of the stop that comes before a start."""
    creates: Breaker
    """Of Twilio's creation of media streams."""
    urls: Breaker
    """Of ASAPP's stream URL."""
    media: Breaker
    """Of media streams that Twilio made and that never came to life: ASAPP takes none."""
    asapp_day: DailyLimit
    after_call: TokenBucket
    """Of ASAPP's requests what starts and stops leave: half of the bucket is kept for them."""
    messages: Breaker
    """Of ASAPP's lists of finished calls."""
    sink: Breaker
    """Of messages to the sink."""
    reads: TokenBucket
    """Reads of Twilio per second; audits leave a share of it to reads that something made due."""

    @property
    def breakers(self) -> tuple[Breaker, ...]:
        return self.starts, self.creates, self.urls, self.media, self.messages, self.sink


@dataclasses.dataclass(frozen=True, kw_only=True)
class Services:
    """`store`, `queue` and what else keeps its state in Redis; the vendors' clients; what a site has chosen."""

    settings: Settings
    profiles: Profiles
    clock: Clock
    redis: Redis
    store: CallStore
    queue: DueQueue
    slow_queue: DueQueue
    utterances: UtteranceStore
    feed: Feed
    after_call_messages: MessageStore[StoredMessage]
    deliveries: Deliveries
    heartbeat: Heartbeat
    sessions: Sessions
    audit: AuditTrail
    budgets: Budgets
    http: Http
    asapp: AsappClient
    twilio: TwilioClient
    stream_urls: StreamUrls
    signature: SignatureCheck
    mismatches: Mismatches
    callback_urls: CallbackUrls
    tally: Tally
    tracing: Tracing

    def close(self) -> None:
        """Give all connections back."""
        self.http.close()
        self.redis.close()


RULES = Rules(
    begin=begin,
    transition=transition,
    reconcile=reconcile,
    is_urgent=is_urgent,
    head_start_ms=head_start_ms,
    measure=measure,
    is_seen_to_change=is_seen_to_change,
    fenced_until=fenced_until,
)


def _burst(settings: Settings) -> int:
    """A tenth of a second's worth: within any second ASAPP gets no more than the rate and this together.

    ASAPP calls its 100 requests per second a spike arrest; a bucket as large as its rate would let twice that through.
    """
    return max(_SMALLEST_BURST, settings.asapp_max_rps // 10)


def build(settings: Settings) -> Services:
    """Raises `ConfigurationError` for what settings and profiles cannot mean together."""
    if settings.redis_url is None:
        raise ConfigurationError(["REDIS_URL is not set"])
    profiles = load(settings.orchestrator_config)
    redis = connect(settings.redis_url, tls=settings.redis_tls())
    clock = Clock(redis)
    keys = Keys(settings.redis_shards)
    http = Http(pool=2 * (settings.worker_threads + settings.inline_worker_threads))
    tally = Tally()
    signature = SignatureCheck(
        settings.public_base_url,
        settings.signing_tokens,
        settings.shared_keys,
        is_shared_key_wanted=settings.twilio_signatures == "shared-key",
    )
    tracing = _tracing(settings)
    queue = DueQueue(redis, keys, clock=clock)
    slow_queue = DueQueue(redis, keys, SLOW_QUEUE, clock)
    urls = Breaker(redis, "asapp-url", queue.mark)
    asapp_day = DailyLimit(redis, clock, settings.asapp_daily_limit)
    asapp = AsappClient(
        http,
        settings.asapp_api_base_url,
        settings.asapp_credentials,
        partial(_asked, tally, tracing, "asapp"),
        asapp_day,
    )
    return Services(
        settings=settings,
        profiles=profiles,
        clock=clock,
        redis=redis,
        store=CallStore(
            redis,
            rules=RULES,
            clock=clock,
            shards=settings.redis_shards,
            call_ttl_s=settings.call_ttl_days * _DAY_S,
            told=tracing.committed if tracing.is_on else None,
        ),
        queue=queue,
        slow_queue=slow_queue,
        utterances=UtteranceStore(redis, keys, ttl_s=settings.transcript_ttl_days * _DAY_S),
        feed=Feed(redis, keys),
        after_call_messages=MessageStore(redis, keys, StoredMessage, ttl_s=settings.transcript_ttl_days * _DAY_S),
        deliveries=Deliveries(redis, keys, ttl_s=settings.transcript_ttl_days * _DAY_S),
        heartbeat=Heartbeat(redis),
        sessions=Sessions(redis, clock),
        audit=AuditTrail(redis, keys, call_ttl_s=settings.call_ttl_days * _DAY_S),
        budgets=Budgets(
            asapp=TokenBucket(redis, "asapp", rate_per_s=settings.asapp_max_rps, burst=_burst(settings)),
            twilio=ConcurrencyLimit(redis, "twilio", settings.twilio_max_concurrency),
            starts=Breaker(redis, "asapp-starts", queue.mark),
            creates=Breaker(redis, "twilio-creates", queue.mark),
            urls=urls,
            media=Breaker(redis, "asapp-media", queue.mark),
            after_call=TokenBucket(
                redis,
                "asapp",
                rate_per_s=settings.asapp_max_rps,
                burst=_burst(settings),
                reserved_share=AFTER_CALL_LEAVES,
            ),
            messages=Breaker(redis, "asapp-messages", slow_queue.mark),
            sink=Breaker(redis, "sink", slow_queue.mark, probe_ms=15_000, net_ms=30_000),
            asapp_day=asapp_day,
            reads=TokenBucket(redis, "twilio-reads", rate_per_s=READS_PER_S, burst=READS_PER_S),
        ),
        http=http,
        asapp=asapp,
        twilio=TwilioClient(
            http,
            settings.twilio_api_base_url,
            settings.twilio_account_sid,
            settings.twilio_credentials,
            partial(_asked, tally, tracing, "twilio"),
        ),
        stream_urls=StreamUrls(redis, asapp, clock, urls),
        signature=signature,
        mismatches=Mismatches(signature),
        callback_urls=CallbackUrls(settings.public_base_url),
        tally=tally,
        tracing=tracing,
    )


def _asked(tally: Tally, tracing: Tracing, provider: str, operation: str, outcome: str, seconds: float) -> None:
    """A vendor was asked once: counted and, where that is wanted, traced."""
    tally.provider_request(provider, operation, outcome, seconds)
    tracing.asked(provider, operation, outcome, seconds)


def _tracing(settings: Settings) -> Tracing:
    if settings.otel_exporter_otlp_endpoint is None:
        return OFF
    from orchestrator.otlp import sink  # noqa: PLC0415  of the extra `otel`

    return Tracing(sink(settings.otel_exporter_otlp_endpoint))
