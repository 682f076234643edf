"""Settings: the environment, read once, checked as a whole.

`Settings.from_environment` raises one `ConfigurationError` that lists every fault, those of the profiles file too, so
that a site is set right in one go; commands turn it into exit 2. Field names are the variables' names in lower case,
and the text below each says what it means: `make reference` puts it into `docs/configuration.md`. Secrets are `Secret`
values and may come from `NAME_FILE`. No message repeats the value of a secret.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import ipaddress
import os
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from orchestrator import environment, profiles
from orchestrator.environment import NOT_SET, Reader
from orchestrator.errors import ConfigurationError
from orchestrator.hosts import is_loopback
from orchestrator.secret import Secret
from orchestrator.store.connect import TLS_VERIFY, Tls
from orchestrator.store.connect import check as redis_fault

_LEVELS = ("debug", "info", "warning", "error")


@dataclasses.dataclass(frozen=True)
class ApiKey:
    """One caller of the desktop API. `is_read_only`: may look, not report."""

    name: str
    key: str = dataclasses.field(repr=False)
    is_read_only: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment asks for."""

    redis_url: str | None = dataclasses.field(repr=False)
    """`redis://`, `rediss://`, `unix://`, `redis+sentinel://host:port,host:port/service/db`,
    `redis+cluster://host:port,...` (`rediss+`: TLS). `serve` and `demo` start an embedded Valkey where it is absent.
    """
    redis_tls_verify: str
    """What the server of a `rediss` address must show: `full` (a certificate of a known authority, for its host name),
    `chain` (of a known authority, for any name) or `none` (nothing: encrypted, but to whoever answers);
    [deploy.md](deploy.md) tells when.
    """
    redis_tls_ca_file: str | None
    """Certificates (PEM) that count as authorities for Redis beside the system's, such as a server's self-signed one.
    """
    embedded_data_dir: str | None
    """Folder of the embedded Valkey's data; none: a folder under the user's data directory."""
    worker_threads: int
    """Threads of a `worker` process, 1 to 512."""
    inline_worker_threads: int
    """Worker threads inside each web process, 0 to 512; `serve` has 4."""
    port: int
    """Port of the web process."""
    web_concurrency: int
    """Gunicorn's worker processes, 1 to 64."""
    public_base_url: str
    """How Twilio reaches the service, e.g. `https://calls.example.com`; signatures are checked against it; plain
    http for loopback hosts only.
    """
    twilio_account_sid: str
    """The account, `AC...`."""
    twilio_auth_token: Secret
    """Signatures are checked with it."""
    twilio_auth_token_secondary: Secret
    """Also accepted in signatures while the token is rotated."""
    twilio_shared_keys: Secret
    """`webhooks_sharedkey_...:secret`, comma-separated: keys with which Twilio signs webhooks instead of the auth token
    (HMAC-SHA256).
    """
    twilio_signatures: str
    """`any`: a request counts that is signed with the auth token or with a SharedKey that it names; `shared-key`: with
    a SharedKey only.
    """
    twilio_api_key: Secret
    """With `TWILIO_API_SECRET` used for REST instead of account and token."""
    twilio_api_secret: Secret
    """See `TWILIO_API_KEY`."""
    twilio_api_base_url: str
    """Twilio's REST API, an emulator or a proxy; plain http for loopback hosts only."""
    asapp_api_base_url: str
    """ASAPP's API; plain http for loopback hosts only."""
    asapp_api_id: Secret
    """ASAPP's credentials."""
    asapp_api_secret: Secret
    """ASAPP's credentials."""
    transcript_webhook_secret: Secret
    """What ASAPP sends with each transcript; without it every transcript is answered 401, unless
    `TRANSCRIPT_WEBHOOK_AUTH` is another way.
    """
    transcript_webhook_secret_name: str
    """Header, else query parameter, in which it is looked for."""
    transcript_webhook_auth: str
    """How ASAPP shows that a transcript is its own: `secret`, `oauth2` (a bearer token; needs the three below it) or
    `mtls` (a client certificate that the proxy in front checks).
    """
    transcript_webhook_issuer: str
    """Who issues the token."""
    transcript_webhook_audience: str
    """For whom the token is."""
    transcript_webhook_jwks_url: str | None
    """Where the issuer's keys are."""
    transcript_webhook_mtls_header: str
    """Header and value by which the proxy says that it checked the certificate; it must overwrite what a client sends.
    """
    transcript_webhook_proxies: tuple[str, ...]
    """Addresses or networks of the proxies from which that header counts, comma-separated."""
    agent_api_keys: Secret
    """`name:key` or `name:key:read` (looks, does not report), comma-separated; bearer keys of `/api`."""
    agent_api_origins: tuple[str, ...]
    """Browser origins that may use the API, e.g. `https://desk.example.com`, comma-separated."""
    agent_api_rps: int
    """Requests a second to `/api` of one key, or of one agent's tokens; beyond them 429. Never of holds and pauses."""
    console_users: Secret
    """`name:password`, or a hash of `werkzeug.security` as password, comma-separated; `/console` is off without it."""
    console_guest: str
    """Name under which whoever sits at this very machine may use `/console` without a password; for the demo."""
    metrics_token: Secret
    """Bearer token of `/metrics`, which is off without it."""
    orchestrator_config: str
    """Path of the profiles file."""
    archive_url: str | None = dataclasses.field(repr=False)
    """Where finished transcripts go: `file:///...`, `s3://...` or another URL of fsspec, whose package must be
    installed; none: not archived.
    """
    archive_ttl_days: int | None
    """How long the archive keeps a call and an exported day, counted from the call's start; none: for good."""
    sink_url: str | None = dataclasses.field(repr=False)
    """A webhook of yours to which finished transcripts are sent at once (`docs/transcripts.md`); https, or plain http
    for loopback hosts.
    """
    sink_secret: Secret
    """`whsec_...`: what messages to `SINK_URL` are signed with (Standard Webhooks); of several each signs."""
    redis_shards: int
    """Parts into which calls are divided, 1 to 128; more than 1 for a Cluster. Never change it while calls are stored.
    """
    asapp_max_rps: int
    """Requests per second to ASAPP by all processes together."""
    asapp_daily_limit: int | None
    """Requests per day (UTC) that ASAPP allows. Every request counts, one stop is kept for each live transcription; at
    four fifths `/readyz`, metrics and log say so."""
    twilio_max_concurrency: int
    """Requests to Twilio at the same time by all processes together."""
    call_ttl_days: int
    """How long Redis keeps a call after its end."""
    transcript_ttl_days: int
    """How long Redis keeps a transcript after its end."""
    quarantine_ttl_hours: int
    """How long Redis keeps what was heard outside a conversation."""
    trusted_proxies: int
    """Proxies in front that may set `X-Forwarded-*` (never used for signatures)."""
    log_format: str
    """`json` or `console`; `console` where standard error is a terminal."""
    log_level: str
    """`debug`, `info`, `warning` or `error`."""
    otel_exporter_otlp_endpoint: str | None
    """An OpenTelemetry collector (OTLP over HTTP, without `/v1/traces`), plain http for loopback hosts only; none: no
    traces. Needs the extra `otel`, whose other variables (`OTEL_EXPORTER_OTLP_HEADERS`, ...) count too.
    """

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        needs_redis: bool = True,
        inline_worker_threads: int = 0,
    ) -> Settings:
        """Read and check all of it.

        `needs_redis=False` is for commands that start their own store; `inline_worker_threads` is the command's
        default. Raises `ConfigurationError` with every fault found.
        """
        read = Reader(os.environ if environ is None else environ)
        settings = _read(read, needs_redis=needs_redis, inline_worker_threads=inline_worker_threads)
        if read.faults:
            raise ConfigurationError(read.faults)
        return settings

    def redis_tls(self) -> Tls:
        return Tls(self.redis_tls_verify, self.redis_tls_ca_file)

    def signing_tokens(self) -> tuple[str, ...]:
        """The auth tokens with which Twilio may sign right now."""
        return (*self.twilio_auth_token.values(), *self.twilio_auth_token_secondary.values())

    def shared_keys(self) -> tuple[tuple[str, str], ...]:
        """Twilio's SharedKeys valid now, name and secret; a malformed entry of a file changed later is left out."""
        pairs = (entry.partition(":") for entry in self.twilio_shared_keys.values())
        return tuple((name, secret) for name, _, secret in pairs if name and secret)

    def twilio_credentials(self) -> tuple[str, str]:
        """User and password for Twilio's REST API: the API key when there is one, else account and token."""
        key, secret = self.twilio_api_key.value(), self.twilio_api_secret.value()
        return (key, secret) if key and secret else (self.twilio_account_sid, self.twilio_auth_token.value())

    def asapp_credentials(self) -> tuple[str, str]:
        return self.asapp_api_id.value(), self.asapp_api_secret.value()

    def api_keys(self) -> tuple[ApiKey, ...]:
        """The desktop API's keys valid now; a malformed entry of a file changed later is left out."""
        return tuple(key for key in map(parse_api_key, self.agent_api_keys.values()) if key is not None)

    def console_logins(self) -> dict[str, list[str]]:
        """Console users: name to passwords or werkzeug hashes, two of them during a rotation.

        An entry without both is left out.
        """
        logins: dict[str, list[str]] = {}
        for name, _, password in (entry.partition(":") for entry in self.console_users.values()):
            if name and password:
                logins.setdefault(name, []).append(password)
        return logins


