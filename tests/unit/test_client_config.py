"""What librdkafka is told, from the configuration."""

import logging
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from settings.config import Ingest
from swapstats.adapters.kafka.client_config import (
    REPEAT_SECONDS,
    OnceInAWhile,
    client_settings,
    consumer_settings,
    new_client,
    producer_settings,
)
from swapstats.domain.errors import ConfigError

MAKERS = (client_settings, consumer_settings, producer_settings)


def test_brokers_and_our_own_choices() -> None:
    settings = consumer_settings(Ingest(brokers=("k1:9092", "k2:9092"), group_id="g"))
    assert settings["bootstrap.servers"] == "k1:9092,k2:9092"
    assert settings["group.id"] == "g"
    assert settings["auto.offset.reset"] == "error"
    assert settings["enable.auto.commit"] is False


@pytest.mark.parametrize("make", MAKERS)
def test_security_reaches_every_client(make, tmp_path: Path) -> None:
    for name in ("password", "ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("s3cret\n")
    security = {
        "protocol": "SASL_SSL",
        "mechanism": "SCRAM-SHA-512",
        "username": "swapstats",
        "password_file": str(tmp_path / "password"),
        "ca_file": str(tmp_path / "ca.pem"),
        "certificate_file": str(tmp_path / "cert.pem"),
        "key_file": str(tmp_path / "key.pem"),
        "key_password": "k3y",
    }
    settings = make(Ingest.model_validate({"security": security}))
    assert {name: value for name, value in settings.items() if name.startswith(("security", "sasl", "ssl"))} == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "swapstats",
        "sasl.password": "s3cret",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "ssl.certificate.location": str(tmp_path / "cert.pem"),
        "ssl.key.location": str(tmp_path / "key.pem"),
        "ssl.key.password": "k3y",
    }


def test_further_settings_win_over_our_choices() -> None:
    settings = consumer_settings(Ingest(client={"fetch.wait.max.ms": 100, "max.poll.interval.ms": 300_000}))
    assert (settings["fetch.wait.max.ms"], settings["max.poll.interval.ms"]) == (100, 300_000)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (consumer_settings, "auto.offset.reset"),
        (consumer_settings, "enable.auto.commit"),
        (consumer_settings, "partition.assignment.strategy"),
        (producer_settings, "acks"),
        (client_settings, "bootstrap.servers"),
    ],
)
def test_but_not_over_what_correctness_rests_on(make, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"ingest\.client: {name}"):
        make(Ingest(client={name: "1"}))


def test_the_new_group_protocol_goes_without_what_the_broker_decides() -> None:
    settings = consumer_settings(Ingest(client={"group.protocol": "consumer"}))
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & settings.keys()
    new_client(Consumer, settings).close()


@pytest.mark.parametrize("setting", [{"no.such.thing": 1}, {"client.rack": 1, "socket.timeout.ms": "soon"}])
def test_what_librdkafka_refuses_names_the_key(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"ingest\.client.*(no\.such\.thing|socket\.timeout\.ms)"):
        new_client(Producer, producer_settings(Ingest.model_validate({"client": setting})))


def test_a_broker_that_is_away_is_told_once_in_a_while() -> None:
    once = OnceInAWhile()

    def passes(message: str, at: float) -> bool:
        record = logging.LogRecord("swapstats.librdkafka", logging.ERROR, "", 0, message, None, None)
        record.created = at
        return once.filter(record)

    assert passes("FAIL [c#consumer-1] [thrd:a]: Connection refused (after 0ms)", 0)
    assert not passes("FAIL [c#consumer-1] [thrd:a]: Connection refused (after 1ms)", 1)
    assert passes("FAIL [c#consumer-2] [thrd:a]: Connection refused", 1)
    assert passes("MAXPOLL [c#consumer-1] [thrd:main]: exceeded", 1)
    assert passes("FAIL [c#consumer-1] [thrd:a]: Connection refused", REPEAT_SECONDS)
