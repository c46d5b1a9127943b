"""What the dashboards show. Each query asks only for metrics of the catalogue; docs/runbook.md says what to do."""

from typing import Literal, NamedTuple

Kind = Literal["timeseries", "stat"]


class Query(NamedTuple):
    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """`unit` is one of Grafana's."""

    title: str
    meaning: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"


class Board(NamedTuple):
    uid: str
    title: str
    description: str
    panels: tuple[Panel, ...]


def _rate(metric: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}[1m]))"


def _quantiles(metric: str) -> tuple[Query, ...]:
    return tuple(
        Query(f"histogram_quantile({share}, sum by (le) (rate({metric}_bucket[1m])))", f"p{share * 100:g}")
        for share in (0.5, 0.95, 0.99)
    )


def _slowest(metric: str, by: str) -> Query:
    return Query(f"histogram_quantile(0.99, sum by (le, {by}) (rate({metric}_bucket[1m])))", f"{{{{{by}}}}}")


_OUTCOMES = (
    Query(_rate("events_applied_total"), "applied"),
    Query(_rate("dedupe_hits_total"), "duplicate"),
    Query(_rate("events_late_total"), "late"),
    Query(_rate("events_retracted_total"), "retracted"),
    Query(_rate("events_parked_total"), "parked"),
    Query(_rate("events_cancelled_total"), "cancelled"),
    Query(_rate("events_dead_lettered_total"), "dead-lettered"),
)

LIVE = Board(
    "swapstats-live",
    "swapstats: live path",
    "From the log to the windows: how fast, how far behind, and what became of each record.",
    (
        Panel("Swaps read", "Records read a second", "cps", (Query(_rate("events_ingested_total"), "read"),), "stat"),
        Panel(
            "Behind",
            "Age of the last record applied, worst partition",
            "s",
            (Query("max(consumer_lag_seconds)"),),
            "stat",
        ),
        Panel("Waiting", "Records not yet read", "short", (Query("sum(consumer_lag_records)"),), "stat"),
        Panel("Outcomes", "What became of each record", "cps", _OUTCOMES),
        Panel(
            "Behind, by partition",
            "Age of the last record applied",
            "s",
            (Query("max by (partition) (consumer_lag_seconds)", "{{partition}}"),),
        ),
        Panel("Event time", "Now minus the newest event time", "s", (Query("event_time_lag_seconds", "{{instance}}"),)),
        Panel(
            "Record to window", "From a record's timestamp to the windows", "ms", _quantiles("window_apply_latency_ms")
        ),
        Panel("Stages of a step", "p99 of each stage", "ms", (_slowest("batch_stage_ms", "stage"),)),
        Panel(
            "Size of a step",
            "Records that one step takes",
            "short",
            (Query("sum(rate(batch_records_sum[1m])) / sum(rate(batch_records_count[1m]))", "average"),),
        ),
        Panel(
            "Invalid records", "By reason", "cps", (Query(_rate("events_dead_lettered_total", "reason"), "{{reason}}"),)
        ),
        Panel("Redis", "p99 of each script's round trip", "ms", (_slowest("redis_round_trip_ms", "script"),)),
        Panel("Saving", "All partitions of a worker", "ms", _quantiles("snapshot_duration_ms")),
        Panel(
            "Redis's memory",
            "Used, and its limit where it has one",
            "bytes",
            (Query("max(redis_memory_used_bytes)", "used"), Query("max(redis_memory_limit_bytes)", "limit")),
        ),
        Panel("Ledger", "Swaps remembered", "short", (Query("max(ledger_entries)", "entries"),)),
        Panel("Bytes saved", "Segments written a second", "Bps", (Query(_rate("snapshot_bytes_total"), "bytes"),)),
        Panel(
            "Rings",
            "Buckets held, by width",
            "short",
            (Query("sum by (width_ms) (ring_segments)", "{{width_ms}} ms"),),
        ),
        Panel(
            "Partitions and tokens",
            "Held by each worker",
            "short",
            (
                Query("partitions_held", "partitions of {{instance}}"),
                Query("window_tokens", "tokens of {{instance}}"),
            ),
        ),
        Panel(
            "Trouble",
            "Restores, fenced partitions, lost connections, rebalances in five minutes",
            "short",
            (
                Query("sum(increase(restores_after_failure_total[5m]))", "restores"),
                Query("sum(increase(partitions_fenced_total[5m]))", "fenced"),
                Query("sum(increase(redis_connections_lost_total[5m]))", "connections lost"),
                Query("sum by (kind) (increase(rebalances_total[5m]))", "{{kind}}"),
            ),
        ),
        Panel("Clocks", "Each machine's minus Redis's", "s", (Query("clock_skew_seconds", "{{instance}}"),)),
        Panel(
            "Updates",
            "Ticks told to web processes, and dropped",
            "cps",
            (Query(_rate("updates_sent_total"), "sent"), Query(_rate("updates_dropped_total"), "dropped")),
        ),
        Panel(
            "Last words",
            "Since a worker last told readers, and last saved",
            "s",
            (
                Query("time() - last_publish_timestamp_seconds", "told, {{instance}}"),
                Query("time() - last_snapshot_timestamp_seconds", "saved, {{instance}}"),
            ),
        ),
    ),
)

