-- Wider spans from narrower ones: hours from minutes, days from hours. {rounding} finds the span that a moment lies in.
INSERT INTO {wider}
(
    chain_id, token_address, start, late, swaps, buys, buy_usd_e6, sell_usd_e6, token_e18,
    open_place, open_usd_e6, open_token_e18, high_usd_e6, high_token_e18,
    low_usd_e6, low_token_e18, close_place, close_usd_e6, close_token_e18, traders, records
)
SELECT
    chain_id, token_address, {rounding}(start) AS span, late,
    sum(swaps), sum(buys), sum(buy_usd_e6), sum(sell_usd_e6), sum(token_e18),
    minIf(open_place, open_token_e18 > 0),
    argMinIf(open_usd_e6, open_place, open_token_e18 > 0), argMinIf(open_token_e18, open_place, open_token_e18 > 0),
    argMaxIf(high_usd_e6, high, open_token_e18 > 0), argMaxIf(high_token_e18, high, open_token_e18 > 0),
    argMinIf(low_usd_e6, low, open_token_e18 > 0), argMinIf(low_token_e18, low, open_token_e18 > 0),
    maxIf(close_place, open_token_e18 > 0),
    argMaxIf(close_usd_e6, close_place, open_token_e18 > 0), argMaxIf(close_token_e18, close_place, open_token_e18 > 0),
    uniqCombined64MergeState(traders), sum(records)
FROM
(
    SELECT
        *,
        toFloat64(high_usd_e6) / toFloat64(high_token_e18) AS high,
        toFloat64(low_usd_e6) / toFloat64(low_token_e18) AS low
    FROM {narrower} FINAL
    WHERE (chain_id, token_address, {rounding}(start)) IN
    (
        SELECT DISTINCT chain_id, token_address, {rounding}(event_time) FROM raw_swaps WHERE {touched}
    )
)
GROUP BY chain_id, token_address, span, late
