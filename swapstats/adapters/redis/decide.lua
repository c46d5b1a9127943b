-- Decides a batch of claims against the ledger, in order, as one atomic step. The table is in ports/ledger.py.
--
-- KEYS[1]  the ledger's index; its hashes are KEYS[1]:<bucket>
-- KEYS[2…] the checkpoints of the partitions in the batch, whose keys end in the partition's number
-- ARGV[1]  claims of 25 bytes: digest 16, flags 1 (1 removal, 2 late), partition 2, offset 6
-- ARGV[2]  how long entries and mail are kept at least, in ms
-- ARGV[3…] the epoch that the caller holds of each of these partitions; then the offset at which its windows begin; then
--          what the keys of the partitions' mail begin with; 1 where late swaps count; and what each removal takes out,
--          in the order of the claims
-- Reply    one byte per claim, its outcome; or an error "FENCED <position of the checkpoint among them>"
--
-- An entry is a field of a small hash, which Redis stores as a listpack: 14 bytes of the digest, whose first three
-- choose the bucket, and as value a stamp of two bytes, then slots of 9 bytes, outcome and position: of the addition
-- (1 applied, 2 late, 4 cancelled), of another one that came in time where the first was late, and of the removal
-- (5, 6, 7; 16 more where the addition is in another partition, whose mail, a stream, then has the retraction). The
-- stamp says when the entry was made, in units of STAMP_MS whatever the retention, so that workers of different
-- configurations understand each other's.
-- The table grows by linear hashing (Litwin 1980): when it holds more than LOAD entries per bucket on average, the next
-- bucket is split in two. So hashes stay small, and one look-up finds an entry, at any rate. A sweep passes over all
-- buckets SWEEPS times while an entry is kept, and forgets those that are older.

local STAMP_MS, LOAD, MIN_LEVEL, MAX_LEVEL, SWEEPS, MOST_TIDIED = 600000, 40, 6, 23, 8, 32
local APPLIED, LATE, DUPLICATE, CANCELLED, RETRACTED, RETRACTED_LATE, PARKED = 1, 2, 3, 4, 5, 6, 7
local ELSEWHERE = 16

for i = 2, #KEYS do
  if redis.call('HGET', KEYS[i], 'epoch') ~= ARGV[i + 1] then
    return redis.error_reply('FENCED ' .. (i - 1))
  end
end

