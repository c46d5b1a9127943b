"""A bearer token for a machine."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.issuing import can_issue, issue
from settings.config.values import parse_duration


class Command(BaseCommand):
    help = (
        "Prints an access token, signed with security.jwt's secret or private key. To take it back before it expires, "
        "make an API client of its --sub in the admin and revoke that; so give it no longer than it needs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sub", required=True, help="who the token is for; rate limits count by it")
        parser.add_argument("--ttl", required=True, type=_duration, help="how long it is valid, such as 1h or 30d")
        parser.add_argument("--aud", help="its audience; security.jwt.audience if not given")
        parser.add_argument("--kid", help="the id of the key in the verifier's key set, where it has several")

    def handle(self, *args: Any, sub: str, ttl: int, aud: str | None, kid: str | None, **options: Any) -> None:
        if not can_issue():
            raise CommandError("there is no key to sign with: expected security.jwt.secret, or .private_key for RS256")
        self.stdout.write(issue(sub, ttl // 1000, audience=aud, kid=kid))


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
