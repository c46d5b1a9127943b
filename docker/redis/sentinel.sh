#!/bin/sh
# Sentinel rewrites its configuration, so it gets one of its own from this template.
set -eu
password=$(cat /run/secrets/redis_password)
cat > /data/sentinel.conf <<CONF
port 26379
dir /data
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel monitor swapstats redis-1 6379 2
sentinel auth-pass swapstats $password
sentinel down-after-milliseconds swapstats 5000
sentinel failover-timeout swapstats 30000
sentinel parallel-syncs swapstats 1
CONF
exec redis-sentinel /data/sentinel.conf
