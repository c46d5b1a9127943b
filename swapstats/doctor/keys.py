"""The keys that tokens are signed and verified with."""

from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from settings.config import Config
from swapstats.adapters.jwt.keys import KeySet, PublicKeyFile
from swapstats.doctor.finding import Finding, error, ok, warning
from swapstats.domain.errors import ConfigError

PART = "keys"
MAKE = "make a pair (`openssl genrsa -out private.pem 3072; openssl rsa -in private.pem -pubout -out public.pem`)"


def examine(config: Config) -> Iterator[Finding]:
    jwt = config.security.jwt
    if not jwt.enabled or jwt.alg != "RS256":
        return
    yield from _key_set(str(jwt.jwks_url)) if jwt.jwks_url else _pair(config)


def _pair(config: Config) -> Iterator[Finding]:
    jwt = config.security.jwt
    if not jwt.public_key_file:
        return
    try:
        public = PublicKeyFile(jwt.public_key_file).candidates(None)
        private = _private(jwt.private_key.get_secret_value()) if jwt.private_key else None
    except (OSError, ConfigError) as trouble:
        yield error(PART, "keys.unreadable", str(trouble), f"{MAKE}, or put the right file in its place")
        return
    if private and private.public_key() not in public:
        yield error(
            PART,
            "keys.strangers",
            "security.jwt.private_key signs what no key of security.jwt.public_key_file verifies: tokens are refused",
            "add its public key to the file (`openssl rsa -in private.pem -pubout >> public.pem`)",
        )
    else:
        yield ok(PART, "keys.readable", f"{len(public)} public keys verify tokens")


def _private(text: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as trouble:
        raise ConfigError(f"security.jwt.private_key: expected an RSA private key (PEM): {trouble}") from trouble
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError("security.jwt.private_key: expected an RSA private key (PEM)")
    return key


def _key_set(url: str) -> Iterator[Finding]:
    kids = KeySet(url).kids()
    if kids:
        yield ok(PART, "keys.set", f"security.jwt.jwks_url has the keys {', '.join(sorted(kids))}")
    else:
        remedy = f"check it from here (`curl -s {url}`): it must answer with RSA keys that have a `kid`"
        yield warning(PART, "keys.no_set", f"security.jwt.jwks_url gives no key now: {url}", remedy)