def parse_api_key(entry: str) -> ApiKey | None:
    """`name:key` or `name:key:read`; None for anything else."""
    match entry.split(":"):
        case [name, key] if name and key:
            return ApiKey(name, key)
        case [name, key, "read"] if name and key:
            return ApiKey(name, key, is_read_only=True)
        case _:
            return None


def defaults() -> tuple[Settings, frozenset[str]]:
    """What is in force where nothing is set, and the variables that must be. For the reference of the configuration."""
    read = Reader({"LOG_FORMAT": "json"})
    settings = _read(read, needs_redis=True, inline_worker_threads=0)
    return settings, frozenset(fault.removesuffix(NOT_SET) for fault in read.faults if fault.endswith(NOT_SET))


def _sink_secret(read: Reader) -> Secret:
    secret = _entries(read, "SINK_SECRET", "whsec_ and at least 24 bytes in base64", environment.is_signing_key)
    if read.text("SINK_URL") and not secret:
        read.faults.append("SINK_URL needs SINK_SECRET, by which the receiver knows that messages are ours")
    return secret


def _webhook_auth(read: Reader) -> str:
    """How transcripts are authenticated; `oauth2` needs to know whose tokens for whom."""
    chosen = read.choice("TRANSCRIPT_WEBHOOK_AUTH", "secret", ("secret", "oauth2", "mtls"))
    needed = [f"TRANSCRIPT_WEBHOOK_{name}" for name in ("ISSUER", "AUDIENCE", "JWKS_URL")]
    missing = [name for name in needed if not read.text(name)]
    if chosen == "oauth2" and missing:
        read.faults.append(f"TRANSCRIPT_WEBHOOK_AUTH=oauth2 needs {', '.join(missing)}")
    if chosen == "oauth2" and importlib.util.find_spec("cryptography") is None:
        read.faults.append("TRANSCRIPT_WEBHOOK_AUTH=oauth2 needs: pip install 'asapp-twilio-orchestrator[oauth2]'")
    return chosen


