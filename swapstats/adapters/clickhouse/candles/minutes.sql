-- Minutes from the raw records. An occurrence is an event in its block. Its copies count once: it is late if all its
-- copies are, the earliest tells its amounts, and a removal among them takes it out. Copies that disagree about token or
-- minute are told apart. A minute that ever had a late copy has a late row, be it empty, to replace an older one.
INSERT INTO swap_minutes
(
    chain_id, token_address, start, late, swaps, buys, buy_usd_e6, sell_usd_e6, token_e18,
    open_at, open, close_at, close, high, low, traders, records
)
SELECT
    chain_id, token_address, span, late_row,
    countIf(counts), countIf(counts AND swap.2),
    sumIf(swap.3, counts AND swap.2), sumIf(swap.3, counts AND NOT swap.2), sumIf(swap.4, counts),
    minIf(place, priced), argMinIf(amounts, place, priced),
    maxIf(place, priced), argMaxIf(amounts, place, priced),
    argMaxIf(amounts, (price, place), priced), argMinIf(amounts, (price, place), priced),
    uniqCombined64StateIf(swap.5, counts AND swap.5 != ''),
    sum(copies)
FROM
(
    SELECT
        *,
        arrayJoin(if(ever_late, [false, true], [false])) AS late_row,
        stands AND is_late = late_row AS counts,
        counts AND swap.4 > 0 AS priced,
        (swap.1, log_index, tx_hash) AS place,
        (swap.3, swap.4) AS amounts,
        toFloat64(swap.3) / toFloat64(swap.4) AS price
    FROM
    (
        SELECT
            chain_id, token_address, toStartOfMinute(event_time) AS span, tx_hash, log_index,
            count() AS copies,
            max(late) AS ever_late,
            countIf(NOT removed) > 0 AND NOT max(removed) AS stands,
            minIf(late, NOT removed) AS is_late,
            argMinIf(
                (event_time, is_buy, usd_e6, token_e18, trader),
                (record_time, source_partition, source_offset),
                NOT removed
            ) AS swap
        FROM raw_swaps
        WHERE (chain_id, token_address, toStartOfMinute(event_time)) IN
        (
            SELECT DISTINCT chain_id, token_address, toStartOfMinute(event_time) FROM raw_swaps WHERE {touched}
        )
        GROUP BY
            chain_id, token_address, span, tx_hash, log_index, block_hash, if(block_hash = '', block_number, NULL)
    )
)
GROUP BY chain_id, token_address, span, late_row
