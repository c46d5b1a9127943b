"""What web processes allow: the keys `security`, `rate_limit` and `api`."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ByteSize, Field, FilePath, SecretStr, model_validator

from settings.config.section import Section
from settings.config.values import Count, HttpUrl, Interval, ListenAddress, Size, setting


class Jwt(Section):
    enabled: bool = True
    """Whether the API and the WebSocket ask for a token; without, all may read."""
    alg: Literal["HS256", "RS256"] = "HS256"
    """HS256 signs with a shared secret (development), RS256 with a key pair (production)."""
    secret: SecretStr | None = None
    """The shared secret of HS256; development makes one of its own."""
    secret_file: Path | None = None
    """A file that holds it."""
    public_key_file: FilePath | None = None
    """The public key (PEM) that RS256 tokens are verified with."""
    jwks_url: HttpUrl | None = None
    """Where to fetch the public keys instead; they are told apart by `kid`, so they can be rotated."""
    private_key: SecretStr | None = None
    """The private key (PEM) that RS256 tokens are signed with, where this system issues them itself."""
    private_key_file: Path | None = None
    """A file that holds it."""
    audience: str = Field("swapstats", min_length=1)
    """The `aud` that a token must carry."""
    issuer: str | None = None
    """The `iss` that a token must carry; not checked if not given."""

    @model_validator(mode="after")
    def _rs256_has_keys(self) -> Self:
        if self.enabled and self.alg == "RS256" and not (self.public_key_file or self.jwks_url):
            raise ValueError("alg RS256 needs public_key_file or jwks_url")
        return self


class Security(Section):
    secret_key: SecretStr | None = None
    """Django's secret key (sessions, forms); development makes one of its own."""
    secret_key_file: Path | None = None
    """A file that holds it."""
    jwt: Jwt = Jwt()


class Bucket(Section):
    """A token bucket."""

    refill_per_sec: float = Field(gt=0)
    burst: Count


class JwtBucket(Bucket):
    refill_per_sec: float = Field(50, gt=0)
    """Requests a second in the long run, for each `sub`."""
    burst: Count = 200
    """Requests at once, for each `sub`."""


class IpBucket(Bucket):
    refill_per_sec: float = Field(20, gt=0)
    """Requests a second in the long run, for each client address without a token."""
    burst: Count = 60
    """Requests at once, for each client address without a token."""


class WebSocketBucket(Bucket):
    refill_per_sec: float = Field(500, gt=0)
    """WebSocket connections and subscribe messages a second in the long run, for each `sub`, or else each address."""
    burst: Count = 40_000
    """WebSocket connections and subscribe messages at once, for each of these: enough for all clients of one process
    (`api.ws.max_conn`) to come back together from one address and to follow several topics each, one by one."""


class RateLimit(Section):
    by_jwt: JwtBucket = JwtBucket()
    by_ip: IpBucket = IpBucket()
    websocket: WebSocketBucket = WebSocketBucket()
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` entries are believed."""


def _origin(value: str) -> str:
    scheme, _, host = value.partition("://")
    if scheme not in ("http", "https") or not host or "/" in host:
        raise ValueError("expected an origin, such as https://example.org")
    return value


Origin = Annotated[str, AfterValidator(_origin)]


class Http(Section):
    addr: ListenAddress = setting(":8080")
    """Where the web process listens."""
    public_hosts: tuple[str, ...] = ()
    """The host names under which people reach it; required in production."""
    cors_origins: tuple[Origin, ...] = ()
    """Other sites whose pages may call the API."""
    stale_after_ms: Interval = setting("5s", "stale_after")
    """After how long without an update `/readyz` says that the live view is not fed."""


class WebSocket(Section):
    coalesce_ms: Count = 100
    """How often changes are sent, in milliseconds; also how often workers publish."""
    max_conn: Count = 5_000
    """How many clients one process accepts."""
    max_subscriptions: Count = 100
    """How many topics one client may follow."""
    heartbeat_ms: Interval = setting("20s", "heartbeat")
    """How often a silent client is asked whether it is still there."""
    slow_timeout_ms: Interval = setting("10s", "slow_timeout")
    """How long one send may block before the client is closed as a slow consumer."""
    allowed_origins: tuple[Origin, ...] = ()
    """Other sites whose pages may connect; a page of the same host always may."""
    max_message_bytes: Size = ByteSize(16_384)
    """The largest message accepted from a client."""


class Api(Section):
    http: Http = Http()
    ws: WebSocket = WebSocket()
