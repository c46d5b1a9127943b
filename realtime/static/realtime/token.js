// One token, live: its price, its windows with their exact edges, and what a chain took back.

import { ago, chain, compact, dollars, hue, initials, percent, price, shorten, time, tone, whole } from "./format.js";
import { History } from "./history.js";
import { live } from "./live.js";
import { fill, flash, onFrame, write } from "./paint.js";

const element = (id) => document.getElementById(id);
const page = element("token");
const reference = page.dataset.reference;
const cards = [...document.querySelectorAll(".window")].map((card) => ({
  name: card.dataset.window,
  fields: Object.fromEntries([...card.querySelectorAll("[data-field]")].map((field) => [field.dataset.field, field])),
}));

let data;
let history;
let corrections = 0;
const shown = { price: undefined };

live.subscribe(`token:${reference}`, (latest, change) => {
  data = latest;
  page.ariaBusy = "false";
  element("problem").hidden = true;
  if (change.reason === "reorg") tellCorrection();
  history ??= new History(latest.token.id);
  if (change.reason === "reorg") history.corrected();
  history.point(latest.price_usd, live.now());
  draw();
});

live.addEventListener("refused", ({ detail }) => {
  const problem = element("problem");
  problem.hidden = false;
  problem.textContent =
    detail.code === "unknown_symbol"
      ? `No token carries the symbol “${reference}” now. A token's page can also be opened by its id, such as 1:0xa0b8….`
      : detail.message;
});

function tellCorrection() {
  corrections += 1;
  const words = corrections === 1 ? "" : ` (${whole(corrections)} times since you opened this page)`;
  element("corrections").textContent = `↺ The chain reorganised${words}: swaps were taken back, and these figures are corrected.`;
}

const draw = onFrame(() => {
  drawToken(data.token);
  drawPrice(data.price_usd);
  drawAge();
  for (const { name, fields } of cards) if (data.windows[name]) drawWindow(fields, data.windows[name]);
  write(element("version"), `version ${data.seq}`);
});

function drawToken(token) {
  if (shown.token === token) return;
  shown.token = token;
  const name = token.symbol ?? shorten(token.address);
  document.title = `${name} · swapstats`;
  write(element("symbol"), name);
  write(element("face"), initials(token));
  element("face").style.setProperty("--hue", hue(token.id));
  const others = token.symbol_matches > 1 ? `, one of ${token.symbol_matches} tokens of this symbol` : "";
  write(element("chain"), `${chain(token.chain_id)}${others}`);
  write(element("address"), shorten(token.address), token.address);
  element("copy").hidden = false;
}

function drawPrice(value) {
  const words = price(value);
  const target = element("price");
  if (target.textContent === words) return;
  write(target, words, value ? `$${value}` : "");
  if (shown.price && value) flash(target, Number(value) - Number(shown.price));
  shown.price = value;
}

function drawAge() {
  if (!data?.last_event_at) return;
  write(element("last"), `last swap ${ago(live.now() - Date.parse(data.last_event_at))} ago`, data.last_event_at);
}

function drawWindow(fields, sums) {
  write(fields.change, percent(sums.price_change_pct));
  for (const each of ["up", "down", "flat"]) fields.change.classList.toggle(each, each === tone(sums.price_change_pct));
  write(fields.volume, dollars(sums.volume_usd), `$${sums.volume_usd}`);
  write(fields.bought, dollars(sums.buy_volume_usd), `$${sums.buy_volume_usd}`);
  write(fields.sold, dollars(sums.sell_volume_usd), `$${sums.sell_volume_usd}`);
  write(fields.buys, whole(sums.buys));
  write(fields.sells, whole(sums.sells));
  write(fields.vwap, price(sums.vwap_usd), sums.vwap_usd ? `$${sums.vwap_usd}` : "");
  write(fields.tokens, compact(sums.volume_token), sums.volume_token);
  fields.pressure.toggleAttribute("data-empty", sums.trades === 0);
  fill(fields.pressure, Number(sums.buy_volume_usd) / (Number(sums.volume_usd) || 1));
  for (const edge of ["from", "to"]) {
    write(fields[edge], time(sums[edge], live.now()), sums[edge]);
    fields[edge].dateTime = sums[edge];
  }
}

element("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(data.token.address);
  write(element("address"), "copied");
  setTimeout(() => write(element("address"), shorten(data.token.address)), 1500);
});

setInterval(drawAge, 1000);
