// The leaderboard: a top list that is followed live, filtered and searched here.

import { lookElsewhere } from "./elsewhere.js";
import { chain, shorten, whole } from "./format.js";
import { live } from "./live.js";
import { drawMarket } from "./market.js";
import { onFrame, stillness, write } from "./paint.js";
import { Row } from "./row.js";

const FEW = 100;
const MANY = 500;
const REORDER_MS = 1000;
const ROWS_PER_FRAME = 10;
const BLANK_PER_FRAME = 8;
const HIDDEN_AT_ONCE = 4;
const HIDDEN_EVERY_MS = 100;
const SPARE_ROWS = 4;
const MOST_GLIDING = 6;

const element = (id) => document.getElementById(id);
const windows = document.body.dataset.windows.split(" ");
const table = element("board");
const body = element("rows");
const search = element("search");
const headers = [...table.querySelectorAll("th[data-sort]")];
table.style.setProperty("--windows", windows.length);

const wanted = readAddress();
const rows = new Map();
const dirty = new Set();
const blank = new Set();
let subscription;
let data;
let order = [];
let orderedAt = -Infinity;
let inSight = [0, 0];
let hasMoved = true;
let rowHeight;
let reorder;
let rest;
let mostVolume = 1;
let corrections = 0;

// --- what is wanted, and where it is kept

function readAddress() {
  const query = new URLSearchParams(location.search);
  const pick = (name, known, otherwise) => (known.includes(query.get(name)) ? query.get(name) : otherwise);
  const window = pick("window", windows, windows[0]);
  return {
    window,
    sort: pick("sort", headers.map((header) => header.dataset.sort), "volume_usd"),
    sortWindow: pick("of", windows, window),
    order: pick("order", ["asc", "desc"], "desc"),
    chain: /^[1-9]\d{0,18}$/.test(query.get("chain") ?? "") ? Number(query.get("chain")) : undefined,
    limit: query.get("all") === "1" ? MANY : FEW,
    text: query.get("q") ?? "",
  };
}