def _collector(read: Reader) -> str | None:
    endpoint = read.optional("OTEL_EXPORTER_OTLP_ENDPOINT", environment.web_url)
    if endpoint is not None and importlib.util.find_spec("opentelemetry") is None:
        read.faults.append("OTEL_EXPORTER_OTLP_ENDPOINT needs: pip install 'asapp-twilio-orchestrator[otel]'")
    return None if endpoint is None else endpoint.rstrip("/")


def _networks(read: Reader) -> tuple[str, ...]:
    text = read.text("TRANSCRIPT_WEBHOOK_PROXIES", "127.0.0.1,::1")
    networks = tuple(piece.strip() for piece in text.split(",") if piece.strip())
    for each in networks:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            read.faults.append("TRANSCRIPT_WEBHOOK_PROXIES must be addresses or networks, comma-separated")
            return ()
    return networks


def _origins(read: Reader) -> tuple[str, ...]:
    origins = tuple(piece.strip() for piece in read.text("AGENT_API_ORIGINS").split(",") if piece.strip())
    if not all(map(environment.is_origin, origins)):
        read.faults.append("AGENT_API_ORIGINS must be origins such as https://desk.example.com, comma-separated")
    return origins


def _entries(read: Reader, name: str, form: str, is_good: Callable[[str], bool]) -> Secret:
    secret = read.secret(name)
    for number, entry in enumerate(secret.values(), start=1):
        if not is_good(entry):
            read.faults.append(f"{name}: entry {number} must be {form}")
    return secret


