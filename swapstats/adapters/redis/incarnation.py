"""Which incarnation of a log its state belongs to, where the broker does not say or does not know.

A broker without topic ids gives a recreated topic the name of the old one; and a log may come back shorter than it
was, when its broker lost what it had acknowledged. State of a log that ends before it must not be mixed with it. So
beside the state stands a count of how often that was found, and the keys of all state carry it.
"""

import logging

from swapstats.adapters.redis.fencing import checkpoint_key
from swapstats.adapters.redis.live_store import live_index_key
from swapstats.adapters.redis.session import Argument, RedisSession
from swapstats.ports.swap_source import SourceIdentity

log = logging.getLogger(__name__)

# KEYS[1] the count, KEYS[2] the live index, whose fields are the partitions; ARGV[1] the number of the incarnation that
# ends, ARGV[2] what the keys of its checkpoints begin with. Whoever still writes there is fenced off, lest two
# incarnations be published in turns.
_RENEW = """
if (redis.call('GET', KEYS[1]) or '0') ~= ARGV[1] then return 0 end
for _, partition in ipairs(redis.call('HKEYS', KEYS[2])) do
  local checkpoint = ARGV[2] .. partition
  if redis.call('HEXISTS', checkpoint, 'epoch') == 1 then redis.call('HINCRBY', checkpoint, 'epoch', 1) end
end
return redis.call('INCR', KEYS[1])
"""


class RedisIncarnation:
    """The incarnation of the log that its broker names `named`, as it was when this was made."""

    def __init__(self, session: RedisSession, prefix: str, named: SourceIdentity) -> None:
        self._session = session
        self._prefix = prefix
        self._key = f"{prefix}incarnation:{named.key}"
        self._number = int(session.command("GET", self._key) or 0)
        suffix = [str(self._number)] if self._number else []
        self.source = named._replace(incarnation="~".join([named.incarnation, *suffix]))

    def set_aside(self) -> None:
        """Begin another one with no state, unless somebody else has done so already."""
        keys = [self._key, live_index_key(self._prefix, self.source.key)]
        args: list[Argument] = [self._number, checkpoint_key(self._prefix, self.source, "")]
        if self._session.script(_RENEW, "set_aside")(keys, args):
            log.error("the state of %s is set aside, and its log begun anew", self.source.key)
