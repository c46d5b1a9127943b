// What the archive knows of a token: candles and single swaps. The page goes on without it.

import { ask } from "./account.js";
import { Chart } from "./chart.js";
import { compact, dollars, price, shorten, time } from "./format.js";
import { live } from "./live.js";

const CANDLES = 300;
const LATEST_CANDLES = 2;
const SWAPS = 25;
const EVERY_MS = 5000;

const element = (id) => document.getElementById(id);

export class History {
  #chart = new Chart(element("chart"));
  #interval = "1m";
  #candles = new Map();
  #address;

  constructor(tokenId) {
    this.#address = `/api/tokens/${encodeURIComponent(tokenId).replaceAll("%3A", ":")}`;
    element("intervals").addEventListener("click", ({ target }) => target.dataset.interval && this.#choose(target));
    this.#chart.showLine();
    this.#refresh();
    setInterval(() => document.hidden || this.#refresh(), EVERY_MS);
  }

  /** Notes the live price. */
  point(value, milliseconds) {
    if (value) this.#chart.point(Number(value), milliseconds);
  }

  /** A chain took swaps back: any candle may have changed. */
  corrected() {
    this.#candles.clear();
    this.#refresh();
  }

  #choose(chosen) {
    this.#interval = chosen.dataset.interval;
    for (const button of element("intervals").children) button.ariaPressed = String(button === chosen);
    this.#candles.clear();
    this.#refreshCandles();
  }

  #refresh() {
    this.#refreshCandles();
    this.#refreshSwaps();
  }

  async #refreshCandles() {
    const [interval, isFirst] = [this.#interval, this.#candles.size === 0];
    const answer = await this.#ask(`candles?interval=${interval}&limit=${isFirst ? CANDLES : LATEST_CANDLES}`);
    if (interval !== this.#interval) return;
    for (const candle of answer?.items.map(candleOf) ?? []) this.#candles.set(candle.time, candle);
    const candles = [...this.#candles.values()].sort((one, other) => one.time - other.time);
    if (candles.length) this.#chart.show(candles, isFirst);
    else this.#chart.showLine();
    element("chart-note").textContent = answer ? noteOf(interval, candles.length > 0) : AWAY;
  }

  async #refreshSwaps() {
    const answer = await this.#ask(`trades?limit=${SWAPS}`);
    const note = element("swaps-note");
    note.textContent = answer ? "" : AWAY_SWAPS;
    if (!answer) return;
    if (!answer.items.length) note.textContent = "No swap of this token is in the archive yet.";
    element("swaps").replaceChildren(...answer.items.map(rowOf));
  }

  /** The answer, or nothing where the archive is away. */
  async #ask(path) {
    try {
      const response = await ask(`${this.#address}/${path}`, { headers: { Accept: "application/json" } });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }
}

const AWAY = "The archive does not answer now; live prices go on.";
const AWAY_SWAPS = "The archive does not answer now; the figures above are live all the same.";

const noteOf = (interval, hasCandles) =>
  hasCandles ? `Candles of ${interval} from the archive, UTC.` : "No candles yet; the line is the price since you opened this page.";

function candleOf(item) {
  const [open, high, low, close] = [item.open, item.high, item.low, item.close].map((value) =>
    value === null ? undefined : Number(value),
  );
  const rose = close === undefined || close >= open;
  return { time: Date.parse(item.from) / 1000, open, high, low, close, volume: Number(item.volume_usd), rose };
}

function rowOf(trade) {
  const row = document.createElement("tr");
  row.className = trade.retracted ? "retracted" : "";
  const side = document.createElement("span");
  side.className = trade.side === "buy" ? "up" : "down";
  side.textContent = trade.side === "buy" ? "Buy" : "Sell";
  const cells = [
    [time(trade.event_time, live.now()), trade.event_time],
    [side, "", trade.retracted && "taken back", trade.late && "late"],
    [dollars(trade.amount_usd), `$${trade.amount_usd}`],
    [compact(trade.amount_token), trade.amount_token],
    [price(trade.price_usd), trade.price_usd ? `$${trade.price_usd}` : ""],
    [shorten(trade.tx_hash), trade.tx_hash],
  ];
  row.append(...cells.map(cellOf));
  return row;
}

function cellOf([content, title, ...marks]) {
  const cell = document.createElement("td");
  cell.className = "num";
  cell.title = title;
  cell.append(content);
  for (const words of marks.filter(Boolean)) {
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = words;
    cell.append(" ", mark);
  }
  return cell;
}
