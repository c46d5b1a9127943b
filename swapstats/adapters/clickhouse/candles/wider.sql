-- Wider spans from narrower ones: hours from minutes, days from hours. {rounding} finds the span that a moment lies in.
INSERT INTO {wider}
(
    chain_id, token_address, start, late, swaps, buys, buy_usd_e6, sell_usd_e6, token_e18,
    open_at, open, close_at, close, high, low, traders, records
)
SELECT
    chain_id, token_address, {rounding}(start) AS span, late,
    sum(swaps), sum(buys), sum(buy_usd_e6), sum(sell_usd_e6), sum(token_e18),
    minIf(open_at, open.2 > 0), argMinIf(open, open_at, open.2 > 0),
    maxIf(close_at, open.2 > 0), argMaxIf(close, close_at, open.2 > 0),
    argMaxIf(high, (toFloat64(high.1) / toFloat64(high.2), start), open.2 > 0),
    argMinIf(low, (toFloat64(low.1) / toFloat64(low.2), start), open.2 > 0),
    uniqCombined64MergeState(traders), sum(records)
FROM {narrower} FINAL
WHERE (chain_id, token_address, {rounding}(start)) IN
(
    SELECT DISTINCT chain_id, token_address, {rounding}(event_time) FROM raw_swaps WHERE {touched}
)
GROUP BY chain_id, token_address, span, late
