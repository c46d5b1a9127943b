"""Alerts to Telegram, against a server that speaks its Bot API."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from settings.config import Config
from settings.config.values import PROJECT_DIR
from settings.logs import secret_values
from swapstats import operations
from swapstats.adapters.system.listener import free_port
from swapstats.adapters.system.telegram import TelegramChannel
from swapstats.alerting import alerter as alerter_module
from swapstats.alerting.alerter import MOST_WAITING, Alerter
from swapstats.alerting.gate import Gate
from swapstats.alerting.log_handler import AlertHandler
from swapstats.domain.errors import AlertNotSent
from swapstats.logs.secrets import Redactor
from swapstats.ports.alert_channel import Alert, Severity
from tests.parts.telegram import BROKEN, CHAT, FLOOD, NO_SUCH_CHAT, TOKEN, BotApi, bot_api


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def channel(api) -> TelegramChannel:
    return TelegramChannel(api.url, TOKEN, CHAT)


@pytest.fixture
def alerter(channel, monkeypatch) -> Iterator[Alerter]:
    monkeypatch.setattr(alerter_module, "FIRST_PAUSE_S", 0.01)
    running = Alerter(channel, Gate(600, 10_000))
    yield running
    running.close(0)


def alert(key: str = "lag", severity: Severity = Severity.ERROR) -> Alert:
    return Alert(severity, key, f"about {key}", "details")


def until(check: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


class TestChannel:
    def test_a_message_says_how_bad_it_is_what_happened_and_where(self, api, channel):
        channel.send(alert(), "It came 3 more times.")
        [message] = api.messages
        assert message["chat_id"] == CHAT
        first, title, *rest = message["text"].splitlines()
        assert first.startswith("❗ ERROR · ")
        assert (title, rest) == ("about lag", ["", "details", "", "It came 3 more times."])

    @pytest.mark.parametrize(("severity", "silent"), [("info", True), ("warning", True), ("critical", False)])
    def test_only_what_is_bad_makes_a_sound(self, api, channel, severity, silent):
        channel.send(alert(severity=Severity(severity)), "")
        assert api.messages[0]["disable_notification"] is silent

    def test_a_long_text_is_cut_to_what_telegram_takes(self, api, channel):
        channel.send(alert()._replace(text="ы" * 10_000), "")
        assert len(api.texts[0]) == 4_096

    @pytest.mark.parametrize(
        ("answer", "is_final", "retry_after_s"), [(FLOOD, False, 3.0), (BROKEN, False, 0.0), (NO_SUCH_CHAT, True, 0.0)]
    )
    def test_a_refusal_says_whether_to_try_again(self, api, channel, answer, is_final, retry_after_s):
        api.answers = [answer]
        with pytest.raises(AlertNotSent) as refused:
            channel.send(alert(), "")
        assert (refused.value.is_final, refused.value.retry_after_s) == (is_final, retry_after_s)

    @pytest.mark.parametrize("token", [TOKEN, TOKEN[:-1] + "x"])
    def test_no_error_tells_the_token(self, api, token, caplog):
        caplog.set_level(logging.DEBUG)
        away = TelegramChannel(f"http://127.0.0.1:{free_port()}", token, CHAT)
        wrong = TelegramChannel(api.url, token, "nobody")
        for each in (away, wrong):
            with pytest.raises(AlertNotSent) as refused:
                each.send(alert(), "")
            assert token not in f"{refused.value!r} {refused.value.__cause__!r}"
        assert token not in caplog.text


class TestAlerter:
    def test_an_alert_arrives(self, api, alerter):
        alerter.alert(alert())
        until(lambda: api.texts)

    def test_the_same_again_is_held_back_and_told_later(self, api, channel):
        now = 1_000.0
        alerter = Alerter(channel, Gate(600, 60), lambda: now)
        for _ in range(4):
            alerter.alert(alert())
        now += 601
        alerter.alert(alert())
        until(lambda: len(api.texts) == 2)
        assert "It came 3 more times since it was last sent." in api.texts[1]
        alerter.close(0)

    def test_troubles_that_pass_are_waited_out(self, api, alerter):
        api.answers = [BROKEN, BROKEN, BROKEN]
        alerter.alert(alert())
        until(lambda: api.texts)
        assert api.asked == 4

    def test_what_can_never_arrive_is_not_tried_again(self, api, alerter, caplog):
        api.answers = [NO_SUCH_CHAT]
        alerter.alert(alert("one"))
        alerter.alert(alert("two"))
        until(lambda: api.texts)
        assert api.asked == 2
        assert "chat not found" in caplog.text

    def test_the_receivers_wish_to_be_left_alone_is_respected(self, api, alerter, monkeypatch):
        pauses: list[float] = []
        monkeypatch.setattr(alerter, "_rests", pauses.append)
        api.answers = [FLOOD, BROKEN]
        alerter.alert(alert())
        until(lambda: api.texts)
        assert pauses == [3.0, 0.02]

    def test_nobody_waits_for_it_and_memory_is_bounded(self, api, alerter):
        api.hold.clear()
        started = time.monotonic()
        for number in range(5 * MOST_WAITING):
            alerter.alert(alert(f"about {number}"))
        assert time.monotonic() - started < 5, "far less than one answer that does not come"
        api.hold.set()
        until(lambda: len(api.texts) >= MOST_WAITING)
        assert len(api.texts) <= MOST_WAITING + 1

    def test_what_waits_at_the_end_is_still_sent(self, api, alerter):
        for number in range(5):
            alerter.alert(alert(f"about {number}"))
        alerter.close()
        assert len(api.texts) == 5

    def test_the_end_does_not_wait_for_a_receiver_that_is_gone(self, channel, monkeypatch):
        away = TelegramChannel(f"http://127.0.0.1:{free_port()}", TOKEN, CHAT)
        alerter = Alerter(away, Gate(600, 60))
        alerter.alert(alert())
        alerter.close(0.1)
        alerter._thread.join(10)
        assert not alerter._thread.is_alive()


class TestGate:
    def test_a_minute_has_a_limit_and_critical_alerts_a_part_of_their_own(self):
        gate = Gate(600, per_minute=10)
        passed = [gate.admit(alert(f"{n}"), 1_000.0) is not None for n in range(20)]
        assert passed.count(True) == 8
        assert gate.admit(alert("fire", Severity.CRITICAL), 1_000.0) is not None

    def test_what_was_left_out_is_told_once_there_is_room(self):
        gate = Gate(600, per_minute=10)
        for number in range(20):
            gate.admit(alert(f"{number}"), 1_000.0)
        assert gate.admit(alert("later"), 1_060.0) == "12 other alerts were left out, because there were too many."
        assert gate.admit(alert("still later"), 1_061.0) == ""


class TestLog:
    @pytest.fixture
    def logger(self, alerter) -> logging.Logger:
        config = Config(alerts={"telegram": {"bot_token": TOKEN, "chat_id": CHAT}})
        logger = logging.Logger("swapstats.here")
        logger.addHandler(AlertHandler(alerter, Redactor(secret_values(config)).text, "consume"))
        return logger

    def test_errors_are_alerts_and_what_is_less_is_not(self, api, alerter, logger):
        logger.warning("a little")
        logger.error("partition %d is gone", 3)
        logger.critical("all is gone")
        alerter.close()
        assert [text.split()[1] for text in api.texts] == ["ERROR", "CRITICAL"]
        assert "partition 3 is gone" in api.texts[0]

    def test_lines_of_one_message_are_one_alert(self, api, alerter, logger):
        for number in range(5):
            logger.error("partition %d is gone", number)
        alerter.close()
        assert len(api.texts) == 1

    def test_no_secret_is_sent(self, api, alerter, logger):
        try:
            raise ValueError(f"at bot{TOKEN}")
        except ValueError:
            logger.exception("failed with %s", TOKEN)
        alerter.close()
        assert TOKEN not in api.texts[0]


def _alert(api: BotApi, *words: str, chat: str = CHAT) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "settings.test",
        "SWAPSTATS_ALERTS__TELEGRAM__BOT_TOKEN": TOKEN,
        "SWAPSTATS_ALERTS__TELEGRAM__CHAT_ID": chat,
        "SWAPSTATS_ALERTS__TELEGRAM__API_BASE": api.url,
    }
    command = [sys.executable, "manage.py", "alert", *words]
    return subprocess.run(command, cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False)


def test_the_command_sends_a_test_and_says_so(api):
    done = _alert(api, "--test")
    assert (done.returncode, done.stdout.strip()) == (0, "sent")
    assert "This is a test." in api.texts[0]


def test_the_command_says_why_a_message_was_not_taken(api):
    done = _alert(api, "disk is full", "--severity", "critical", chat="1")
    assert done.returncode == 1
    assert "Telegram refused with 400: Bad Request: chat not found" in done.stderr
    assert TOKEN not in done.stderr


def test_without_a_token_there_is_no_channel():
    assert operations.alert_channel(Config()) is None