def _signatures(read: Reader, shared_keys: Secret) -> str:
    chosen = read.choice("TWILIO_SIGNATURES", "any", ("any", "shared-key"))
    if chosen == "shared-key" and not shared_keys:
        read.faults.append("TWILIO_SIGNATURES=shared-key needs TWILIO_SHARED_KEYS")
    return chosen


def _profiles_file(read: Reader) -> str:
    """Its faults are told beside those of the environment, so that a site is set right in one go."""
    path = read.text("ORCHESTRATOR_CONFIG", "config/profiles.toml")
    try:
        profiles.load(path, read.text("PUBLIC_BASE_URL"))
    except ConfigurationError as error:
        read.faults += error.faults
    return path


def _guest(read: Reader) -> str:
    """Only a service that nobody else reaches may have one."""
    name = read.text("CONSOLE_GUEST")
    if name and not is_loopback(urlsplit(read.text("PUBLIC_BASE_URL")).hostname):
        read.faults.append("CONSOLE_GUEST needs a PUBLIC_BASE_URL on this machine itself: it is for the demo")
    return name


def _api_key_pair(read: Reader) -> tuple[Secret, Secret]:
    key, secret = read.secret("TWILIO_API_KEY"), read.secret("TWILIO_API_SECRET")
    if bool(key) != bool(secret):
        read.faults.append("TWILIO_API_KEY and TWILIO_API_SECRET must be set together")
    return key, secret


