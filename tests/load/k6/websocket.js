// 1,000 WebSocket clients with five topics each; every patch must continue what its client holds:
//   k6 run -e SWAPSTATS_URL=http://127.0.0.1:8080 tests/load/k6/websocket.js
// CLIENTS, TOPICS and SECONDS change the load. SWAPSTATS_TOKEN is sent where the server wants one.
import http from 'k6/http';
import ws from 'k6/ws';
import { Counter, Trend } from 'k6/metrics';

const url = __ENV.SWAPSTATS_URL || 'http://127.0.0.1:8080';
const headers = __ENV.SWAPSTATS_TOKEN ? { Authorization: `Bearer ${__ENV.SWAPSTATS_TOKEN}` } : {};
const clients = Number(__ENV.CLIENTS || 1000);
const topics = Number(__ENV.TOPICS || 5);
const seconds = Number(__ENV.SECONDS || 60);

const frames = new Counter('frames');
const gaps = new Counter('gaps');
const lost = new Counter('connections_lost');
const age = new Trend('frame_age_ms');

export const options = {
  summaryTrendStats: ['p(50)', 'p(90)', 'p(99)', 'max'],
  scenarios: {
    clients: { executor: 'per-vu-iterations', vus: clients, iterations: 1, maxDuration: `${seconds + 60}s` },
  },
  thresholds: { gaps: ['count==0'], connections_lost: ['count==0'], frame_age_ms: ['p(99)<1000'] },
};

export function setup() {
  const answer = http.get(`${url}/api/overview?windows=5m&limit=100`, { headers });
  return answer.json('windows.5m').map((row) => row.token.id);
}

function chosen(ids) {
  const first = Math.floor(Math.random() * ids.length);
  return Array.from({ length: Math.min(topics, ids.length) }, (_, i) => `token:${ids[(first + i) % ids.length]}`);
}

function hear(message, held) {
  if (message.type === 'snapshot') held[message.topic] = `${message.epoch} ${message.seq}`;
  if (message.type !== 'patches') return;
  frames.add(1);
  age.add(Date.now() - Date.parse(message.ts));
  for (const item of message.items) {
    if (held[item.topic] !== `${item.epoch} ${item.prev}`) gaps.add(1);
    held[item.topic] = `${item.epoch} ${item.seq}`;
  }
}

export default function (ids) {
  const held = {};
  let isOver = false;
  ws.connect(`${url.replace('http', 'ws')}/ws`, { headers }, (socket) => {
    socket.on('open', () => socket.send(JSON.stringify({ subscribe: chosen(ids) })));
    socket.on('message', (text) => hear(JSON.parse(text), held));
    socket.on('close', () => { if (!isOver) lost.add(1); });
    socket.setTimeout(() => { isOver = true; socket.close(); }, seconds * 1000);
  });
}
