/** Types of swapstats.js. Amounts are decimal strings, exact; times are RFC 3339. */

export interface Token {
  id: string;
  chain_id: number;
  address: string;
  symbol?: string | null;
  symbol_matches: number;
}

/** A member that is null in a snapshot may be missing after a patch: both say that there is none. */
export interface Window {
  from: string;
  to: string;
  volume_usd: string;
  buy_volume_usd: string;
  sell_volume_usd: string;
  volume_token: string;
  trades: number;
  buys: number;
  sells: number;
  vwap_usd?: string | null;
  price_change_pct?: string | null;
}

/** The data of `token:…`. */
export interface TokenStats {
  token: Token;
  as_of: string;
  last_event_at?: string | null;
  price_usd?: string | null;
  epoch: string;
  seq: number;
  complete_since?: string;
  windows: Record<string, Window>;
}

export type Change =
  | { type: "snapshot" }
  | { type: "patch"; patch: Record<string, unknown>; reason?: "reorg" };

export interface ServerError {
  type: "error";
  id?: number | string;
  code: string;
  message: string;
  topic?: string;
}

export interface Welcome {
  type: "welcome";
  protocol: number;
  coalesce_ms: number;
  windows: string[];
  limits: { max_conn: number; max_subscriptions: number; max_message_bytes: number };
}

export interface Subscription<Data> {
  /** As it was asked for. */
  readonly requested: string;
  /** Its canonical name, once the server has granted it. */
  readonly topic?: string;
  readonly data?: Data;
  readonly epoch?: string;
  readonly seq?: number;
  /** Why the server refused it. */
  readonly error?: ServerError;
  close(): void;
}

export type Listener<Data> = (data: Data, change: Change, subscription: Subscription<Data>) => void;

export interface SubscribeOptions {
  windows?: string[];
  sort?: string;
  order?: "asc" | "desc";
  limit?: number;
  chain_id?: number;
}

export interface Options {
  /** Called before each connection. */
  credentials?: () => Promise<{ ticket?: string; token?: string } | null>;
  WebSocket?: typeof WebSocket;
  firstDelay?: number;
  longestDelay?: number;
  pingEvery?: number;
  answerWithin?: number;
}

export type State = "connecting" | "open" | "waiting" | "closed";

export class SwapStats extends EventTarget {
  constructor(url: string | URL, options?: Options);
  readonly url: string;
  readonly state: State;
  /** Why the connection waits or is closed. */
  readonly reason?: string;
  /** When the next attempt is due, in epoch milliseconds. */
  readonly retryAt?: number;
  readonly welcome?: Welcome;
  /** How far the server's clock is ahead of this one, in milliseconds. */
  readonly clockOffset: number;
  /** Until when the server's numbers are known here, in epoch milliseconds of its clock. */
  readonly asOf?: number;
  subscribe<Data = TokenStats>(topic: string, listener: Listener<Data>): Subscription<Data>;
  subscribe<Data = TokenStats>(topic: string, options: SubscribeOptions, listener: Listener<Data>): Subscription<Data>;
  /** The server's time, in epoch milliseconds. */
  now(): number;
  /** Connects at once where it would have waited. */
  retryNow(): void;
  close(): void;
}

export function mergePatch<Target>(target: Target, patch: unknown): Target;
