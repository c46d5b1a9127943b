// What the archive knows of a token: candles and single swaps. The page goes on without it.

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
  #hasCandles = false;
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
    if (value) this.#chart.point(Number(value), milliseconds, !this.#hasCandles);
  }

  #choose(chosen) {
    this.#interval = chosen.dataset.interval;
    for (const button of element("intervals").children) button.ariaPressed = String(button === chosen);
    this.#hasCandles = false;
    this.#refreshCandles();
  }

  #refresh() {
    this.#refreshCandles();
    this.#refreshSwaps();
  }

  async #refreshCandles() {
    const interval = this.#interval;
    const limit = this.#hasCandles ? LATEST_CANDLES : CANDLES;
    const answer = await this.#ask(`candles?interval=${interval}&limit=${limit}`);
    if (interval !== this.#interval) return;
    const candles = answer?.items.map(candleOf) ?? [];
    if (this.#hasCandles) candles.forEach((candle) => this.#chart.update(candle));
    else if (candles.length) this.#chart.show(candles);
    else this.#chart.showLine();
    this.#hasCandles ||= candles.length > 0;
    element("chart-note").textContent = answer ? noteOf(interval, this.#hasCandles) : AWAY;
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
      const response = await fetch(`${this.#address}/${path}`, { headers: { Accept: "application/json" } });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }
}

const AWAY = "The archive does not answer; the line is the price since you opened this page.";
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
