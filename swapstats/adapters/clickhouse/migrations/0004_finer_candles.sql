-- Candles in tables of their own, with small granules. A query reads whole granules, and with the usual 8192 rows one of
-- hours or days brought the traders of dozens of other tokens with it, which is what most of an answer's time went to.
-- What was computed moves over as it is, and gets the small granules when parts are merged.
CREATE TABLE IF NOT EXISTS minute_candles {on_cluster} AS swap_minutes
ENGINE = {engine:ReplacingMergeTree(records)}
PARTITION BY toYYYYMM(start)
ORDER BY (chain_id, token_address, start, late)
SETTINGS index_granularity = 512;

CREATE TABLE IF NOT EXISTS hour_candles {on_cluster} AS swap_hours
ENGINE = {engine:ReplacingMergeTree(records)}
PARTITION BY toYear(start)
ORDER BY (chain_id, token_address, start, late)
SETTINGS index_granularity = 64;

CREATE TABLE IF NOT EXISTS day_candles {on_cluster} AS swap_days
ENGINE = {engine:ReplacingMergeTree(records)}
ORDER BY (chain_id, token_address, start, late)
SETTINGS index_granularity = 64;

-- Nobody writes to the old ones any more: an archiver of an older version is refused, tries again, and loses nothing.
ALTER TABLE swap_minutes {on_cluster} ADD CONSTRAINT IF NOT EXISTS closed CHECK records = 0;
ALTER TABLE swap_hours {on_cluster} ADD CONSTRAINT IF NOT EXISTS closed CHECK records = 0;
ALTER TABLE swap_days {on_cluster} ADD CONSTRAINT IF NOT EXISTS closed CHECK records = 0;

{caught_up:swap_minutes};
{caught_up:swap_hours};
{caught_up:swap_days};

ALTER TABLE minute_candles {on_cluster} ATTACH PARTITION ALL FROM swap_minutes;
ALTER TABLE hour_candles {on_cluster} ATTACH PARTITION ALL FROM swap_hours;
ALTER TABLE day_candles {on_cluster} ATTACH PARTITION ALL FROM swap_days;
