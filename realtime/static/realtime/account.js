// Who looks, where tokens are asked for: signs in, renews tokens and shows them. They are kept for this tab alone.

const KEPT_AS = "swapstats.tokens";
const MOST_ATTEMPTS = 3;

const element = (id) => document.getElementById(id);
const dialog = element("sign-in");
const problem = element("sign-in-problem");

let tokens = read();
let renewing;
let entering;

/** As `fetch`. Where the token is not good any more it is renewed, and where that fails people are asked to sign in. */
export async function ask(address, options = {}) {
  if (!dialog) return fetch(address, options);
  let response;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    if (!tokens) await enter();
    const shown = tokens.access;
    response = await fetch(address, { ...options, headers: { ...options.headers, Authorization: `Bearer ${shown}` } });
    if (response.status !== 401) return response;
    if (tokens?.access === shown) await renew();
  }
  return response;
}

/** What opens the WebSocket: a ticket, for browsers can show no token there. */
export async function credentials() {
  if (!dialog) return null;
  const response = await ask("/api/ws/ticket", { method: "POST" });
  if (!response.ok) throw new Error(`no ticket: ${response.status}`);
  return response.json();
}

/** Whether people are being asked to sign in. */
export const isAsking = () => Boolean(dialog?.open);

function renew() {
  renewing ??= post("/api/auth/refresh", { refresh: tokens.refresh })
    .then(async (response) => keep(response.ok ? await response.json() : null))
    .finally(() => (renewing = undefined));
  return renewing;
}

function enter() {
  entering ??= new Promise((entered) => {
    dialog.addEventListener("close", () => entered((entering = undefined)), { once: true });
    dialog.showModal();
  });
  return entering;
}

async function signIn() {
  const form = element("sign-in-form");
  problem.textContent = "";
  form.ariaBusy = "true";
  try {
    const response = await post("/api/auth/token", Object.fromEntries(new FormData(form)));
    if (!response.ok) throw new Error((await response.json()).detail);
    keep(await response.json());
    form.reset();
    dialog.close();
  } catch (error) {
    problem.textContent = error.message || "The server does not answer.";
  } finally {
    form.ariaBusy = "false";
  }
}

const post = (address, body) =>
  fetch(address, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

function keep(latest) {
  tokens = latest;
  element("sign-out").hidden = !tokens;
  try {
    if (tokens) sessionStorage.setItem(KEPT_AS, JSON.stringify(tokens));
    else sessionStorage.removeItem(KEPT_AS);
  } catch {
    // Not kept: the next page asks again.
  }
}

function read() {
  try {
    return dialog ? JSON.parse(sessionStorage.getItem(KEPT_AS)) : null;
  } catch {
    return null;
  }
}

if (dialog) {
  keep(tokens);
  element("sign-in-form").addEventListener("submit", (event) => {
    event.preventDefault();
    signIn();
  });
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  element("sign-out").addEventListener("click", () => {
    keep(null);
    location.reload();
  });
}
