"""The configuration: where values come from, which are refused, and in what words."""

import json
from pathlib import Path

import pytest
import yaml

from settings.config import Address, Config, load_config
from settings.config.document import PAGE, page
from settings.config.values import format_duration, parse_address, parse_duration
from swapstats.domain.errors import ConfigError

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Loads afresh from a YAML text and variables."""

    def loaded(text: str = "", **variables: str) -> Config:
        file = tmp_path / "config.yaml"
        file.write_text(text)
        monkeypatch.setenv("SWAPSTATS_CONFIG", str(file))
        for name, value in variables.items():
            monkeypatch.setenv(f"SWAPSTATS_{name}", value)
        load_config.cache_clear()
        return load_config()

    yield loaded
    load_config.cache_clear()


@pytest.fixture
def refusal(load):
    """What is said when a configuration is refused."""

    def refused(text: str = "", **variables: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text, **variables)
        return str(caught.value)

    return refused


def test_the_defaults_are_those_of_the_contract(load):
    config = load()
    assert config.ingest.brokers == ("localhost:9092",)
    assert (config.ingest.topic, config.ingest.group_id, config.ingest.start) == ("raw-swaps", "swap-stats", "window")
    assert (config.app.grace_ms, config.app.max_skew_ms) == (120 * SECOND, 60 * SECOND)
    assert (config.app.snapshot_interval_ms, config.app.dedupe_ttl_ms) == (5 * SECOND, 24 * HOUR)
    assert {name: (w.length_ms, w.bucket_ms) for name, w in config.app.windows.items()} == {
        "5m": (5 * MINUTE, 5 * SECOND),
        "1h": (HOUR, MINUTE),
        "24h": (24 * HOUR, MINUTE),
    }
    assert config.stores.redis.url == "redis://localhost:6379/2"
    assert (config.stores.clickhouse.batch_rows, config.stores.clickhouse.batch_interval_ms) == (1_000, 200)
    assert config.api.http.addr == Address("0.0.0.0", 8080)
    assert config.security.jwt.enabled


def test_the_file_changes_defaults_and_the_environment_changes_the_file(load):
    config = load(
        "ingest: {topic: from-file, group_id: from-file}\napp: {windows: {10m: {length: 10m, bucket: 10s}}}",
        INGEST__TOPIC="from-environment",
        INGEST__BROKERS='["k1:9092", "k2:9092"]',
        APP__GRACE="3m",
        RATE_LIMIT__BY_IP__BURST="7",
        METRICS__PPROF="null",
    )
    assert (config.ingest.topic, config.ingest.group_id) == ("from-environment", "from-file")
    assert config.ingest.brokers == ("k1:9092", "k2:9092")
    assert config.app.grace_ms == 3 * MINUTE
    assert list(config.app.windows) == ["10m"]
    assert (config.rate_limit.by_ip.burst, config.rate_limit.by_ip.refill_per_sec) == (7, 20)
    assert config.metrics.pprof is None


def test_an_empty_variable_is_ignored_unless_empty_says_something(load):
    config = load(
        "stores: {clickhouse: {storage_policy: tiers, cluster: main}}",
        INGEST__TOPIC="",
        STORES__CLICKHOUSE__STORAGE_POLICY="",
        STORES__CLICKHOUSE__CLUSTER="",
    )
    assert config.ingest.topic == "raw-swaps"
    assert (config.stores.clickhouse.storage_policy, config.stores.clickhouse.cluster) == ("", "")


def test_every_key_of_the_contract_can_be_written_as_its_default(load):
    """A file that spells out all defaults gives the same configuration as no file."""
    defaults = {}
    for line in page().splitlines():
        if line.startswith("| `") and "<name>" not in line:
            key, _, default, _ = (cell.strip(" `") for cell in line.strip("|").split(" | "))
            _put(defaults, key, default)
    assert load(yaml.safe_dump(defaults)) == load()


def _put(tree: dict, key: str, default: str) -> None:
    *groups, last = key.split(".")
    if default in ("–", "required"):
        return
    for group in groups:
        tree = tree.setdefault(group, {})
    tree[last] = json.loads(default) if default[0] in '["{' or default in ("true", "false") else default


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INGEST__BROKERS", "k1:9092", "ingest.brokers: expected a list"),
        ("INGEST__BROKERS", "[]", "ingest.brokers: expected at least one item"),
        ("INGEST__BROKERS", '["k1"]', "ingest.brokers.0: expected host:port"),
        ("INGEST__BROKER_TYPE", "rabbit", "ingest.broker_type: expected 'redpanda' or 'kafka'"),
        ("INGEST__MAX_INVALID_SHARE", "2", "ingest.max_invalid_share: expected less than or equal to 1"),
        ("INGEST__NOPE", "1", "ingest.nope: unknown key"),
        ("INGESTT__TOPIC", "x", "SWAPSTATS_INGESTT__TOPIC: unknown key"),
        ("INGEST__SECURITY__PROTOCOL", "SASL_SSL", "ingest.security: protocol SASL_SSL needs mechanism"),
        ("APP__GRACE", "120", "app.grace: expected a duration with its unit"),
        ("APP__SNAPSHOT_INTERVAL", "0s", "app.snapshot_interval: expected greater than 0"),
        ("APP__DEDUPE_TTL", "23h", "app.dedupe_ttl: expected at least the longest window, 1d"),
        ("APP__WINDOWS", '{"1h": {"length": "1h", "bucket": "7s"}}', "app.windows.1h: expected a length"),
        ("APP__WINDOWS", '{"1h": {"length": "1h"}}', "app.windows.1h.bucket: expected a value"),
        ("APP__WINDOWS", '{"2d": {"length": "2d", "bucket": "60s"}}', "app.dedupe_ttl: expected at least"),
        ("STORES__REDIS__URL", "http://:hidden@x", "stores.redis.url: expected a URL that begins with redis://"),
        ("STORES__CLICKHOUSE__DELETE_DAYS", "90", "stores.clickhouse.delete_days: expected more days than hot_days"),
        ("SECURITY__JWT__ALG", "RS256", "security.jwt: alg RS256 needs public_key_file or jwks_url"),
        ("SECURITY__JWT__SECRET_FILE", "missing", "security.jwt: secret_file: expected a readable text file"),
        ("API__HTTP__ADDR", "8080", "api.http.addr: expected host:port"),
        ("API__WS__MAX_CONN", "many", "api.ws.max_conn: expected a valid integer"),
        ("API__WS__ALLOWED_ORIGINS", '["example.org"]', "api.ws.allowed_origins.0: expected an origin"),
    ],
)
def test_a_wrong_value_is_refused_by_its_key_and_with_what_was_expected(refusal, name, value, said):
    message = refusal(**{name: value})
    assert message.startswith(said)
    assert "hidden" not in message


def test_uneven_buckets_are_refused(refusal):
    windows = {"5m": {"length": "5m", "bucket": "5s"}, "1h": {"length": "1h", "bucket": "12s"}}
    assert "multiples of the finest; 1h's is not" in refusal(APP__WINDOWS=json.dumps(windows))


def test_all_wrong_values_are_named_at_once(refusal):
    lines = refusal("ingest: {topic: ''}", APP__GRACE="soon").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["app.grace", "ingest.topic"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("security: {jwt: {secret: hidden}}", "security.jwt.secret"),
        ("stores: {redis: {url: 'redis://:hidden@localhost:6379/2'}}", "stores.redis.url"),
        ("ingest: {client: {ssl.key.password: hidden}}", "ingest.client.ssl.key.password"),
        (
            "stores: {redis: {sentinel: {master: m, hosts: ['h:1'], password: hidden}}}",
            "stores.redis.sentinel.password",
        ),
    ],
)
def test_secrets_in_the_file_are_refused_and_not_repeated(refusal, text, key):
    message = refusal(text)
    assert message.startswith(f"{key}: expected")
    assert "hidden" not in message


def test_a_secret_comes_from_the_environment_or_from_a_file(load, tmp_path):
    (tmp_path / "secret").write_text("from-file\n")
    config = load(f"stores: {{redis: {{password_file: {tmp_path}/secret}}}}", SECURITY__JWT__SECRET="from-environment")
    assert config.stores.redis.password.get_secret_value() == "from-file"
    assert config.security.jwt.secret.get_secret_value() == "from-environment"
    assert "from-file" not in repr(config)
    assert "from-environment" not in repr(config)


def test_a_secret_given_twice_is_refused(refusal, tmp_path):
    (tmp_path / "secret").write_text("from-file")
    variables = {"SECURITY__JWT__SECRET": "x", "SECURITY__JWT__SECRET_FILE": str(tmp_path / "secret")}
    assert refusal(**variables) == "security.jwt: expected one of secret and secret_file, not both"


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "just text"])
def test_a_file_that_is_no_mapping_is_refused(refusal, text):
    assert refusal(text).startswith("SWAPSTATS_CONFIG: expected a")


def test_a_file_that_is_not_there_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SWAPSTATS_CONFIG", str(tmp_path / "missing.yaml"))
    load_config.cache_clear()
    with pytest.raises(ConfigError, match="SWAPSTATS_CONFIG: expected a readable YAML file"):
        load_config()
    load_config.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200ms", 200), ("5s", 5 * SECOND), ("10m", 10 * MINUTE), ("24h", 24 * HOUR), ("0s", 0)],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected
    assert parse_duration(format_duration(expected)) == expected


@pytest.mark.parametrize("wrong", ["5", 5, "5 weeks", "-5s", "1.5s", "", None])
def test_durations_that_are_refused(wrong):
    with pytest.raises(ValueError, match="expected a duration with its unit"):
        parse_duration(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":8080", ("0.0.0.0", 8080)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:8080", ("::1", 8080)),
        ("host:65535", ("host", 65535)),
    ],
)
def test_addresses(text, expected):
    assert parse_address(text) == expected


@pytest.mark.parametrize("wrong", ["8080", "host", "host:", "host:65536", "::1:80", "a b:1", 8080])
def test_addresses_that_are_refused(wrong):
    with pytest.raises(ValueError, match="expected host:port"):
        parse_address(wrong)


def test_the_page_about_the_configuration_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/configuration.md is out of date; run: make docs"
