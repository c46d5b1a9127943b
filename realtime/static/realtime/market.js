// What all tokens of the list's chain come to.

import { compact, dollars, whole, windowSeconds } from "./format.js";
import { fill, write } from "./paint.js";

const element = (id) => document.getElementById(id);

export function drawMarket(data, window) {
  const total = data.totals[window];
  const seconds = windowSeconds(window);
  const words = {
    "market-volume": dollars(total.volume_usd),
    "market-trades": whole(total.trades),
    "market-rate": seconds ? compact(total.trades / seconds) : "–",
    "market-buys": dollars(total.buy_volume_usd),
    "market-sells": dollars(total.sell_volume_usd),
    "market-tokens": `${whole(data.total)} ${data.total === 1 ? "token" : "tokens"}`,
    "market-window": window,
  };
  for (const [id, text] of Object.entries(words)) write(element(id), text);
  write(element("market-volume"), words["market-volume"], `$${total.volume_usd}`);
  const pressure = element("market-pressure");
  pressure.toggleAttribute("data-empty", total.trades === 0);
  fill(pressure, Number(total.buy_volume_usd) / (Number(total.volume_usd) || 1));
}
