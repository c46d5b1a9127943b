// The page's one connection, and what the bar on top says about it.

import { SwapStats } from "../swapstats-client/swapstats.js";
import { credentials, isAsking } from "./account.js";
import { ago } from "./format.js";

const STALE_AFTER_MS = 5000;
const MINUTES_FROM_MS = 120_000;
const REASONS = {
  server_shutdown: "Server restarting",
  slow_consumer: "This page fell behind",
  not_authenticated: "Not signed in",
  token_expired: "Renewing access",
  origin_refused: "This site may not connect",
  too_many_connections: "Server is full",
};

const address = new URL("/ws", location.href);
address.protocol = address.protocol.replace("http", "ws");

export const live = new SwapStats(address, { pingEvery: 2000, credentials });

const element = (id) => document.getElementById(id);
const pulse = element("connection");
const text = element("connection-text");
const age = element("connection-age");
const retry = element("connection-retry");
let hasHeard = false;

/** Says how things stand, at most once per change for those who listen to it, and every moment for those who see it. */
function show() {
  const { state, words, detail } = standing();
  if (pulse.dataset.state !== state) pulse.dataset.state = state;
  if (text.textContent !== words) text.textContent = words;
  if (age.textContent !== detail) age.textContent = detail;
  retry.hidden = live.state !== "waiting";
  pulse.toggleAttribute("data-beat", state === "live" && hasHeard && !pulse.hasAttribute("data-beat"));
  hasHeard = false;
}

function standing() {
  if (live.state === "waiting") {
    const seconds = Math.max(0, Math.ceil((live.retryAt - Date.now()) / 1000));
    return { state: "lost", words: REASONS[live.reason] ?? "Connection lost", detail: `retry in ${seconds}s` };
  }
  if (live.state === "closed") return { state: "lost", words: REASONS[live.reason] ?? "Closed", detail: "" };
  if (isAsking()) return { state: "stale", words: "Not signed in", detail: "" };
  if (live.state === "connecting") return { state: "connecting", words: "Connecting", detail: "" };
  if (live.asOf === undefined) return { state: "stale", words: "Waiting for data", detail: "" };
  const behind = live.now() - live.asOf;
  if (behind > STALE_AFTER_MS) return { state: "stale", words: "Delayed", detail: seconds(behind) };
  return { state: "live", words: "Live", detail: seconds(behind) };
}

function seconds(milliseconds) {
  if (milliseconds >= MINUTES_FROM_MS) return ago(milliseconds);
  return `${(Math.max(0, milliseconds) / 1000).toFixed(milliseconds < 9950 ? 1 : 0)} s`;
}

live.addEventListener("state", show);
live.addEventListener("tick", () => (hasHeard = true));
retry.addEventListener("click", () => live.retryNow());
setInterval(show, 500);
show();

element("theme").addEventListener("click", () => {
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const theme = dark ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.dispatchEvent(new CustomEvent("theme"));
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // Not kept, but shown.
  }
});