local byte, sub, char, floor, call = string.byte, string.sub, string.char, math.floor, redis.call
local index, claims, keep_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local prefix = index .. ':'
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local mail, counts_late = ARGV[2 * #KEYS + 1], ARGV[2 * #KEYS + 2] == '1'
local clock, keep = floor(now / STAMP_MS) % 65536, math.ceil(keep_ms / STAMP_MS)
local stamp = char(floor(clock / 256), clock % 256)
local sweep_ms = math.ceil(keep_ms / SWEEPS)

local stored = call('HMGET', index, 'level', 'next_split', 'entries', 'cursor', 'swept_at', 'young_at')
local level, next_split = tonumber(stored[1] or MIN_LEVEL), tonumber(stored[2] or 0)
local entries, cursor = tonumber(stored[3] or 0), tonumber(stored[4] or 0)
local swept_at, young_at = tonumber(stored[5] or now), tonumber(stored[6] or 0)
local size = 2 ^ level
-- How long a hash lives on unless it is tidied. While there are few entries, so that every bucket of the beginning has
-- its term, and while the sweep has not been on time for two rounds, insertions see to it.
local term, is_young = string.format('%.0f', keep_ms + 3 * sweep_ms), true

local function hash_of(text, at)
  local high, middle, low = byte(text, at, at + 2)
  return high * 65536 + middle * 256 + low
end

local function bucket_of(hash)
  local bucket = hash % size
  if bucket < next_split then bucket = hash % (2 * size) end
  return bucket
end

-- Stamps wrap around; one from ahead of us, by a clock that was set back, is not old.
local function is_old(value)
  local high, low = byte(value, 1, 2)
  local age = (clock - high * 256 - low) % 65536
  return age > keep and age < 32768
end

-- Forgets a bucket's old entries and, for a split, moves those that belong to `target`.
local function tidy(bucket, target)
  local key, flat = prefix .. bucket, call('HGETALL', prefix .. bucket)
  local leaving, moving = {}, {}
  for i = 1, #flat, 2 do
    local field, value = flat[i], flat[i + 1]
    if is_old(value) then
      leaving[#leaving + 1] = field
      entries = entries - 1
    elseif target and hash_of(field, 1) % (2 * size) == target then
      leaving[#leaving + 1] = field
      moving[#moving + 1] = field
      moving[#moving + 1] = value
    end
  end
  if #moving > 0 then
    call('HSET', prefix .. target, unpack(moving))
    call('PEXPIRE', prefix .. target, term)
  end
  if #leaving > 0 then call('HDEL', key, unpack(leaving)) end
  call('PEXPIRE', key, term)
end

local function sweep()
  local buckets = size + next_split
  local due = floor((now - swept_at) * buckets / sweep_ms)
  for _ = 1, math.min(due, MOST_TIDIED) do
    tidy(cursor % buckets)
    cursor = cursor % buckets + 1
  end
  if due > MOST_TIDIED then
    young_at = now
    swept_at = math.max(swept_at + MOST_TIDIED * sweep_ms / buckets, now - sweep_ms)
  elseif due > 0 then
    swept_at = swept_at + due * sweep_ms / buckets
  end
  is_young = entries < LOAD * 2 ^ MIN_LEVEL or now - young_at < 2 * sweep_ms
end

local function split()
  tidy(next_split, next_split + size)
  next_split = next_split + 1
  if next_split == size then
    level, next_split, size = level + 1, 0, 2 * size
  end
end

local function insert(key, field, value)
  if call('HSETNX', key, field, value) == 0 then return false end
  if is_young then call('PEXPIRE', key, term) end
  entries = entries + 1
  if entries > LOAD * (size + next_split) and level < MAX_LEVEL then split() end
  return true
end

local function number_in(text, first, last)
  local number = 0
  for i = first, last do number = number * 256 + byte(text, i) end
  return string.format('%.0f', number)
end

-- Puts a retraction into the mail of the partition in which the addition was decided.
local function post(addition, outcome, retraction)
  local key, oldest = mail .. number_in(addition, 1, 2), string.format('%.0f', math.max(0, now - keep_ms))
  call('XADD', key, 'MINID', '~', oldest, '*', 'offset', number_in(addition, 3, 8), 'outcome', outcome,
       'retraction', retraction)
  call('PEXPIRE', key, term)
end

local begins_at = {}
for i = 2, #KEYS do begins_at[string.match(KEYS[i], '%d+$')] = tonumber(ARGV[#KEYS + i]) end

-- Whether the windows of a partition begin behind an addition to it.
local function is_before_windows(addition)
  return tonumber(number_in(addition, 3, 8)) < begins_at[number_in(addition, 1, 2)]
end

-- Marks the outcome of a removal that has nothing to take out here. Not recorded: another time windows may reach further.
local function marked(outcome, removed, addition)
  local acts = removed and (outcome == RETRACTED or outcome == RETRACTED_LATE)
  return acts and is_before_windows(addition) and outcome + ELSEWHERE or outcome
end

-- Whether an addition in time counts although a late one of another partition was decided before it.
local function counts_instead(late, added, addition, position)
  return added == LATE and not late and not counts_late and sub(addition, 1, 2) ~= sub(position, 1, 2)
end

local function decide_known(removed, late, key, field, position, retraction)
  local value = call('HGET', key, field)
  local added, addition, taken -- the last addition and where it is, the removal
  for at = 3, #value, 9 do
    local outcome, place = byte(value, at), sub(value, at + 1, at + 8)
    local is_removal = outcome >= RETRACTED
    if is_removal == removed and place == position then return marked(outcome, removed, addition) end
    if is_removal then taken = outcome else added, addition = outcome, place end
  end
  local outcome
  if removed then
    if taken then return DUPLICATE end
    outcome = added == APPLIED and RETRACTED or RETRACTED_LATE
    if sub(addition, 1, 2) ~= sub(position, 1, 2) then
      post(addition, outcome, retraction)
      outcome = outcome + ELSEWHERE
    end
  elseif not added then
    outcome = CANCELLED
  elseif not taken and counts_instead(late, added, addition, position) then
    outcome = APPLIED
  else
    return DUPLICATE
  end
  call('HSET', key, field, value .. char(outcome) .. position)
  return marked(outcome, removed, addition)
end

sweep()
local outcomes, count, removals = {}, 0, 2 * #KEYS + 2
for at = 1, #claims, 25 do
  local field, flags = sub(claims, at, at + 13), byte(claims, at + 16)
  local position, removed = sub(claims, at + 17, at + 24), flags % 2 == 1
  if removed then removals = removals + 1 end
  local key = prefix .. bucket_of(hash_of(claims, at))
  local late = flags >= 2
  local outcome = removed and PARKED or (late and LATE or APPLIED)
  if not insert(key, field, stamp .. char(outcome) .. position) then
    outcome = decide_known(removed, late, key, field, position, ARGV[removals])
  end
  count = count + 1
  outcomes[count] = char(outcome)
end
call('HSET', index, 'level', level, 'next_split', next_split, 'entries', entries, 'cursor', cursor,
     'swept_at', string.format('%.0f', swept_at), 'young_at', string.format('%.0f', young_at))
call('PEXPIRE', index, term)
return table.concat(outcomes)
