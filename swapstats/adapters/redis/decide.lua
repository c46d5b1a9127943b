-- Decides a batch of claims against the ledger, in order, as one atomic step. The table is in ports/ledger.py.
--
-- KEYS[1]  the ledger's index: a hash with, per generation id, "bits:opened_ms:expires_ms" and, under "n<id>", its entries
-- KEYS[2…] the checkpoints of the partitions in the batch, ARGV[4…] the epoch that the caller holds of each
-- ARGV[1]  claims of 25 bytes: digest 16, flags 1 (1 removal, 2 late), partition 2, offset 6
-- ARGV[2]  how long a generation is written to, ARGV[3] how long it is kept after that, in ms
-- Reply    one byte per claim, its outcome; or an error "FENCED <position of the checkpoint among them>"
--
-- An entry is a field of a small hash, which Redis stores as a listpack. Hashes belong to a generation, which expires as
-- a whole. A generation has 2^bits hashes and is closed when it is old or full, so hashes stay small at any rate.
-- The field is bytes 3 to 16 of the digest (bytes 1 to 3 choose the hash); the value one or two slots of 9 bytes,
-- outcome and position: that of the addition (1 applied, 2 late, 4 cancelled) and that of the removal (5, 6, 7).

local ENTRIES_PER_HASH, MIN_BITS, MAX_BITS = 64, 8, 20
local APPLIED, LATE, DUPLICATE, CANCELLED, RETRACTED, RETRACTED_LATE, PARKED = 1, 2, 3, 4, 5, 6, 7

for i = 2, #KEYS do
  if redis.call('HGET', KEYS[i], 'epoch') ~= ARGV[i + 2] then
    return redis.error_reply('FENCED ' .. (i - 1))
  end
end

local index, claims = KEYS[1], ARGV[1]
local open_ms, keep_ms = tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function load_generations()
  local found, counts = {}, {}
  local flat = redis.call('HGETALL', index)
  for i = 1, #flat, 2 do
    local name, value = flat[i], flat[i + 1]
    if string.sub(name, 1, 1) == 'n' then
      counts[tonumber(string.sub(name, 2))] = tonumber(value)
    else
      local bits, opened, expires = string.match(value, '(%d+):(%d+):(%d+)')
      found[#found + 1] = {id = tonumber(name), bits = tonumber(bits), opened = tonumber(opened),
                           expires = tonumber(expires)}
    end
  end
  table.sort(found, function(a, b) return a.id > b.id end)
  for _, generation in ipairs(found) do generation.count = counts[generation.id] or 0 end
  return found
end

local function forget_expired(generations)
  while #generations > 0 and generations[#generations].expires <= now do
    local gone = table.remove(generations)
    redis.call('HDEL', index, gone.id, 'n' .. gone.id)
  end
end

local function bits_for(generations)
  local expected = 0
  for _, generation in ipairs(generations) do
    if generation.opened > now - 2 * open_ms then expected = math.max(expected, generation.count) end
  end
  local bits = MIN_BITS
  while bits < MAX_BITS and 2 ^ bits * ENTRIES_PER_HASH < expected do bits = bits + 1 end
  return bits
end

local function open_generation(generations, bits)
  local id = (generations[1] and generations[1].id or 0) + 1
  local generation = {id = id, bits = bits, opened = now, expires = now + open_ms + keep_ms, count = 0}
  local text = string.format('%d:%.0f:%.0f', bits, now, generation.expires)
  redis.call('HSET', index, id, text)
  redis.call('PEXPIREAT', index, string.format('%.0f', generation.expires + keep_ms))
  table.insert(generations, 1, generation)
end

local generations = load_generations()
forget_expired(generations)
local newest = generations[1]
if not newest or now - newest.opened >= open_ms then
  open_generation(generations, bits_for(generations))
elseif newest.count >= 2 ^ newest.bits * ENTRIES_PER_HASH then
  open_generation(generations, math.min(newest.bits + 1, MAX_BITS))
end
newest = generations[1]
for _, generation in ipairs(generations) do
  generation.prefix = index .. ':' .. generation.id .. ':'
  generation.divisor = 2 ^ (24 - generation.bits)
end
local expires = string.format('%.0f', newest.expires)

local byte, sub, char, floor, call = string.byte, string.sub, string.char, math.floor, redis.call
local added = 0

local function insert(key, field, value)
  call('HSET', key, field, value)
  if call('HLEN', key) == 1 then call('PEXPIREAT', key, expires) end
  added = added + 1
end

local function decide_known(removed, key, field, value, position)
  local first, second = byte(value, 1), byte(value, 10)
  local is_removal = first >= RETRACTED
  if is_removal == removed then
    return sub(value, 2, 9) == position and first or DUPLICATE
  elseif second then
    return sub(value, 11, 18) == position and second or DUPLICATE
  end
  local outcome = CANCELLED
  if removed then outcome = first == APPLIED and RETRACTED or RETRACTED_LATE end
  call('HSET', key, field, value .. char(outcome) .. position)
  return outcome
end

local outcomes = {}
for at = 0, #claims - 25, 25 do
  local high, middle, low = byte(claims, at + 1, at + 3)
  local hash = high * 65536 + middle * 256 + low
  local field, flags = sub(claims, at + 3, at + 16), byte(claims, at + 17)
  local position, removed = sub(claims, at + 18, at + 25), flags % 2 == 1
  local key, value
  for _, generation in ipairs(generations) do
    key = generation.prefix .. floor(hash / generation.divisor)
    value = call('HGET', key, field)
    if value then break end
  end
  local outcome
  if value then
    outcome = decide_known(removed, key, field, value, position)
  else
    outcome = removed and PARKED or (flags >= 2 and LATE or APPLIED)
    insert(newest.prefix .. floor(hash / newest.divisor), field, char(outcome) .. position)
  end
  outcomes[#outcomes + 1] = char(outcome)
end
if added > 0 then call('HINCRBY', index, 'n' .. newest.id, added) end
return table.concat(outcomes)
