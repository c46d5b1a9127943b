// In place of the page's WebSocket: a made-up list of tokens that moves when `step()` is called, as fast as may be. At
// each step all of them are traded, some change places, a few leave the list and others enter, and one is corrected.

(() => {
  const SHOWN = 500;
  const KNOWN = 600;
  const LEAVING = 5;
  const WINDOWS = ["5m", "1h", "24h"];
  const ids = Array.from({ length: KNOWN }, (_, number) => `1:0x${number.toString(16).padStart(40, "0")}`);
  const digits = (value, places) => (value * (0.9 + 0.2 * Math.random())).toFixed(places);
  const now = () => new Date().toISOString();
  let socket;
  let seq = 1;
  let corrected = 0;
  let ranking = ids.slice(0, SHOWN);
  let others = ids.slice(SHOWN);

  const sums = () => ({
    from: now(),
    to: now(),
    volume_usd: digits(5000, 6),
    buy_volume_usd: digits(2500, 6),
    sell_volume_usd: digits(2500, 6),
    volume_token: digits(900, 18),
    trades: seq + 20,
    buys: seq + 10,
    sells: 10,
    vwap_usd: digits(1, 12),
    price_change_pct: digits(3, 6),
  });
  const moved = () => ({
    as_of: now(),
    last_event_at: now(),
    price_usd: digits(1, 12),
    seq,
    windows: Object.fromEntries(WINDOWS.map((name) => [name, sums()])),
  });
  const whole = (id) => ({
    ...moved(),
    epoch: "e",
    reorg_seq: 0,
    token: { id, chain_id: 1, address: id.slice(2), symbol: `T${ids.indexOf(id)}`, symbol_matches: 1 },
  });
  const head = () => ({ as_of: now(), ranking, totals: Object.fromEntries(WINDOWS.map((name) => [name, sums()])) });
  const say = (message) => socket.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(message) }));

  window.WebSocket = class extends EventTarget {
    readyState = 1;

    constructor() {
      super();
      socket = this;
      setTimeout(() => say({ type: "welcome", protocol: 1, coalesce_ms: 100, limits: {}, windows: WINDOWS }));
    }

    send(text) {
      const { ping, subscribe, id } = JSON.parse(text);
      if (ping) setTimeout(() => say({ type: "pong", ping, ts: now(), lag_ms: 10 }));
      if (!subscribe) return;
      const topics = subscribe.map((requested) => ({ topic: "list", requested }));
      const data = { ...head(), total: KNOWN, chains: { 1: KNOWN } };
      data.tokens = Object.fromEntries(ranking.map((token) => [token, whole(token)]));
      setTimeout(() => {
        say({ type: "subscribed", id, topics });
        say({ type: "snapshot", topic: "list", epoch: "e", seq, data });
      });
    }

    close() {}
  };

  window.step = () => {
    const left = ranking.slice(-LEAVING);
    const entered = others.slice(0, LEAVING);
    others = [...others.slice(LEAVING), ...left];
    ranking = [...entered, ...ranking.slice(0, -LEAVING)];
    const tokens = Object.fromEntries(ranking.map((id) => [id, entered.includes(id) ? whole(id) : moved()]));
    for (const id of left) tokens[id] = null;
    tokens[ranking[LEAVING + 1]].reorg_seq = ++corrected;
    const data = { ...head(), tokens };
    say({
      type: "patches",
      ts: now(),
      items: [{ topic: "list", epoch: "e", prev: seq, seq: ++seq, data, reason: "reorg" }],
    });
  };
})();