def _read(read: Reader, *, needs_redis: bool, inline_worker_threads: int) -> Settings:
    key, secret = _api_key_pair(read)
    shared_keys = _entries(read, "TWILIO_SHARED_KEYS", "webhooks_sharedkey_...:secret", environment.is_login)
    return Settings(
        redis_url=read.required("REDIS_URL", redis_fault) if needs_redis else read.optional("REDIS_URL", redis_fault),
        redis_tls_verify=read.choice("REDIS_TLS_VERIFY", "full", TLS_VERIFY),
        redis_tls_ca_file=read.optional("REDIS_TLS_CA_FILE", environment.certificates),
        embedded_data_dir=read.text("EMBEDDED_DATA_DIR") or None,
        worker_threads=read.number("WORKER_THREADS", 16, 1, 512),
        inline_worker_threads=read.number("INLINE_WORKER_THREADS", inline_worker_threads, 0, 512),
        port=read.number("PORT", 8000, 0, 65535),
        web_concurrency=read.number("WEB_CONCURRENCY", 2, 1, 64),
        public_base_url=read.required("PUBLIC_BASE_URL", environment.public_url).rstrip("/"),
        twilio_account_sid=read.required("TWILIO_ACCOUNT_SID", environment.account_sid),
        twilio_auth_token=read.secret("TWILIO_AUTH_TOKEN", is_required=True),
        twilio_auth_token_secondary=read.secret("TWILIO_AUTH_TOKEN_SECONDARY"),
        twilio_shared_keys=shared_keys,
        twilio_signatures=_signatures(read, shared_keys),
        twilio_api_key=key,
        twilio_api_secret=secret,
        twilio_api_base_url=_base(read, "TWILIO_API_BASE_URL", "https://api.twilio.com"),
        asapp_api_base_url=_base(read, "ASAPP_API_BASE_URL", "https://api.sandbox.asapp.com"),
        asapp_api_id=read.secret("ASAPP_API_ID", is_required=True),
        asapp_api_secret=read.secret("ASAPP_API_SECRET", is_required=True),
        transcript_webhook_secret=read.secret("TRANSCRIPT_WEBHOOK_SECRET"),
        transcript_webhook_secret_name=read.check(
            "TRANSCRIPT_WEBHOOK_SECRET_NAME",
            read.text("TRANSCRIPT_WEBHOOK_SECRET_NAME", "asapp-webhook-secret"),
            environment.header_name,
        ),
        transcript_webhook_auth=_webhook_auth(read),
        transcript_webhook_issuer=read.text("TRANSCRIPT_WEBHOOK_ISSUER"),
        transcript_webhook_audience=read.text("TRANSCRIPT_WEBHOOK_AUDIENCE"),
        transcript_webhook_jwks_url=read.optional("TRANSCRIPT_WEBHOOK_JWKS_URL", environment.jwks_url),
        transcript_webhook_mtls_header=read.check(
            "TRANSCRIPT_WEBHOOK_MTLS_HEADER",
            read.text("TRANSCRIPT_WEBHOOK_MTLS_HEADER", "X-Client-Verify=SUCCESS"),
            environment.header_and_value,
        ),
        transcript_webhook_proxies=_networks(read),
        agent_api_keys=_entries(
            read, "AGENT_API_KEYS", "name:key or name:key:read", lambda entry: parse_api_key(entry) is not None
        ),
        agent_api_origins=_origins(read),
        agent_api_rps=read.number("AGENT_API_RPS", 50, 1, 10_000),
        console_users=_entries(read, "CONSOLE_USERS", "name:password", environment.is_login),
        console_guest=_guest(read),
        metrics_token=read.secret("METRICS_TOKEN"),
        orchestrator_config=_profiles_file(read),
        archive_url=read.optional("ARCHIVE_URL", environment.archive_url),
        archive_ttl_days=read.optional_number("ARCHIVE_TTL_DAYS", 1, 36_500),
        sink_url=read.optional("SINK_URL", environment.sink_url),
        sink_secret=_sink_secret(read),
        redis_shards=read.number("REDIS_SHARDS", 1, 1, 128),
        asapp_max_rps=read.number("ASAPP_MAX_RPS", 90, 1, 10_000),
        asapp_daily_limit=read.optional_number("ASAPP_DAILY_LIMIT", 1, 999_999_999),
        twilio_max_concurrency=read.number("TWILIO_MAX_CONCURRENCY", 50, 1, 10_000),
        call_ttl_days=read.number("CALL_TTL_DAYS", 7, 1, 3650),
        transcript_ttl_days=read.number("TRANSCRIPT_TTL_DAYS", 7, 1, 3650),
        quarantine_ttl_hours=read.number("QUARANTINE_TTL_HOURS", 24, 1, 8760),
        trusted_proxies=read.number("TRUSTED_PROXIES", 1, 0, 10),
        log_format=read.choice("LOG_FORMAT", "console" if sys.stderr.isatty() else "json", ("json", "console")),
        log_level=read.choice("LOG_LEVEL", "info", _LEVELS),
        otel_exporter_otlp_endpoint=_collector(read),
    )


def _base(read: Reader, name: str, default: str) -> str:
    return read.check(name, read.text(name, default), environment.web_url).rstrip("/")
