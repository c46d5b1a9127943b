"""A window's sums as the API tells them, and as the independent model does."""

from swapstats.domain.amount import format_amount
from swapstats.domain.stats import WindowPart


def told(sums: WindowPart) -> dict[str, object]:
    return {
        "volume_usd": format_amount(sums.usd, 6),
        "buy_volume_usd": format_amount(sums.buy_usd, 6),
        "sell_volume_usd": format_amount(sums.sell_usd, 6),
        "volume_token": format_amount(sums.token, 18),
        "trades": sums.trades,
        "buys": sums.buys,
        "sells": sums.sells,
    }
