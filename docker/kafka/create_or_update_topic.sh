#!/usr/bin/env bash
# Creates a topic, or brings an existing one to these settings, with rpk or Kafka's own tools, whichever is there.
# Partitions are only ever raised; asking for fewer is refused before anything is changed.
set -euo pipefail

if [ $# -ne 6 ]; then
  echo "usage: $0 TOPIC PARTITIONS RETENTION_MS CLEANUP SEGMENT_MS BROKERS" >&2
  echo "   as: $0 raw-swaps 12 604800000 delete 3600000 localhost:9092" >&2
  exit 2
fi
topic=$1 partitions=$2 retention_ms=$3 cleanup=$4 segment_ms=$5 brokers=$6

fail() {
  echo "$topic: $1" >&2
  exit 1
}

[[ $topic =~ ^[A-Za-z0-9._-]{1,249}$ ]] || fail "expected a topic name of letters, digits, '.', '_' and '-'"
[[ $partitions =~ ^[1-9][0-9]*$ ]] || fail "PARTITIONS: expected a whole number from 1 on, got '$partitions'"
[[ $retention_ms =~ ^(-1|[0-9]+)$ ]] || fail "RETENTION_MS: expected milliseconds, or -1 for ever, got '$retention_ms'"
[[ $segment_ms =~ ^[1-9][0-9]*$ ]] || fail "SEGMENT_MS: expected milliseconds, got '$segment_ms'"
case $cleanup in
  delete | compact | compact,delete | delete,compact) ;;
  *) fail "CLEANUP: expected delete, compact or compact,delete, got '$cleanup'" ;;
esac

refuse_fewer() {
  [ "$1" -le "$partitions" ] || fail "has $1 partitions, and Kafka cannot lower them to $partitions"
}

with_rpk() {
  local settings=(retention.ms="$retention_ms" cleanup.policy="$cleanup" segment.ms="$segment_ms") setting found
  rpk() { command rpk -X brokers="$brokers" "$@"; }
  found=$(rpk topic list | awk -v topic="$topic" '$1 == topic { print $2 }')
  if [ -z "$found" ]; then
    rpk topic create "$topic" --partitions "$partitions" "${settings[@]/#/--topic-config=}"
    return
  fi
  refuse_fewer "$found"
  if [ "$found" -lt "$partitions" ]; then
    rpk topic add-partitions "$topic" --num $((partitions - found))
    echo "$topic: partitions $found -> $partitions"
  fi
  for setting in "${settings[@]}"; do
    rpk topic alter-config "$topic" --set "$setting"
  done
}

with_kafka() {
  local topics=$1 configs=$2 found policy=$cleanup
  [[ $policy == *,* ]] && policy="[$policy]"
  local settings=(retention.ms="$retention_ms" cleanup.policy="$cleanup" segment.ms="$segment_ms")
  if ! "$topics" --bootstrap-server "$brokers" --list | grep -Fxq -- "$topic"; then
    "$topics" --bootstrap-server "$brokers" --create --topic "$topic" --partitions "$partitions" \
      --config "${settings[0]}" --config "${settings[1]}" --config "${settings[2]}"
    return
  fi
  found=$("$topics" --bootstrap-server "$brokers" --describe --topic "$topic" |
    sed -n 's/.*PartitionCount:[[:space:]]*\([0-9]*\).*/\1/p')
  [ -n "$found" ] || fail "its partitions could not be read from the broker's answer"
  refuse_fewer "$found"
  if [ "$found" -lt "$partitions" ]; then
    "$topics" --bootstrap-server "$brokers" --alter --topic "$topic" --partitions "$partitions"
    echo "$topic: partitions $found -> $partitions"
  fi
  "$configs" --bootstrap-server "$brokers" --alter --entity-type topics --entity-name "$topic" \
    --add-config "retention.ms=$retention_ms,cleanup.policy=$policy,segment.ms=$segment_ms"
}

if command -v rpk >/dev/null; then
  with_rpk
elif command -v kafka-topics.sh >/dev/null && command -v kafka-configs.sh >/dev/null; then
  with_kafka kafka-topics.sh kafka-configs.sh
elif command -v kafka-topics >/dev/null && command -v kafka-configs >/dev/null; then
  with_kafka kafka-topics kafka-configs
else
  fail "neither rpk nor kafka-topics.sh with kafka-configs.sh is on the PATH"
fi
echo "$topic: $partitions partitions, retention.ms $retention_ms, cleanup.policy $cleanup, segment.ms $segment_ms"
