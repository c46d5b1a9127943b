/**
 * Live statistics of swapstats over its WebSocket, protocol `swapstats.v1`. No dependencies.
 *
 *     const swapstats = new SwapStats("wss://swaps.example/ws");
 *     const usdc = swapstats.subscribe("token:USDC", (data, change) => console.log(data.windows["5m"].volume_usd));
 *     usdc.close();
 *
 * It reconnects by itself, subscribes anew, notices when a patch does not follow on what it has, and then asks for
 * the whole again. What listeners get is always whole and consistent.
 */

const PROTOCOL = "swapstats.v1";
const TOPICS_PER_MESSAGE = 50;
const SOON = 4;
const FATAL = new Set([4403]);
const RETRY_LATER = new Set(["not_ready", "rate_limited"]);

const DEFAULTS = {
  firstDelay: 500,
  longestDelay: 30_000,
  pingEvery: 15_000,
  answerWithin: 10_000,
};

/** Applies a JSON Merge Patch (RFC 7386) and returns the result; what does not change is shared with `target`. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const result = isObject(target) ? { ...target } : {};
  for (const name of Object.keys(patch)) {
    const value = patch[name];
    if (value === null) delete result[name];
    else result[name] = typeof value === "object" ? mergePatch(result[name], value) : value;
  }
  return result;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** One topic that is followed. `data` is the latest state, undefined until the first one is there. */
class Subscription {
  #leave;

  constructor(requested, options, listener, leave) {
    this.requested = requested;
    this.options = options;
    this.listener = listener;
    this.topic = undefined;
    this.data = undefined;
    this.epoch = undefined;
    this.seq = undefined;
    this.error = undefined;
    this.#leave = leave;
  }

  /** Follow it no more. */
  close() {
    this.#leave(this);
  }

  /** Takes a snapshot or a patch; false where the patch does not follow on what is here. */
  take(message, data, change) {
    if (change.type === "patch" && (this.epoch !== message.epoch || this.seq !== message.prev)) return false;
    this.error = undefined;
    this.data = data;
    this.epoch = message.epoch;
    this.seq = message.seq;
    this.listener(data, change, this);
    return true;
  }

  forget() {
    this.epoch = undefined;
    this.seq = undefined;
  }
}

/**
 * A connection that mends itself.
 *
 * Events: `state` whenever `state` changes; `tick` after each frame of patches, with `detail.ts`; `refused` when the
 * server refuses a topic or a message, with its error as `detail`.
 */
export class SwapStats extends EventTarget {
  #options;
  #socket = null;
  #subscriptions = new Set();
  #byTopic = new Map();
  #asked = new Map();
  #attempts = 0;
  #lastId = 0;
  #timers = { retry: undefined, ping: undefined, pong: undefined, again: undefined };
  #pingSentAt = 0;
  #pings = 0;
  #why;
  #roundTrip = Infinity;
  #listening = new AbortController();

