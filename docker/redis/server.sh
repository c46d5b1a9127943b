#!/bin/sh
# Whoever starts looks first who is the master now: one that comes back after a failover must not call itself that.
set -eu
password=$(cat /run/secrets/redis_password)
master=$(redis-cli -h sentinel-1 -p 26379 --raw sentinel get-master-addr-by-name swapstats 2>/dev/null | head -n 1 || true)
[ -n "$master" ] || master=redis-1
set -- /etc/redis/redis.conf --requirepass "$password" --masterauth "$password" \
  --maxmemory "$REDIS_MAXMEMORY" --replica-announce-ip "$(hostname)"
[ "$master" = "$(hostname)" ] || set -- "$@" --replicaof "$master" 6379
exec redis-server "$@"
