-- What the log had let go before it was archived: nobody has it any more. Windows that are restored from the archive are
-- complete from behind it on.
CREATE TABLE IF NOT EXISTS missing_offsets {on_cluster}
(
    source LowCardinality(String),
    source_partition UInt32,
    first_offset UInt64,
    end_offset UInt64 COMMENT 'the first that was there again',
    noted_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {engine:ReplacingMergeTree(end_offset)}
ORDER BY (source, source_partition, first_offset);
