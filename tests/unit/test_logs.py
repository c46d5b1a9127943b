"""Log lines: what they say, what they never say, and how often."""

import io
import json
import logging
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from structlog.contextvars import bound_contextvars
from structlog.stdlib import ProcessorFormatter

from api.request_id import request_id_middleware
from settings.config import Config
from settings.logs import logging_config
from swapstats.logs.flood import FloodFilter
from swapstats.logs.secrets import HIDDEN, Redactor

SECRETS = {
    "stores": {
        "redis": {"url": "redis://user:inside-the-url@localhost/2"},
        "clickhouse": {"password": "of clickhouse"},
    },
    "security": {"secret_key": 'with "quotes"', "jwt": {"secret": "x" * 32}},
    "alerts": {"telegram": {"bot_token": "12345678:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr", "chat_id": "1"}},
}


class Log:
    """A logger as production has it, whose lines can be read."""

    def __init__(self, config: Config, clock: Callable[[], float] = lambda: 0.0) -> None:
        self._stream = io.StringIO()
        handler = logging.StreamHandler(self._stream)
        settings = logging_config(config)["formatters"]["line"]
        handler.setFormatter(ProcessorFormatter(**{key: value for key, value in settings.items() if key != "()"}))
        handler.addFilter(FloodFilter(burst=3, seconds=10, monotonic=clock))
        self.handler = handler
        self.logger = logging.Logger("swapstats.here")
        self.logger.addHandler(handler)

    @property
    def text(self) -> str:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Log:
    return Log(Config(**SECRETS))


def test_what_uvicorn_says_for_terminals_is_left_out(log):
    log.logger.info(
        "Started server process [%d]", 7, extra={"color_message": "Started server process [\x1b[36m%d\x1b[0m]"}
    )
    [line] = log.lines
    assert line["event"] == "Started server process [7]"
    assert "color_message" not in line


def test_a_line_is_one_json_object_with_time_level_logger_and_event(log):
    log.logger.warning("partition %d: %s", 3, "multi\nline")
    [line] = log.lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line.pop("time"))
    assert isinstance(line.pop("process"), int)
    assert line == {"event": "partition 3: multi\nline", "level": "warning", "logger": "swapstats.here"}


def test_a_line_carries_its_context_and_what_was_given_with_it(log):
    with bound_contextvars(partition=7, worker="w1"):
        log.logger.info("taken", extra={"epoch": 42})
    assert {"partition": 7, "worker": "w1", "epoch": 42}.items() <= log.lines[0].items()


def test_an_exception_comes_with_its_traceback_in_the_same_line(log):
    try:
        raise ValueError("of redis://me:hush-hush@host/1")
    except ValueError:
        log.logger.exception("failed")
    assert "Traceback" in log.lines[0]["exception"]
    assert "hush-hush" not in log.text


def test_lines_within_a_request_say_which_one(log):
    def view(_request):
        log.logger.info("looked up")
        return HttpResponse()

    answer = request_id_middleware(view)(RequestFactory().get("/api/tokens?token=x", headers={"X-Request-ID": "r-1"}))
    log.logger.info("afterwards")
    within, after = log.lines
    assert {"request_id": "r-1", "method": "GET", "path": "/api/tokens"}.items() <= within.items()
    assert answer.headers["X-Request-ID"] == "r-1"
    assert "request_id" not in after


ALL_SECRETS = [
    "inside-the-url",
    "of clickhouse",
    'with "quotes"',
    "x" * 32,
    "12345678:AAbbCCddEEffGGhhIIjjKKllMMnnOOppQQr",
]


@pytest.mark.parametrize("secret", ALL_SECRETS)
def test_a_configured_secret_is_never_written(log, secret):
    class Clumsy:
        def __repr__(self) -> str:
            return f"Clumsy({secret})"

    log.logger.error("as text %s", secret)
    log.logger.error("in a structure", extra={"found": {"deep": [secret, Clumsy(), secret.encode()]}, secret: 1})
    assert secret not in log.text
    assert json.dumps(secret)[1:-1] not in log.text
    assert HIDDEN in log.text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdefghijkl", "Authorization: Bearer [secret]"),
        ("subprotocol bearer.abcdefghijkl, swapstats.v1", "subprotocol bearer.[secret], swapstats.v1"),
        ("a token eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl was refused", "a token [secret] was refused"),
        ("redis://me:hush@host:6379/2", "redis://me:[secret]@host:6379/2"),
        ("/ws?ticket=abc123&x=1", "/ws?ticket=[secret]&x=1"),
        ("POST /bot123456:AAbbCCddEEffGGhhIIjj_-KK/sendMessage", "POST /bot[secret]/sendMessage"),
        ("a bearer of news, a bottle of ink, https://example.org/a@b", None),
    ],
)
def test_what_looks_like_a_secret_is_hidden_too(text, kept):
    assert Redactor(()).text(text) == (kept or text)


def test_floods_are_thinned_and_what_was_left_out_is_told(caplog):
    now = 0.0
    log = Log(Config(), lambda: now)
    for number in range(10):
        log.logger.error("lost %d", number)
    log.logger.error("something else")
    assert [line["event"] for line in log.lines] == ["lost 0", "lost 1", "lost 2", "something else"]
    now = 10.0
    log.logger.error("lost %d", 10)
    assert log.lines[-1]["suppressed"] == 7
    log.logger.error("lost %d", 11)
    assert "suppressed" not in log.lines[-1]


def test_the_memory_of_floods_is_bounded():
    flood = FloodFilter(kinds=100)
    for number in range(1_000):
        assert flood.filter(logging.makeLogRecord({"name": "here", "msg": f"kind {number}"}))
    assert len(flood._spells) == 100


def test_people_get_a_short_line_without_colours_where_there_is_no_terminal():
    config = Config(log={"format": "console"})
    settings = logging_config(config, otherwise="json")["formatters"]["line"]
    formatter = ProcessorFormatter(**{key: value for key, value in settings.items() if key != "()"})
    record = logging.makeLogRecord({"name": "here", "levelname": "INFO", "levelno": 20, "msg": "started"})
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} \[info *\] started +\[here\] *", formatter.format(record))