function writeAddress() {
  const said = {
    window: wanted.window !== windows[0] && wanted.window,
    sort: wanted.sort !== "volume_usd" && wanted.sort,
    of: wanted.sortWindow !== wanted.window && wanted.sortWindow,
    order: wanted.order !== "desc" && wanted.order,
    chain: wanted.chain,
    all: wanted.limit === MANY && "1",
    q: wanted.text,
  };
  const query = new URLSearchParams(Object.entries(said).filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
}

/** Follows the list that is wanted now; what is shown stays until the new one is there. */
function follow() {
  writeAddress();
  mark();
  const previous = subscription;
  const options = { sort: wanted.sort, order: wanted.order, limit: wanted.limit, chain_id: wanted.chain };
  subscription = live.subscribe(`overview:${wanted.sortWindow}`, options, (latest, change, from) => {
    if (from !== subscription) return;
    take(latest, change);
  });
  previous?.close();
}

function take(latest, change) {
  const before = data;
  data = latest;
  const changed = change.type === "patch" ? Object.keys(change.patch.tokens ?? {}) : latest.ranking;
  for (const id of changed) dirty.add(id);
  if (change.type === "snapshot") orderedAt = -Infinity;
  if (change.reason === "reorg") tellCorrections(before, latest, changed);
  draw();
}

function tellCorrections(before, latest, changed) {
  for (const id of changed) {
    const [old, now] = [before?.tokens[id], latest.tokens[id]];
    if (!old || !now || now.reorg_seq <= old.reorg_seq) continue;
    rows.get(id)?.corrected();
    corrections += 1;
    const { symbol, address, chain_id: chainId } = now.token;
    const words = `${whole(corrections)} reorg ${corrections === 1 ? "correction" : "corrections"}, last `;
    element("corrections").textContent = `↺ ${words}${symbol ?? shorten(address)} on ${chain(chainId)}`;
  }
}

// --- drawing

const draw = onFrame(() => {
  if (!data) return;
  look();
  drawMarket(data, wanted.window);
  drawChains();
  arrange();
  drawSeen();
  drawHidden();
});

/** A few with each frame, those first that have waited longest: no frame takes long, on a slow machine either. */
function drawSeen() {
  const seen = new Set(order.slice(...inSight));
  const waiting = [...dirty, ...blank].filter((id) => seen.has(id));
  for (const id of waiting.slice(0, ROWS_PER_FRAME)) drawRow(id);
  if (waiting.length > ROWS_PER_FRAME) draw();
}

/** Which rows are in sight, and a few more. Rows are all of one height, so that nobody need watch each of them; and it
 * is asked only after something moved, for the answer makes the browser lay out the page there and then. */
function look() {
  if (!hasMoved || !order.length) return;
  hasMoved = false;
  rowHeight = body.firstElementChild.offsetHeight;
  const first = Math.floor(-body.getBoundingClientRect().top / rowHeight);
  const last = first + Math.ceil(innerHeight / rowHeight);
  inSight = [Math.max(0, first - SPARE_ROWS), Math.max(0, last + SPARE_ROWS)];
}

function moved() {
  hasMoved = true;
  draw();
}

function drawRow(id) {
  dirty.delete(id);
  blank.delete(id);
  const [row, stats] = [rows.get(id), data.tokens[id]];
  if (row && stats) row.draw(stats, wanted.window, mostVolume, live.now());
}

/** Rows out of sight are filled soon, and then brought up to date too, a few at a time. */
function drawHidden() {
  for (const id of firstOf(blank, BLANK_PER_FRAME)) drawRow(id);
  if (blank.size) draw();
  else if (dirty.size) rest ??= setTimeout(drawOthers, HIDDEN_EVERY_MS);
}

function drawOthers() {
  rest = undefined;
  for (const id of firstOf(dirty, HIDDEN_AT_ONCE)) drawRow(id);
  draw();
}

function firstOf(set, count) {
  const first = [];
  for (const each of set) {
    if (first.length === count) break;
    first.push(each);
  }
  return first;
}

/** Puts rows in order, at most once a second, and not while somebody points at them: they would slip away. */
function arrange() {
  const due = orderedAt + REORDER_MS - performance.now();
  if (due > 0 || (order.length > 0 && orderedAt !== -Infinity && isHeld())) {
    reorder ??= setTimeout(() => ((reorder = undefined), draw()), Math.max(due, 250));
    return;
  }
  orderedAt = performance.now();
  const shown = data.ranking.filter(matches);
  mostVolume = Math.max(1e-9, ...shown.map((id) => Number(data.tokens[id].windows[wanted.window].volume_usd)));
  place(shown);
  tellShown(shown.length);
}

const isHeld = () => body.matches(":hover") || (body.contains(document.activeElement) && document.activeElement.matches(":focus-visible"));

function place(shown) {
  const isSame = shown.length === order.length && shown.every((id, index) => id === order[index]);
  if (isSame && table.ariaBusy === "false") return;
  table.ariaBusy = "false";
  const before = new Map(order.map((id, index) => [id, index]));
  const keep = new Set(shown);
  for (const [id, row] of rows) if (!keep.has(id)) drop(id, row);
  body.querySelectorAll(".placeholder").forEach((placeholder) => placeholder.remove());
  shown.forEach(settle);
  if (!order.length) moved();
  order = shown;
  glide(before);
}

function drop(id, row) {
  row.element.remove();
  rows.delete(id);
  dirty.delete(id);
  blank.delete(id);
}

function settle(id, index) {
  let row = rows.get(id);
  if (!row) {
    row = new Row(windows);
    rows.set(id, row);
    row.select(wanted.window);
    blank.add(id);
  }
  const there = body.children[index];
  if (there !== row.element) body.insertBefore(row.element, there ?? null);
  row.rank(index + 1);
}

/** Rows in sight that changed places slide there, where they are few: more than that is only a flicker. */
function glide(before) {
  const first = inSight[0];
  const gliding = order.slice(...inSight).flatMap((id, index) => {
    const by = (before.get(id) ?? first + index) - (first + index);
    return by ? [[rows.get(id), by]] : [];
  });
  if (gliding.length > MOST_GLIDING || stillness.matches) return;
  for (const [row, by] of gliding) row.glide(by * rowHeight);
}

// --- what can be chosen

function mark() {
  for (const button of element("windows").children) button.ariaPressed = String(button.dataset.window === wanted.window);
  for (const button of element("rankings").children) button.ariaPressed = String(leads(button.dataset));
  for (const header of headers) {
    const isSorted = header.dataset.sort === wanted.sort && (header.dataset.window ?? wanted.sortWindow) === wanted.sortWindow;
    header.toggleAttribute("aria-sort", isSorted);
    if (isSorted) header.setAttribute("aria-sort", wanted.order === "asc" ? "ascending" : "descending");
    if (header.dataset.window) header.classList.toggle("secondary", header.dataset.window !== wanted.window);
  }
  for (const row of rows.values()) row.select(wanted.window);
  for (const id of rows.keys()) dirty.add(id);
}

const leads = ({ sort, order }) => sort === wanted.sort && order === wanted.order && wanted.window === wanted.sortWindow;

function drawChains() {
  const ids = Object.keys(data.chains);
  const group = element("chains");
  const wantedButtons = ids.length > 1 || wanted.chain ? ["", ...ids] : [];
  const key = wantedButtons.join();
  if (group.dataset.key !== key) {
    group.dataset.key = key;
    group.replaceChildren(...wantedButtons.map(chainButton));
  }
  for (const button of group.children) {
    button.ariaPressed = String(button.dataset.chain === String(wanted.chain ?? ""));
    const count = button.dataset.chain ? String(data.chains[button.dataset.chain] ?? 0) : "";
    if (button.lastChild.textContent !== count) button.lastChild.textContent = count;
  }
}

function chainButton(id) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.dataset.chain = id;
  button.append(id ? chain(Number(id)) : "All chains", document.createElement("span"));
  return button;
}

