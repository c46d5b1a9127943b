// One token in the leaderboard. Only what differs is written to the page.

import { ago, chain, dollars, hue, initials, percent, price, shorten, tone, whole } from "./format.js";
import { fill, flash, write } from "./paint.js";

const MARK_MS = 12_000;
const template = document.getElementById("row");
export class Row {
  #parts;
  #shown = {};
  #lastEventAt;

  constructor(windows) {
    this.element = template.content.firstElementChild.cloneNode(true);
    this.#parts = this.#find(windows);
  }

  #find(windows) {
    const one = (selector) => this.element.querySelector(selector);
    return {
      rank: one(".rank"),
      link: one(".token"),
      face: one(".face"),
      symbol: one(".symbol b"),
      chain: one(".where b"),
      address: one(".where span"),
      price: one(".price b"),
      changes: Object.fromEntries(windows.map((name) => [name, one(`.change[data-window="${CSS.escape(name)}"]`)])),
      volume: one(".volume b"),
      weight: one(".weight"),
      buys: one(".trades .up"),
      sells: one(".trades .down"),
      pressure: one(".bar-track"),
      age: one(".age"),
    };
  }

  /** Which window's change is shown where there is room for only one. */
  select(window) {
    for (const [name, cell] of Object.entries(this.#parts.changes)) cell.classList.toggle("secondary", name !== window);
  }

  rank(place) {
    this.#text("rank", String(place));
  }

  /** Slides to its place from one that is so many pixels away. */
  glide(distance) {
    this.element.animate([{ transform: `translateY(${distance}px)` }, { transform: "none" }], {
      duration: 420,
      easing: "cubic-bezier(.2, .8, .2, 1)",
    });
  }

  draw(stats, window, most, now) {
    const sums = stats.windows[window];
    this.#drawToken(stats.token);
    this.#drawPrice(stats.price_usd);
    for (const [name, cell] of Object.entries(this.#parts.changes)) this.#drawChange(name, cell, stats.windows[name]);
    this.#text("volume", dollars(sums.volume_usd), `$${sums.volume_usd}`);
    this.#share("weight", Number(sums.volume_usd) / most);
    this.#text("buys", whole(sums.buys), `$${sums.buy_volume_usd} bought`);
    this.#text("sells", whole(sums.sells), `$${sums.sell_volume_usd} sold`);
    this.#parts.pressure.toggleAttribute("data-empty", sums.trades === 0);
    this.#share("pressure", Number(sums.buy_volume_usd) / (Number(sums.volume_usd) || 1));
    this.#lastEventAt = stats.last_event_at ? Date.parse(stats.last_event_at) : undefined;
    this.drawAge(now);
  }

  drawAge(now) {
    this.#text("age", this.#lastEventAt === undefined ? "–" : ago(now - this.#lastEventAt));
  }

  /** Shows for a while that a chain took back what had been counted. */
  corrected() {
    this.element.querySelector(".mark")?.remove();
    const mark = document.createElement("span");
    mark.className = "mark";
    mark.textContent = "reorg";
    mark.title = "A chain reorganised: swaps were taken back, the figures are corrected";
    this.#parts.symbol.after(mark);
    setTimeout(() => mark.remove(), MARK_MS);
  }

  #drawToken(token) {
    if (this.#shown.token === token) return;
    this.#shown.token = token;
    const { link, face, symbol, chain: where, address } = this.#parts;
    link.href = `/tokens/${encodeURIComponent(token.id).replaceAll("%3A", ":")}`;
    face.textContent = initials(token);
    face.style.setProperty("--hue", hue(token.id));
    symbol.textContent = token.symbol ?? shorten(token.address);
    where.textContent = chain(token.chain_id);
    address.textContent = ` · ${shorten(token.address)}`;
    link.title = token.id;
  }

  #drawPrice(value) {
    const before = this.#shown.priceValue;
    this.#shown.priceValue = value;
    const words = price(value);
    const isNew = this.#shown.price !== words;
    this.#text("price", words, value ? `$${value}` : "");
    if (isNew && before && value) flash(this.#parts.price, Number(value) - Number(before));
  }

  #drawChange(name, cell, sums) {
    const words = percent(sums?.price_change_pct);
    if (this.#shown[`change ${name}`] === words) return;
    this.#shown[`change ${name}`] = words;
    write(cell, words);
    for (const each of ["up", "down", "flat"]) cell.classList.toggle(each, each === tone(sums?.price_change_pct));
  }

  #text(part, words, title) {
    if (this.#shown[part] !== words) {
      this.#shown[part] = words;
      write(this.#parts[part], words);
    }
    if (title !== undefined && this.#shown[`${part} title`] !== title) {
      this.#shown[`${part} title`] = title;
      this.#parts[part].title = title;
    }
  }

  #share(part, share) {
    const rounded = Math.round(share * 200) / 200;
    if (this.#shown[part] === rounded) return;
    this.#shown[part] = rounded;
    fill(this.#parts[part], rounded);
  }
}
