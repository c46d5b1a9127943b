// What the search finds beyond the list that is shown: links to the pages of those tokens.

import { ask } from "./account.js";
import { chain, dollars, shorten } from "./format.js";

const PATIENCE_MS = 300;
const MOST = 8;

const box = document.getElementById("elsewhere");
let waiting;
let latest = 0;

/** Looks for `text` among all tokens, once people pause; `isShown` tells which ones the list has anyway. */
export function lookElsewhere(text, isShown) {
  clearTimeout(waiting);
  latest += 1;
  box.replaceChildren();
  if (text) waiting = setTimeout(find, PATIENCE_MS, text, isShown, latest);
}

async function find(text, isShown, number) {
  const words = await found(text, isShown);
  if (number === latest) box.replaceChildren(...words);
}

async function found(text, isShown) {
  try {
    const response = await ask(`/api/tokens?${new URLSearchParams({ search: text, limit: 50 })}`);
    if (!response.ok) throw new Error(`${response.status}`);
    const { items } = await response.json();
    return linksTo(items.filter(({ token }) => !isShown(token.id)).slice(0, MOST));
  } catch {
    return ["The search beyond this list does not answer now."];
  }
}

const linksTo = (items) => (items.length ? ["Beyond this list", ...items.map(linkTo)] : []);

function linkTo({ token, volume_usd: volume }) {
  const link = document.createElement("a");
  link.className = "chip";
  link.href = `/tokens/${encodeURIComponent(token.id).replaceAll("%3A", ":")}`;
  link.title = token.id;
  const where = document.createElement("span");
  where.textContent = `${chain(token.chain_id)} · ${dollars(volume)}`;
  link.append(token.symbol ?? shorten(token.address), where);
  return link;
}