function matches(id) {
  const text = wanted.text.trim().toLowerCase();
  if (!text) return true;
  const { symbol, address } = data.tokens[id].token;
  return (symbol ?? "").toLowerCase().includes(text) || address.toLowerCase().includes(text) || id.startsWith(text);
}

function tellShown(count) {
  const isFiltered = wanted.text.trim() !== "";
  const words = isFiltered
    ? `${whole(count)} of ${whole(data.ranking.length)} match`
    : `${whole(count)} of ${whole(data.total)} tokens`;
  write(element("shown"), words);
  element("more").hidden = wanted.limit === MANY || data.total <= data.ranking.length;
  sayNothing(count, isFiltered);
}

function sayNothing(count, isFiltered) {
  const note = element("nothing");
  note.hidden = count > 0;
  if (count > 0) return;
  const strong = document.createElement("strong");
  strong.textContent = isFiltered ? "Nothing here by that name" : "No swaps yet";
  const rest = isFiltered
    ? "The search looks at symbols and addresses; a token's whole id opens its page."
    : "Numbers appear with the first swap that reaches the log.";
  note.replaceChildren(strong, rest);
}

// --- hearing people

element("windows").addEventListener("click", ({ target }) => {
  if (!target.dataset.window) return;
  wanted.window = wanted.sortWindow = target.dataset.window;
  follow();
});

element("rankings").addEventListener("click", ({ target }) => {
  const { sort, order } = target.dataset;
  if (!sort) return;
  Object.assign(wanted, { sort, order, sortWindow: wanted.window });
  follow();
});

element("chains").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  wanted.chain = button.dataset.chain ? Number(button.dataset.chain) : undefined;
  follow();
});

for (const header of headers) {
  header.firstElementChild.addEventListener("click", () => {
    const { sort, window } = header.dataset;
    const isSame = header.hasAttribute("aria-sort");
    wanted.order = isSame && wanted.order === "desc" ? "asc" : "desc";
    wanted.sort = sort;
    wanted.sortWindow = window ?? wanted.window;
    follow();
  });
}

element("more").addEventListener("click", () => {
  wanted.limit = MANY;
  follow();
});

search.value = wanted.text;
search.addEventListener("input", () => {
  wanted.text = search.value;
  lookElsewhere(wanted.text.trim(), (id) => rows.has(id));
  writeAddress();
  orderedAt = -Infinity;
  draw();
});

search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") body.querySelector("a")?.focus();
  else if (event.key === "Enter" && /^\d+:\S+$/.test(search.value.trim())) location.href = `/tokens/${search.value.trim()}`;
  else return;
  event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

body.addEventListener("keydown", (event) => {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  const row = step && event.target.closest("tr");
  if (!row) return;
  event.preventDefault();
  (row[step]?.querySelector("a") ?? (event.key === "ArrowUp" ? search : null))?.focus();
});

// Ages grow though nothing is heard.
setInterval(() => {
  for (const id of order.slice(...inSight)) rows.get(id).drawAge(live.now());
}, 1000);

for (const name of ["scroll", "resize"]) addEventListener(name, moved, { passive: true });

follow();
lookElsewhere(wanted.text.trim(), (id) => rows.has(id));
