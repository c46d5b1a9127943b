// 1,000 requests a second for a minute, then a burst of 5,000 a second, whether the server keeps up or not:
//   k6 run -e SWAPSTATS_URL=http://127.0.0.1:8080 tests/load/k6/http.js
// With security.jwt.enabled add: -e SWAPSTATS_TOKEN="$(python manage.py mint_token --sub load --ttl 1h)"
// The server must not limit the machine that asks: raise rate_limit.by_ip and by_jwt for the test. RATE, BURST, DURATION
// and BURST_DURATION change the load.
import http from 'k6/http';
import { check } from 'k6';

const url = __ENV.SWAPSTATS_URL || 'http://127.0.0.1:8080';
const headers = __ENV.SWAPSTATS_TOKEN ? { Authorization: `Bearer ${__ENV.SWAPSTATS_TOKEN}` } : {};
const duration = __ENV.DURATION || '60s';

function arrivals(rate, lasting, extra) {
  return { executor: 'constant-arrival-rate', rate, timeUnit: '1s', duration: lasting, gracefulStop: '60s', ...extra };
}

export const options = {
  summaryTrendStats: ['p(50)', 'p(90)', 'p(99)', 'p(99.9)', 'max'],
  scenarios: {
    sustained: arrivals(Number(__ENV.RATE || 1000), duration, { preAllocatedVUs: 200, maxVUs: 1000 }),
    burst: arrivals(Number(__ENV.BURST || 5000), __ENV.BURST_DURATION || '3s', {
      startTime: duration, preAllocatedVUs: 500, maxVUs: 5000,
    }),
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    // What k6 could not send in time is missing from its percentiles.
    'dropped_iterations{scenario:sustained}': ['count==0'],
    'http_req_duration{scenario:sustained}': ['p(99)<100'],
    'http_req_duration{scenario:burst}': ['p(99)<5000'],
  },
};

export function setup() {
  const answer = http.get(`${url}/api/overview?windows=5m&limit=100`, { headers });
  check(answer, { 'the site answers': (it) => it.status === 200 });
  return answer.json('windows.5m').map((row) => row.token.id);
}

function pick(list) {
  return list[Math.floor(Math.random() * list.length)];
}

function path(ids) {
  const share = Math.random();
  if (share < 0.7) return `/api/tokens/${pick(ids)}/stats`;
  if (share < 0.9) return `/api/overview?windows=${pick(['5m', '1h', '24h'])}&limit=10`;
  return `/api/tokens/stats?ids=${Array.from({ length: 10 }, () => pick(ids)).join(',')}&windows=5m`;
}

export default function (ids) {
  http.get(url + path(ids), { headers, tags: { name: 'api' } });
}
