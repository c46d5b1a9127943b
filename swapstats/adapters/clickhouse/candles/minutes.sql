-- Minutes from the raw records. An occurrence is an event in its block. Its copies count once: it is late if all its
-- copies are, the earliest tells its amounts, and a removal among them takes it out. Copies that disagree about token or
-- minute are told apart. A minute that ever had a late copy has a late row, be it empty, to replace an older one.
-- Keys are packed into wide integers, since aggregating by tuples and long strings costs several times as much.
INSERT INTO minute_candles
(
    chain_id, token_address, start, late, swaps, buys, buy_usd_e6, sell_usd_e6, token_e18,
    open_place, open_usd_e6, open_token_e18, high_usd_e6, high_token_e18,
    low_usd_e6, low_token_e18, close_place, close_usd_e6, close_token_e18, traders, records
)
SELECT
    chain, address, span, late_row,
    countIf(counts), countIf(counts AND buy),
    sumIf(usd, counts AND buy), sumIf(usd, counts AND NOT buy), sumIf(amount, counts),
    minIf(place, priced), argMinIf(usd, place, priced), argMinIf(amount, place, priced),
    argMaxIf(usd, price, priced), argMaxIf(amount, price, priced),
    argMinIf(usd, price, priced), argMinIf(amount, price, priced),
    maxIf(place, priced), argMaxIf(usd, place, priced), argMaxIf(amount, place, priced),
    uniqCombined64StateIf(who, counts AND who != ''),
    sum(copies)
FROM
(
    SELECT
        *,
        arrayJoin(if(ever_late, [false, true], [false])) AS late_row,
        stands AND is_late = late_row AS counts,
        counts AND amount > 0 AS priced,
        toFloat64(usd) / toFloat64(amount) AS price
    FROM
    (
        WITH
            bitShiftLeft(toUInt128(toUnixTimestamp64Milli(record_time)), 80)
                + bitShiftLeft(toUInt128(source_partition), 64) + source_offset AS position,
            bitShiftLeft(toUInt256(toUnixTimestamp64Milli(event_time)), 160)
                + bitShiftLeft(toUInt256(ifNull(block_number, 0)), 96)
                + bitShiftLeft(toUInt256(log_index), 64) + cityHash64(tx_hash) AS moment
        SELECT
            any(chain_id) AS chain,
            any(token_address) AS address,
            any(toStartOfMinute(event_time)) AS span,
            count() AS copies,
            max(late) AS ever_late,
            countIf(NOT removed) > 0 AND NOT max(removed) AS stands,
            minIf(late, NOT removed) AS is_late,
            argMinIf(is_buy, position, NOT removed) AS buy,
            argMinIf(usd_e6, position, NOT removed) AS usd,
            argMinIf(token_e18, position, NOT removed) AS amount,
            argMinIf(trader, position, NOT removed) AS who,
            argMinIf(moment, position, NOT removed) AS place
        FROM raw_swaps
        WHERE (chain_id, token_address, toStartOfMinute(event_time)) IN
        (
            SELECT DISTINCT chain_id, token_address, toStartOfMinute(event_time) FROM raw_swaps WHERE {touched}
        )
            AND {reach}
        GROUP BY sipHash128(
            chain_id, token_address, toStartOfMinute(event_time), tx_hash, log_index,
            block_hash, if(block_hash = '', ifNull(toString(block_number), ''), '')
        )
    )
)
GROUP BY chain, address, span, late_row
