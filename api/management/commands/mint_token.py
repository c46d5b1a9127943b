"""A bearer token for a machine."""

import time
import uuid
from argparse import ArgumentTypeError
from typing import Any

import jwt
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings.config.values import parse_duration


class Command(BaseCommand):
    help = (
        "Prints an access token, signed with security.jwt's secret or private key. It cannot be taken back before it "
        "expires, so give it no longer than it needs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sub", required=True, help="who the token is for; rate limits count by it")
        parser.add_argument("--ttl", required=True, type=_duration, help="how long it is valid, such as 1h or 30d")
        parser.add_argument("--aud", help="its audience; security.jwt.audience if not given")
        parser.add_argument("--kid", help="the id of the key in the verifier's key set, where it has several")

    def handle(self, *args: Any, sub: str, ttl: int, aud: str | None, kid: str | None, **options: Any) -> None:
        issuing = settings.SIMPLE_JWT
        if not issuing["SIGNING_KEY"]:
            raise CommandError("there is no key to sign with: expected security.jwt.secret, or .private_key for RS256")
        now = int(time.time())
        claims = {"sub": sub, "aud": aud or issuing["AUDIENCE"], "iat": now, "exp": now + ttl // 1000}
        claims |= {"jti": uuid.uuid4().hex, "token_type": "access"}
        if issuing["ISSUER"]:
            claims["iss"] = issuing["ISSUER"]
        headers = {"kid": kid} if kid else None
        self.stdout.write(jwt.encode(claims, issuing["SIGNING_KEY"], issuing["ALGORITHM"], headers=headers))


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
