"""`manage.py alert`: a message to whoever is on duty."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings.config import load_config
from swapstats import operations
from swapstats.domain.errors import AlertNotSent
from swapstats.ports.alert_channel import Alert, Severity

TEST = Alert(Severity.INFO, "test", "This is a test.", "Alerts of swapstats reach this chat.")


class Command(BaseCommand):
    help = """Sends one alert through alerts.telegram, for scripts and to try whether it arrives.

    Waits for Telegram's answer, and ends with 1 where it did not take the message.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("message", nargs="?", help="what to say")
        parser.add_argument("--test", action="store_true", help="say that this is a test")
        parser.add_argument("--severity", choices=[*Severity], default=Severity.WARNING.value, help="(%(default)s)")

    def handle(self, *_: Any, **options: Any) -> None:
        if bool(options["message"]) == options["test"]:
            raise CommandError("expected either a message or --test")
        channel = operations.alert_channel(load_config())
        if channel is None:
            raise CommandError("alerts.telegram: expected bot_token (or bot_token_file) and chat_id")
        alert = TEST if options["test"] else Alert(Severity(options["severity"]), "by hand", options["message"])
        try:
            channel.send(alert, "")
        except AlertNotSent as error:
            raise CommandError(str(error)) from error
        self.stdout.write("sent")
