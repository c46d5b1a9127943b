"""History from the archive: candles, trades, days. It may be away while everything live goes on."""
