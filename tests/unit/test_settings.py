"""Django's settings, as each environment builds them from the configuration."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from channels_redis.utils import create_pool, decode_hosts

from settings.channel_layer import channel_layers
from settings.config import ChannelLayer, Config, Jwt
from settings.config.values import PROJECT_DIR
from settings.database import databases
from settings.own_secret import own_secret
from settings.tokens import simple_jwt


def test_development_makes_secrets_of_its_own(tmp_path):
    command = [sys.executable, "-c", "import settings.dev as s; print(s.SECRET_KEY, s.SIMPLE_JWT['SIGNING_KEY'])"]
    environment = {"PATH": os.environ["PATH"], "SWAPSTATS_EMBEDDED__DATA_DIR": str(tmp_path / "data")}
    first, second = (subprocess.check_output(command, cwd=PROJECT_DIR, env=environment) for _ in range(2))
    assert first == second
    assert len(set(first.split())) == 2
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()} == {0o600}


def test_processes_that_race_for_a_secret_agree(tmp_path):
    program = (
        "import sys, pathlib; from settings.own_secret import own_secret; print(own_secret(pathlib.Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "secret")]
    with ThreadPoolExecutor(4) as pool:
        seen = set(pool.map(lambda _: subprocess.check_output(command, cwd=PROJECT_DIR, text=True).strip(), range(4)))
    assert seen == {own_secret(tmp_path / "secret")}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("url", "name"), [("sqlite:///some.db", "some.db"), ("sqlite:////srv/some%20name.db", "/srv/some name.db")]
)
def test_sqlite_urls(url, name):
    assert databases(Config(database={"url": url}))["default"]["NAME"] == name


def test_postgresql_urls():
    url = "postgresql://me:in%2Furl@db.example.org:5433/swaps?sslmode=require"
    given = databases(Config(database={"url": url}))["default"]
    assert [given[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "swaps",
        "me",
        "in/url",
        "db.example.org",
        "5433",
    ]
    assert given["OPTIONS"] == {"sslmode": "require"}


def test_the_password_beside_a_database_url_is_used():
    database = {"url": "postgresql://me@db/swaps", "password": "beside"}
    assert databases(Config(database=database))["default"]["PASSWORD"] == "beside"


def _pool(**server):
    layer = channel_layers(ChannelLayer(**server))["default"]["CONFIG"]
    return create_pool(decode_hosts(layer["hosts"])[0])


def test_the_channel_layer_speaks_to_the_configured_redis():
    arguments = _pool(url="redis://redis.example.org:6380/3", password="beside").connection_kwargs
    assert {key: arguments[key] for key in ("host", "port", "db", "password")} == {
        "host": "redis.example.org",
        "port": 6380,
        "db": 3,
        "password": "beside",
    }


@pytest.mark.parametrize("server", [{}, {"sentinel": {"master": "swaps", "hosts": ["s1:26379"]}}])
def test_the_channel_layer_is_not_pushed_to(server):
    assert _pool(**server).connection_kwargs["protocol"] == 2


def test_the_channel_layer_finds_its_master_through_sentinels():
    sentinel = {"master": "swaps", "hosts": ["s1:26379", "s2:26379"], "password": "theirs"}
    pool = _pool(url="redis://ignored/4", password="ours", sentinel=sentinel)
    assert (pool.service_name, pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == ("swaps", 4, "ours")
    watched = [client.connection_pool.connection_kwargs for client in pool.sentinel_manager.sentinels]
    assert [(kwargs["host"], kwargs["port"], kwargs["password"]) for kwargs in watched] == [
        ("s1", 26379, "theirs"),
        ("s2", 26379, "theirs"),
    ]


def test_tokens_are_signed_with_the_key_of_their_algorithm(tmp_path):
    (tmp_path / "public.pem").write_text("public")
    assert simple_jwt(Jwt(secret="shared"))["SIGNING_KEY"] == "shared"
    pair = simple_jwt(Jwt(alg="RS256", secret="shared", private_key="mine", public_key_file=tmp_path / "public.pem"))
    assert (pair["SIGNING_KEY"], pair["VERIFYING_KEY"]) == ("mine", "public")
    assert simple_jwt(Jwt(alg="RS256", jwks_url="https://id.example.org/keys"))["SIGNING_KEY"] == ""
