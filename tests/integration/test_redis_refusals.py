"""A Redis that answers and yet takes no writes: for a worker that is the same as one that is away."""

import pytest
import redis

from settings.config import RedisServer as RedisServerConfig
from swapstats.adapters.redis.session import RedisSession
from swapstats.domain.errors import StoreError, StoreUnavailable

WRITE = "return redis.call('SET', KEYS[1], ARGV[1])"


@pytest.fixture
def session(own_redis):
    opened = RedisSession.open(RedisServerConfig(url=own_redis.url()))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "trouble",
    [
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
    ],
    ids=["full", "replica", "without replicas"],
)
@pytest.mark.parametrize("by_script", [True, False])
def test_a_server_that_takes_no_writes_now_is_unavailable(own_redis, session, trouble, by_script):
    write = session.script(WRITE, "test")
    with redis.Redis.from_url(own_redis.url()) as client:
        client.execute_command(*trouble)
    with pytest.raises(StoreUnavailable):
        write(["key"], ["value"]) if by_script else session.command("SET", "key", "value")
    with pytest.raises(StoreUnavailable, match="the connection was lost"):
        session.command("PING")


def test_a_command_that_is_wrong_as_such_is_not(session):
    with pytest.raises(StoreError) as refused:
        session.command("HSET", "only")
    assert not isinstance(refused.value, StoreUnavailable)
    assert session.command("PING") == b"PONG"