SERVING = Board(
    "swapstats-serving",
    "swapstats: serving",
    "HTTP: how much is asked, how fast it is answered, and how old what is shown.",
    (
        Panel(
            "Requests",
            "A second",
            "reqps",
            (Query(_rate("django_http_requests_total_by_method_total"), "all"),),
            "stat",
        ),
        Panel(
            "Errors of ours",
            "Share of answers with 5xx, but 503",
            "percentunit",
            (
                Query(
                    '(sum(rate(django_http_responses_total_by_status_total{status=~"5..",status!="503"}[5m]))'
                    " or vector(0)) / sum(rate(django_http_responses_total_by_status_total[5m]))"
                ),
            ),
            "stat",
        ),
        Panel(
            "Age of what is shown", "Worst process", "s", (Query("time() - min(view_as_of_timestamp_seconds)"),), "stat"
        ),
        Panel(
            "Answers",
            "By status",
            "reqps",
            (Query(_rate("django_http_responses_total_by_status_total", "status"), "{{status}}"),),
        ),
        Panel(
            "Time to answer",
            "Everything included",
            "s",
            _quantiles("django_http_requests_latency_including_middlewares_seconds"),
        ),
        Panel(
            "Slowest views",
            "p99 by view",
            "s",
            (
                Query(
                    "topk(8, histogram_quantile(0.99, sum by (le, view)"
                    " (rate(django_http_requests_latency_seconds_by_view_method_bucket[5m]))))",
                    "{{view}}",
                ),
            ),
        ),
        Panel("Age of each view", "", "s", (Query("time() - view_as_of_timestamp_seconds", "{{instance}}"),)),
        Panel("Tokens in RAM", "", "short", (Query("view_tokens", "{{instance}}"),)),
        Panel(
            "Updates heard",
            "And partitions loaded anew, because some were not",
            "cps",
            (Query(_rate("view_ticks_total"), "updates"), Query(_rate("view_reloads_total"), "reloads")),
        ),
    ),
)

REALTIME = Board(
    "swapstats-realtime",
    "swapstats: realtime",
    "WebSocket: who is there, how soon they hear, and who does not keep up.",
    (
        Panel("Clients", "Connected now", "short", (Query("sum(ws_clients_gauge)"),), "stat"),
        Panel(
            "Room",
            "Share of the places taken",
            "percentunit",
            (Query("sum(ws_clients_gauge) / sum(ws_clients_limit)"),),
            "stat",
        ),
        Panel("Topics", "Different ones that are followed", "short", (Query("sum(ws_streams)"),), "stat"),
        Panel(
            "Event to frame",
            "From a swap's event time to the frame that tells of it",
            "ms",
            _quantiles("event_to_frame_ms"),
        ),
        Panel("A tick", "Reading and marking what changed", "ms", _quantiles("ws_flush_ms")),
        Panel("Clients by process", "", "short", (Query("ws_clients_gauge", "{{instance}}"),)),
        Panel(
            "Values skipped",
            "Replaced by newer ones before a slow client took them",
            "cps",
            (Query(_rate("ws_dropped_msgs_total"), "skipped"),),
        ),
        Panel("Sent away", "By reason", "cps", (Query(_rate("ws_closed_total", "reason"), "{{reason}}"),)),
        Panel(
            "Alerts and log floods",
            "Alerts by fate, and log lines left out, in five minutes",
            "short",
            (
                Query("sum by (fate) (increase(alerts_total[5m]))", "{{fate}}"),
                Query("sum by (level) (increase(log_lines_suppressed_total[5m]))", "{{level}} left out"),
            ),
        ),
    ),
)

ARCHIVE = Board(
    "swapstats-archive",
    "swapstats: archive",
    "From the log into ClickHouse, its candles, and its move to the cold volume.",
    (
        Panel(
            "Archived",
            "Rows a second",
            "cps",
            (Query('sum(rate(archive_records_total{outcome="archived"}[1m]))'),),
            "stat",
        ),
        Panel(
            "Behind",
            "Age of the last record archived, worst partition",
            "s",
            (Query("max(archive_lag_seconds)"),),
            "stat",
        ),
        Panel("Waiting", "Records not yet archived", "short", (Query("sum(archive_lag_records)"),), "stat"),
        Panel(
            "Outcomes",
            "What became of each record",
            "cps",
            (Query(_rate("archive_records_total", "outcome"), "{{outcome}}"),),
        ),
        Panel("Writing", "One batch, until it is acknowledged", "ms", _quantiles("clickhouse_flush_duration_ms")),
        Panel(
            "Size of a batch",
            "Rows",
            "short",
            (
                Query(
                    "sum(rate(clickhouse_batch_size_sum[1m])) / sum(rate(clickhouse_batch_size_count[1m]))", "average"
                ),
            ),
        ),
        Panel(
            "Trouble",
            "Retries, offsets missed, candles not computed, in five minutes",
            "short",
            (
                Query("sum(increase(archive_retries_total[5m]))", "retries"),
                Query("sum(increase(archive_missed_total[5m]))", "missed"),
                Query("sum(increase(archive_refresh_failures_total[5m]))", "candles failed"),
            ),
        ),
        Panel("Candles", "Computing those that changed", "ms", _quantiles("archive_refresh_duration_ms")),
        Panel("Read", "Records a second", "cps", (Query(_rate("archive_read_total"), "read"),)),
        Panel("Disks", "Raw swaps by disk", "bytes", (Query("max by (disk) (clickhouse_disk_bytes)", "{{disk}}"),)),
        Panel("Parts", "By disk", "short", (Query("max by (disk) (clickhouse_disk_parts)", "{{disk}}"),)),
        Panel(
            "Moves to the cold volume",
            "In the last day, and those that are overdue",
            "short",
            (Query("max(clickhouse_part_moves)", "moved"), Query("max(clickhouse_parts_overdue)", "overdue")),
        ),
    ),
)

BOARDS = (LIVE, SERVING, REALTIME, ARCHIVE)
