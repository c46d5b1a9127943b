// The chart of a token: candles and volume from the archive, or, without one, the price since the page was opened.

import { CandlestickSeries, HistogramSeries, LineSeries, createChart } from "./vendor/lightweight-charts.js";
import { compact, price } from "./format.js";

const LINE_POINTS = 3000;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const prices = { type: "custom", formatter: price, tickmarksFormatter: labels, minMove: 1e-18, base: 1e18 };

/** The scale's labels with as many digits more as it takes to tell them apart. */
function labels(values) {
  const short = values.map(price);
  if (new Set(short).size === short.length) return short;
  const step = Math.min(...values.slice(1).map((value, index) => Math.abs(value - values[index])));
  const digits = Math.min(18, Math.max(2, 1 - Math.floor(Math.log10(step))));
  return values.map((value) => `$${value.toFixed(digits)}`);
}

export class Chart {
  #chart;
  #candles;
  #volumes;
  #line;
  #points = [];
  #showsLine = false;

  constructor(box) {
    this.#chart = createChart(box, { autoSize: true, ...this.#looks() });
    this.#candles = this.#chart.addSeries(CandlestickSeries, { priceFormat: prices, borderVisible: false });
    this.#volumes = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "custom", formatter: (value) => `$${compact(value)}`, minMove: 0.01 },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    this.#line = this.#chart.addSeries(LineSeries, { priceFormat: prices, lineWidth: 2 });
    this.#chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.#chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.24 } });
    this.#paint();
    document.addEventListener("theme", () => this.#paint());
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.#paint());
  }

  /** Shows candles, oldest first: `{time, open, high, low, close, volume, rose}`; all of them in sight where `fit`. */
  show(candles, fit) {
    this.#showsLine = false;
    this.#candles.setData(candles.filter((candle) => candle.open !== undefined));
    this.#volumes.setData(candles.map((candle) => this.#bar(candle)));
    this.#line.setData([]);
    if (fit) this.#chart.timeScale().fitContent();
  }

  /** Shows the points of the price in place of candles. */
  showLine() {
    this.#showsLine = true;
    this.#candles.setData([]);
    this.#volumes.setData([]);
    this.#line.setData(this.#points);
  }

  /** Notes the price at a time, and draws it where the line is shown. */
  point(value, milliseconds) {
    const point = { time: Math.floor(milliseconds / 1000), value };
    const last = this.#points.at(-1);
    if (last && last.time > point.time) return;
    if (last?.time === point.time) this.#points.pop();
    this.#points.push(point);
    if (this.#points.length > LINE_POINTS) this.#points.shift();
    if (this.#showsLine) this.#line.update(point);
  }

  #bar({ time, volume, rose }) {
    return { time, value: volume, color: colour(rose ? "--up-wash" : "--down-wash") };
  }

  #paint() {
    const [up, down, brand] = [colour("--up"), colour("--down"), colour("--brand")];
    this.#chart.applyOptions(this.#looks());
    this.#candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
    this.#line.applyOptions({ color: brand });
  }

  #looks() {
    return {
      layout: {
        background: { color: "transparent" },
        textColor: colour("--ink-2"),
        fontFamily: '"Inter", system-ui, sans-serif',
        attributionLogo: false,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: colour("--line") } },
      rightPriceScale: { borderVisible: false },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: true },
      crosshair: { vertLine: { color: colour("--ink-3") }, horzLine: { color: colour("--ink-3") } },
    };
  }
}

