-- Every valid record of the log, as it was read: repetitions and retractions too. What counts is told by the candles.
CREATE TABLE IF NOT EXISTS raw_swaps {on_cluster}
(
    chain_id UInt64 CODEC(ZSTD(1)),
    token_address String CODEC(ZSTD(1)),
    event_time DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)),
    log_index UInt32 CODEC(ZSTD(1)),
    tx_hash String CODEC(ZSTD(1)),
    block_hash String CODEC(ZSTD(1)) COMMENT 'empty where the event has none',
    block_number Nullable(UInt64) CODEC(ZSTD(1)),
    token_symbol LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'empty where the event has none',
    pool_address LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'empty where the event has none',
    trader String CODEC(ZSTD(1)) COMMENT 'empty where the event has none',
    is_buy Bool CODEC(ZSTD(1)),
    removed Bool CODEC(ZSTD(1)) COMMENT 'retracts the occurrence of the same event in the same block',
    late Bool CODEC(ZSTD(1)) COMMENT 'reached the log more than the grace after its event time',
    usd_e6 Int256 CODEC(ZSTD(1)) COMMENT 'USD in units of 10^-6',
    token_e18 Int256 CODEC(ZSTD(1)) COMMENT 'tokens in units of 10^-18',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'cluster id, topic and incarnation of the log',
    source_partition UInt32 CODEC(ZSTD(1)),
    source_offset UInt64 CODEC(Delta(8), ZSTD(1)),
    record_time DateTime64(3, 'UTC') CODEC(Delta(8), ZSTD(1)) COMMENT 'the timestamp of the record in the log',
    archived_at DateTime('UTC') DEFAULT now() CODEC(Delta(4), ZSTD(1)),

    event_id String ALIAS concat(toString(chain_id), ':', tx_hash, ':', toString(log_index)),
    token_id String ALIAS concat(toString(chain_id), ':', token_address),
    side String ALIAS if(is_buy, 'buy', 'sell'),
    amount_usd Decimal(76, 6) ALIAS reinterpret(usd_e6, 'Decimal(76, 6)'),
    amount_token Decimal(76, 18) ALIAS reinterpret(token_e18, 'Decimal(76, 18)'),

    INDEX by_offset source_offset TYPE minmax GRANULARITY 4
)
ENGINE = {engine:MergeTree}
PARTITION BY toYYYYMMDD(event_time)
PRIMARY KEY (chain_id, token_address, event_time)
ORDER BY (chain_id, token_address, event_time, ifNull(block_number, 0), log_index, tx_hash)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1 {storage_policy};

-- Records that are valid but that the table above refused; kept whole, so that nothing is lost.
CREATE TABLE IF NOT EXISTS rejected_records {on_cluster}
(
    source LowCardinality(String),
    source_partition UInt32,
    source_offset UInt64,
    record_time DateTime64(3, 'UTC'),
    event String COMMENT 'the event as JSON',
    error String,
    rejected_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(rejected_at)}
ORDER BY (source, source_partition, source_offset);
