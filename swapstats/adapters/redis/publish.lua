-- Writes steps of a log's partitions into the live store, all or none of them.
--
-- KEYS[1]  which log is live; KEYS[2] the log's index: a hash partition -> meta; then for each step the partition's
--          checkpoint and the hash of its parts
-- ARGV[1]  the log; ARGV[2] what the names of all live keys begin with; ARGV[3] how long to keep those of another log, ms
-- ARGV[4…] for each step: partition, epoch held, live epoch, prev_seq, meta, 1 if whole, number of fields and values,
--          number of fields gone, then these
-- Reply    the partitions of which somebody asks for a snapshot (see checkpoint_admin.py), or an error "FENCED n" where the n-th step's partition belongs to somebody else, or does not stand at prev_seq

local PIECE = 4000 -- what unpack can put on the stack, with a margin

local index, prefix = KEYS[2], ARGV[2]

local function read_steps()
  local steps, at = {}, 4
  while at <= #ARGV do
    local n = #steps + 1
    local first, gone = at + 8, at + 8 + ARGV[at + 6]
    steps[n] = {checkpoint = KEYS[2 * n + 1], parts = KEYS[2 * n + 2], partition = ARGV[at], epoch = ARGV[at + 1],
                live_epoch = ARGV[at + 2], prev_seq = tonumber(ARGV[at + 3]), meta = ARGV[at + 4],
                whole = ARGV[at + 5] == '1', first = first, gone = gone, stop = gone + ARGV[at + 7]}
    at = steps[n].stop
  end
  return steps
end

local function is_fenced(step)
  local epoch, asked = unpack(redis.call('HMGET', step.checkpoint, 'epoch', 'save_asked_ms'))
  if epoch ~= step.epoch then return true end
  step.is_asked_for = asked
  local stored = redis.call('HGET', index, step.partition)
  local meta = stored and cjson.decode(stored)
  if not meta or meta[2] ~= step.live_epoch then
    step.whole = true
    return false
  end
  return meta[3] ~= step.prev_seq
end

local function keep(source, command, ...)
  local its_index = prefix .. source
  for _, partition in ipairs(redis.call('HKEYS', its_index)) do
    redis.call(command, its_index .. ':' .. partition, ...)
  end
  redis.call(command, its_index, ...)
end

local function go_live(source)
  local before = redis.call('GET', KEYS[1])
  if before == source then return end
  if before then keep(before, 'PEXPIRE', ARGV[3]) end
  keep(source, 'PERSIST')
  redis.call('SET', KEYS[1], source)
end

local function in_pieces(command, key, first, stop)
  for at = first, stop - 1, PIECE do
    redis.call(command, key, unpack(ARGV, at, math.min(at + PIECE, stop) - 1))
  end
end

local steps = read_steps()
for n, step in ipairs(steps) do
  if is_fenced(step) then return redis.error_reply('FENCED ' .. n) end
end
go_live(ARGV[1])
local asked_for = {}
for _, step in ipairs(steps) do
  if step.is_asked_for then asked_for[#asked_for + 1] = step.partition end
  if step.whole then redis.call('DEL', step.parts) end
  in_pieces('HSET', step.parts, step.first, step.gone)
  in_pieces('HDEL', step.parts, step.gone, step.stop)
  redis.call('HSET', index, step.partition, step.meta)
end
return asked_for
