// Numbers and times as people read them. Exact values stay in titles; what is shown is rounded.

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const UNITS = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "K"],
];

// Made once: a number format is expensive to make.
const grouped = new Intl.NumberFormat("en");
const threeDigits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** 12345.678 → "12.3K", three digits and no more. */
export function compact(value) {
  const number = Number(value);
  const unit = UNITS.find(([size]) => Math.abs(number) >= size * 0.9995);
  if (!unit) return number === 0 ? "0" : threeDigits.format(number);
  const scaled = number / unit[0];
  return scaled.toFixed(Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2) + unit[1];
}

/** Dollars, compact. */
export const dollars = (value) => (value === undefined || value === null ? "–" : `$${compact(value)}`);

/** A price with five telling digits; a row of zeros is counted instead: 0.000001234 → "$0.0₅1234". */
export function price(value) {
  if (value === undefined || value === null) return "–";
  const number = Number(value);
  if (number >= 100) return `$${cents.format(number)}`;
  if (number >= 1) return `$${number.toFixed(number >= 10 ? 3 : 4)}`;
  if (number === 0) return "$0";
  const zeros = -Math.floor(Math.log10(number)) - 1;
  const digits = Math.round(number * 10 ** (zeros + 4)).toString();
  if (zeros < 4) return `$${number.toFixed(zeros + 4)}`;
  return `$0.0${[...String(zeros)].map((digit) => SUBSCRIPTS[digit]).join("")}${digits}`;
}

/** A signed percentage; "–" where there is none. */
export function percent(value) {
  if (value === undefined || value === null) return "–";
  const number = Number(value);
  const digits = Math.abs(number) >= 1000 ? 0 : Math.abs(number) >= 100 ? 1 : 2;
  return `${number > 0 ? "+" : number < 0 ? "−" : ""}${Math.abs(number).toFixed(digits)}%`;
}

/** Which class a change wears. */
export function tone(value) {
  const number = Number(value ?? 0);
  return number > 0 ? "up" : number < 0 ? "down" : "flat";
}

export const whole = (value) => grouped.format(Number(value));

/** How long ago, in the coarsest telling unit. */
export function ago(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** "0xa0b8…eb48": enough of an address to recognise it. */
export const shorten = (address) => (address.length > 14 ? `${address.slice(0, 6)}…${address.slice(-4)}` : address);

/** The hue of a token's face, always the same for the same token. */
export function hue(text) {
  let hash = 2166136261;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 16777619);
  return (hash >>> 0) % 360;
}

/** Two or three letters for a token's face. */
export const initials = (token) => (token.symbol || token.address.replace(/^0x/, "")).slice(0, 3).toUpperCase();

const CHAINS = {
  1: "Ethereum",
  10: "Optimism",
  56: "BNB Chain",
  100: "Gnosis",
  137: "Polygon",
  146: "Sonic",
  250: "Fantom",
  324: "zkSync",
  1101: "Polygon zkEVM",
  5000: "Mantle",
  8453: "Base",
  34443: "Mode",
  42161: "Arbitrum",
  42220: "Celo",
  43114: "Avalanche",
  59144: "Linea",
  81457: "Blast",
  534352: "Scroll",
  1399811149: "Solana",
};

export const chain = (id) => CHAINS[id] ?? `Chain ${id}`;

/** The length of a window by its name, in seconds; undefined where the name does not tell. */
export function windowSeconds(name) {
  const match = /^(\d+)(s|m|h|d)$/.exec(name);
  return match ? Number(match[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[match[2]] : undefined;
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  timeZone: "UTC",
});
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

/** A time of day, UTC, with its day where that is not today. */
export function time(text, now) {
  const date = new Date(text);
  const today = day.format(date) === day.format(now);
  return today ? clock.format(date) : `${day.format(date)} ${clock.format(date)}`;
}
