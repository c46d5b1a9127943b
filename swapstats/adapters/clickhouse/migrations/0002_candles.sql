-- What counts, per token and minute, hour and day: sums over distinct occurrences that were not retracted. A row is
-- computed anew from the raw records whenever new ones came for it; `records` says from how many, so of two versions
-- the one that knows more wins, whoever computed it and when.
CREATE TABLE IF NOT EXISTS swap_minutes {on_cluster}
(
    chain_id UInt64 CODEC(ZSTD(1)),
    token_address String CODEC(ZSTD(1)),
    start DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    late Bool CODEC(ZSTD(1)) COMMENT 'the late swaps of this span; the others have a row of their own',
    swaps UInt64 CODEC(ZSTD(1)),
    buys UInt64 CODEC(ZSTD(1)),
    buy_usd_e6 Int256 CODEC(ZSTD(1)),
    sell_usd_e6 Int256 CODEC(ZSTD(1)),
    token_e18 Int256 CODEC(ZSTD(1)),
    open_place UInt256 CODEC(ZSTD(1)) COMMENT 'of the first swap with a price: event time in ms, block number (64 bits), log index (32), hash of the transaction (64)',
    open_usd_e6 Int256 CODEC(ZSTD(1)) COMMENT 'its amounts; zero tokens where no swap has a price',
    open_token_e18 Int256 CODEC(ZSTD(1)),
    high_usd_e6 Int256 CODEC(ZSTD(1)),
    high_token_e18 Int256 CODEC(ZSTD(1)),
    low_usd_e6 Int256 CODEC(ZSTD(1)),
    low_token_e18 Int256 CODEC(ZSTD(1)),
    close_place UInt256 CODEC(ZSTD(1)),
    close_usd_e6 Int256 CODEC(ZSTD(1)),
    close_token_e18 Int256 CODEC(ZSTD(1)),
    traders AggregateFunction(uniqCombined64, String) CODEC(ZSTD(1)),
    records UInt64 CODEC(ZSTD(1)),

    sells UInt64 ALIAS swaps - buys,
    volume_usd Decimal(76, 6) ALIAS reinterpret(buy_usd_e6 + sell_usd_e6, 'Decimal(76, 6)'),
    buy_volume_usd Decimal(76, 6) ALIAS reinterpret(buy_usd_e6, 'Decimal(76, 6)'),
    sell_volume_usd Decimal(76, 6) ALIAS reinterpret(sell_usd_e6, 'Decimal(76, 6)'),
    volume_token Decimal(76, 18) ALIAS reinterpret(token_e18, 'Decimal(76, 18)')
)
ENGINE = {engine:ReplacingMergeTree(records)}
PARTITION BY toYYYYMM(start)
ORDER BY (chain_id, token_address, start, late);

CREATE TABLE IF NOT EXISTS swap_hours {on_cluster} AS swap_minutes
ENGINE = {engine:ReplacingMergeTree(records)}
PARTITION BY toYear(start)
ORDER BY (chain_id, token_address, start, late);

CREATE TABLE IF NOT EXISTS swap_days {on_cluster} AS swap_minutes
ENGINE = {engine:ReplacingMergeTree(records)}
ORDER BY (chain_id, token_address, start, late);

-- Up to which offset (not including it) the candles know every archived record of a partition.
CREATE TABLE IF NOT EXISTS candle_progress {on_cluster}
(
    source LowCardinality(String),
    source_partition UInt32,
    next_offset UInt64
)
ENGINE = {engine:ReplacingMergeTree(next_offset)}
ORDER BY (source, source_partition);

-- How often a log was found to be another one under the same name, as when a topic was recreated on a broker without
-- topic ids. Rows of each incarnation have a source of their own.
CREATE TABLE IF NOT EXISTS log_incarnations {on_cluster}
(
    log LowCardinality(String),
    number UInt32,
    since DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(number)}
ORDER BY log;
