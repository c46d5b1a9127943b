"""chDB, the ClickHouse engine as a library, behind ClickHouse's native protocol.

`clickhouse-driver` cannot tell it from a server. One process owns one data directory; every client, in whatever
process, comes over loopback.
"""