  /**
   * @param {string | URL} url of the WebSocket
   * @param {object} options `credentials`: an async function called before each connection; gives `{ticket}`, `{token}` or
   *   null. `WebSocket`: a class other than the global one. Times in milliseconds: `firstDelay`, `longestDelay`,
   *   `pingEvery`, `answerWithin`.
   */
  constructor(url, options = {}) {
    super();
    this.url = String(url);
    this.state = "connecting";
    this.reason = undefined;
    this.retryAt = undefined;
    this.welcome = undefined;
    this.clockOffset = 0;
    this.asOf = undefined;
    this.#options = { ...DEFAULTS, WebSocket: globalThis.WebSocket, credentials: async () => null, ...options };
    globalThis.addEventListener?.("online", () => this.retryNow(), { signal: this.#listening.signal });
    this.#connect();
  }

  /**
   * Follows a topic.
   * @param {string} topic such as `token:USDC`, `token:1:0x…` or `overview:5m`
   * @param {object | Function} options members to send with the subscription (`windows`, `sort`, `limit` …), or the listener
   * @param {Function} listener called with the whole data, and `{type: "snapshot" | "patch", patch, reason}`
   */
  subscribe(topic, options, listener) {
    if (typeof options === "function") [options, listener] = [{}, options];
    const subscription = new Subscription(topic, options ?? {}, listener, (which) => this.#leave(which));
    this.#subscriptions.add(subscription);
    if (this.state === "open") this.#ask([subscription]);
    return subscription;
  }

  /** Connects at once where it would have waited. */
  retryNow() {
    if (this.state !== "waiting") return;
    this.#forgetTimers();
    this.#connect();
  }

  /** Closes for good. */
  close() {
    this.#forgetTimers();
    this.#listening.abort();
    this.#enter("closed", "closed");
    this.#socket?.close(1000);
    this.#socket = null;
    this.#subscriptions.clear();
    this.#byTopic.clear();
  }

  /** The server's time now, in epoch milliseconds, as far as it can be told from here. */
  now() {
    return Date.now() + this.clockOffset;
  }

  // --- connecting

  async #connect() {
    this.#enter("connecting");
    let credentials;
    try {
      credentials = await this.#options.credentials();
    } catch (error) {
      this.#lost(`no credentials: ${error.message}`);
      return;
    }
    if (this.state !== "connecting") return;
    this.#open(credentials ?? {});
  }

  #open({ ticket, token }) {
    const url = new URL(this.url, globalThis.location?.href);
    if (ticket) url.searchParams.set("ticket", ticket);
    const protocols = token ? [PROTOCOL, `bearer.${token}`] : [PROTOCOL];
    const socket = new this.#options.WebSocket(url.href, protocols);
    this.#socket = socket;
    this.#expectAnswer();
    socket.addEventListener("message", (event) => socket === this.#socket && this.#hear(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => socket === this.#socket && this.#closed(event));
  }

  #closed({ code, reason }) {
    if (FATAL.has(code)) {
      this.#forgetTimers();
      this.#socket = null;
      this.#enter("closed", reason || `code ${code}`);
      return;
    }
    if (reason) this.#why = reason;
    this.#lost(`code ${code}`);
  }

  /**
   * Waits a random while, the longer the more often it has failed, so that clients do not come back all at once. The
   * reason stays that of the first failure until the server gives another, or lets us in again.
   */
  #lost(reason) {
    this.#forgetTimers();
    this.#why ??= reason;
    this.#socket = null;
    this.#asked.clear();
    for (const subscription of this.#subscriptions) subscription.forget();
    const most = Math.min(this.#options.longestDelay, this.#options.firstDelay * 2 ** this.#attempts);
    const delay = most * (0.2 + 0.8 * Math.random());
    this.#attempts += 1;
    this.retryAt = Date.now() + delay;
    this.#timers.retry = setTimeout(() => this.#connect(), delay);
    this.#enter("waiting", this.#why);
  }


  #enter(state, reason) {
    this.state = state;
    this.reason = reason;
    if (state !== "waiting") this.retryAt = undefined;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, reason } }));
  }

  // --- staying alive

  #expectAnswer() {
    clearTimeout(this.#timers.pong);
    this.#timers.pong = setTimeout(() => this.#abandon("no answer"), this.#options.answerWithin);
  }

  /** A socket that has gone silent may take minutes to close by itself. */
  #abandon(reason) {
    const socket = this.#socket;
    this.#lost(reason);
    socket?.close();
  }

  /** The first pings come soon after each other, for each may show better how far the clocks are apart. */
  #ping() {
    this.#pingSentAt = Date.now();
    this.#send({ ping: this.#pingSentAt });
    if (this.#timers.pong === undefined) this.#expectAnswer();
    const delay = ++this.#pings < SOON ? Math.min(1000, this.#options.pingEvery) : this.#options.pingEvery;
    this.#timers.ping = setTimeout(() => this.#ping(), delay);
  }

  #forgetTimers() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers.pong = undefined;
  }

  // --- hearing

  #hear(message) {
    clearTimeout(this.#timers.pong);
    this.#timers.pong = undefined;
    switch (message.type) {
      case "welcome":
        return this.#welcomed(message);
      case "subscribed":
        return this.#granted(message);
      case "snapshot":
        return this.#snapshot(message);
      case "patches":
        return this.#patches(message);
      case "pong":
        return this.#pong(message);
      case "error":
        return this.#refused(message);
      case "bye":
        this.#why = message.reason;
    }
  }

  #welcomed(message) {
    this.welcome = message;
    this.#why = undefined;
    this.#pings = 0;
    this.#roundTrip = Infinity;
    this.#enter("open");
    this.#ping();
    this.#ask([...this.#subscriptions]);
  }

  #pong({ ping, ts, lag_ms: lag }) {
    if (ping !== this.#pingSentAt) return;
    this.#attempts = 0;
    const roundTrip = Date.now() - ping;
    if (roundTrip <= this.#roundTrip) {
      this.#roundTrip = roundTrip;
      this.clockOffset = Date.parse(ts) - ping - roundTrip / 2;
    }
    if (lag !== null) this.#known(Date.parse(ts) - lag);
  }

  #known(asOf) {
    if (this.asOf === undefined || asOf > this.asOf) this.asOf = asOf;
  }

  #granted({ id, topics }) {
    for (const { topic, requested } of topics) {
      for (const subscription of this.#answered(id, requested)) this.#file(subscription, topic);
    }
  }

  /** Those who asked for a topic in the message `id`, or for any where none is named; they wait no more. */
  #answered(id, requested) {
    const asked = this.#asked.get(id) ?? [];
    const isMeant = (subscription) => requested === undefined || subscription.requested === requested;
    const rest = asked.filter((subscription) => !isMeant(subscription));
    if (rest.length) this.#asked.set(id, rest);
    else this.#asked.delete(id);
    return asked.filter((subscription) => isMeant(subscription) && this.#subscriptions.has(subscription));
  }

  #file(subscription, topic) {
    this.#unfile(subscription);
    subscription.topic = topic;
    if (!this.#byTopic.has(topic)) this.#byTopic.set(topic, new Set());
    this.#byTopic.get(topic).add(subscription);
  }

  #unfile(subscription) {
    const others = this.#byTopic.get(subscription.topic);
    others?.delete(subscription);
    if (others?.size === 0) this.#byTopic.delete(subscription.topic);
  }

  #snapshot(message) {
    this.#known(Date.parse(message.data.as_of));
    for (const each of this.#of(message.topic)) each.take(message, message.data, { type: "snapshot" });
  }

  #patches({ ts, items }) {
    this.#known(Math.max(...items.map((item) => Date.parse(item.data.as_of))));
    const broken = items.flatMap((item) => this.#patch(item));
    if (broken.length) this.#askAgain(broken);
    this.dispatchEvent(new CustomEvent("tick", { detail: { ts, items } }));
  }

  /** Returns the subscriptions that the patch does not fit. One without a seq waits for a snapshot already. */
  #patch(item) {
    const waiting = this.#of(item.topic).filter((subscription) => subscription.seq !== undefined);
    if (!waiting.length) return [];
    const data = mergePatch(waiting[0].data, item.data);
    const change = { type: "patch", patch: item.data, reason: item.reason };
    return waiting.filter((subscription) => !subscription.take(item, data, change));
  }

  #refused(message) {
    for (const each of this.#answered(message.id, message.topic)) this.#refuse(each, message);
    this.dispatchEvent(new CustomEvent("refused", { detail: message }));
  }

  #refuse(subscription, message) {
    subscription.error = message;
    if (!RETRY_LATER.has(message.code)) return;
    clearTimeout(this.#timers.again);
    this.#timers.again = setTimeout(() => {
      this.#ask([...this.#subscriptions].filter((each) => RETRY_LATER.has(each.error?.code)));
    }, 1000);
  }

  #of(topic) {
    return [...(this.#byTopic.get(topic) ?? [])];
  }

  // --- asking

  #askAgain(subscriptions) {
    for (const subscription of subscriptions) subscription.forget();
    this.#ask(subscriptions);
  }

  #ask(subscriptions) {
    for (const [options, group] of groupByOptions(subscriptions)) {
      for (let start = 0; start < group.length; start += TOPICS_PER_MESSAGE) {
        const part = group.slice(start, start + TOPICS_PER_MESSAGE);
        const id = ++this.#lastId;
        this.#asked.set(id, part);
        this.#send({ subscribe: part.map((subscription) => subscription.requested), ...JSON.parse(options), id });
      }
    }
  }

  #leave(subscription) {
    if (!this.#subscriptions.delete(subscription)) return;
    this.#unfile(subscription);
    const { topic } = subscription;
    if (topic && !this.#byTopic.has(topic)) this.#send({ unsubscribe: topic });
  }

  #send(message) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }
}

/** Pairs of options, as JSON, and the subscriptions that have them: those go into one message. */
function groupByOptions(subscriptions) {
  const groups = new Map();
  for (const subscription of subscriptions) {
    const options = JSON.stringify(subscription.options);
    groups.set(options, [...(groups.get(options) ?? []), subscription]);
  }
  return groups;
}
