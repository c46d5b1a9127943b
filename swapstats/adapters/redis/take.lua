-- Takes from a token bucket, as swapstats/domain/token_bucket.py does, on Redis's own clock.
--
-- KEYS[1]  the bucket: when it will be full again, in microseconds; none is full
-- ARGV     refill per second, burst, cost
-- Reply    1 or 0, what remains, microseconds until it is full, microseconds to wait

local refill, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local would_be_full_at = full_at + cost * 1000000 / refill
local wait = would_be_full_at - now - burst * 1000000 / refill
local is_allowed = wait <= 1 -- shorter is no wait, but the rounding of a sum
if is_allowed then
  full_at = would_be_full_at
  redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000) + 1)
end
local remaining = math.floor(burst - (full_at - now) * refill / 1000000 + refill / 1000000)
return {is_allowed and 1 or 0, math.max(0, remaining), math.ceil(full_at - now), is_allowed and 0 or math.ceil(wait)}
