"""How rings lie in Valkey, packed in one string per entity, and the scripts that keep them.

`fraud:6:<organisation>`           hash: epoch, applied (every payment and label up to this sequence is in the rings),
                                   labelled (the last label among them)
`fraud:6:<organisation>:<entity>`  the ring (the entity's key as 8 bytes): epoch (8 bytes), since (int64), two COUNTER
                                   records if since is not 0 (all of the entity's events up to `since`, incoming and
                                   outgoing; the first's count is UNKNOWN in a ring that began in the middle), then
                                   EVENT records in the order of their sequence: all of its events after `since`, up to
                                   what is applied

A string and no sorted set: a set takes half as much again for each event, and the newest 64 of a string are one
copy. A ring of another epoch counts as missing, and so nobody has to delete it. The scripts take the rings packed:
hundreds of arguments would cost the worker more than its part of the reading.
"""

import numpy as np

from models_zoo.fraud.counters import COUNTER, SPANS
from models_zoo.fraud.events import EVENT, WINDOW

FORMAT = 6
"""Part of every key. Raise it when an event is packed otherwise, its amount's scale and the entities' keys included."""
CAPACITY, SLACK = 96, 32
"""Events that a ring keeps when it is cut, and how many more it may have until then. More than the model reads, so
that a payment scored a little late finds its past."""
KEEP_S = 30 * 86_400
UNKNOWN = -1
PATCH = np.dtype([("payment", "<i8"), ("fraud", "u1"), ("labelled", "<i8")])
"""A label for a ring: the event's sequence, then its two last fields as they are stored."""

_AT = {name: field[1] for name, field in (EVENT.fields or {}).items()}
_COMMON = f"""
local SIZE, WINDOW, CAPACITY, SLACK, KEEP = {EVENT.itemsize}, {WINDOW}, {CAPACITY}, {SLACK}, {KEEP_S}
local FRAUD, TIME, AMOUNT, OUTGOING = {_AT["fraud"]}, {_AT["time"]}, {_AT["amount"]}, {_AT["outgoing"]}
local COUNTER, COUNTER_SIZE = '<i8{"d" * (2 + 2 * len(SPANS))}', {COUNTER.itemsize}
local SPANS = {{{", ".join(map(str, SPANS))}}}
local UNKNOWN = struct.pack('<i8', {UNKNOWN}) .. string.rep('\\0', 2 * COUNTER_SIZE - 8)

local function ring(rings, at) return KEYS[1] .. ':' .. string.sub(rings, at, at + 7) end

local function sequence(events, place) return struct.unpack('<i8', events, (place - 1) * SIZE + 1) end

-- How many of the events have a sequence of at most `last`; looked for from the newest.
local function upto(events, last)
  local place = #events / SIZE
  while place > 0 and sequence(events, place) > last do place = place - 1 end
  return place
end

local function merged(events, fresh, since)
  if fresh == '' then return events end
  local count = #events / SIZE
  local last = count > 0 and sequence(events, count) or since
  if sequence(fresh, 1) > last then return events .. fresh end
  for place = 1, #fresh / SIZE do
    local number = sequence(fresh, place)
    local before = upto(events, number)
    if number > since and (before == 0 or sequence(events, before) < number) then
      local one = string.sub(fresh, (place - 1) * SIZE + 1, place * SIZE)
      events = string.sub(events, 1, before * SIZE) .. one .. string.sub(events, before * SIZE + 1)
    end
  end
  return events
end

local function patched(events, patches)
  for at = 1, #patches, 17 do
    local payment, label = struct.unpack('<i8', patches, at), struct.unpack('<i8', patches, at + 9)
    local place = upto(events, payment)
    if place > 0 and sequence(events, place) == payment then
      local from = (place - 1) * SIZE + FRAUD
      if struct.unpack('<i8', events, from + 2) < label then
        events = string.sub(events, 1, from) .. string.sub(patches, at + 8, at + 16)
          .. string.sub(events, place * SIZE + 1)
      end
    end
  end
  return events
end

local function stored(key, epoch)
  local ring = redis.call('GET', key)
  return ring and string.sub(ring, 1, 8) == epoch and ring
end

local function packed(epoch, since, counters, events)
  return epoch .. struct.pack('<i8', since) .. counters .. events
end

-- Since when, and where the events after it begin.
local function start(ring)
  local since = struct.unpack('<i8', ring, 9)
  return since, 17 + (since > 0 and 2 * COUNTER_SIZE or 0)
end

-- Since when, the counters up to then, and the events after it.
local function parts(ring)
  local since, first = start(ring)
  return since, string.sub(ring, 17, first - 1), string.sub(ring, first)
end

-- The ring with events at its end, if that is all there is to do.
local function grown(ring, fresh)
  local since, first = start(ring)
  local size = #ring - first + 1
  local last = size > 0 and struct.unpack('<i8', ring, #ring - SIZE + 1) or since
  if size + #fresh <= (CAPACITY + SLACK) * SIZE and sequence(fresh, 1) > last then return ring .. fresh end
end

local function unknown(counters) return counters ~= '' and struct.unpack('<i8', counters) < 0 end

-- A counter, with the first `count` events of one direction; as models_zoo.fraud.counters.counted does it.
local function counted(counter, events, count, direction)
  local times, amounts = {{}}, {{}}
  for at = 0, (count - 1) * SIZE, SIZE do
    if string.byte(events, at + OUTGOING + 1) == direction then
      times[#times + 1] = struct.unpack('<d', events, at + TIME + 1)
      amounts[#times] = struct.unpack('<f', events, at + AMOUNT + 1)
      counter[2], counter[3] = math.min(counter[2], times[#times]), math.max(counter[3], times[#times])
    end
  end
  if #times == 0 then return end
  counter[1] = counter[1] + #times
  for place, span in ipairs(SPANS) do
    local start, number, sum = counter[3] / span, 3 + place, 3 + #SPANS + place
    local counts, sums = math.exp(counter[number] - start), math.exp(counter[sum] - start)
    for each = 1, #times do
      local weight = math.exp(times[each] / span - start)
      counts, sums = counts + weight, sums + weight * amounts[each]
    end
    counter[number], counter[sum] = math.log(counts) + start, math.log(sums) + start
  end
end

-- The counters, with the first `count` events.
local function joined(counters, events, count)
  if unknown(counters) then return counters end
  local halves = {{}}
  for direction = 0, 1 do
    local none = -math.huge
    local half = {{0, math.huge, none, none, none, none, none, none, none, none, none}}
    if counters ~= '' then half = {{struct.unpack(COUNTER, counters, direction * COUNTER_SIZE + 1)}} end
    counted(half, events, count, direction)
    halves[direction + 1] = struct.pack(COUNTER, unpack(half, 1, 11))
  end
  return table.concat(halves)
end

local function keep(key, epoch, since, counters, events)
  local over = #events / SIZE - CAPACITY
  if over > SLACK then
    counters = joined(counters, events, over)
    since, events = sequence(events, over), string.sub(events, over * SIZE + 1)
  end
  redis.call('SET', key, packed(epoch, since, counters, events), 'EX', KEEP)
end

local function answer(found)
  local lengths = {{}}
  for place, one in ipairs(found) do lengths[place] = struct.pack('<i4', #one) end
  return {{table.concat(lengths), table.concat(found)}}
end
"""
# ARGV[1] is LOOK records. A ring is told from WINDOW events before the sequence `asked` on, all of it for 1; what came
# before those is then not known. Of a ring of which 0 is asked only: is it there?
LOOK_SCRIPT = (
    _COMMON
    + """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied')
if not head[1] then return {'', '0', '', ''} end
local rings, found = ARGV[1], {}
for at = 1, #rings, 16 do
  local key, asked = ring(rings, at), struct.unpack('<i8', rings, at + 8)
  local one = asked > 0 and stored(key, head[1])
  if asked == 0 then
    one = redis.call('GETRANGE', key, 0, 15)
    one = string.sub(one, 1, 8) == head[1] and one
  elseif one and asked > 1 then
    local _, _, events = parts(one)
    local from = upto(events, asked - 1) - WINDOW
    if from > 0 then
      one = packed(head[1], sequence(events, from), UNKNOWN, string.sub(events, from * SIZE + 1))
    end
  end
  found[#found + 1] = one or ''
end
local packed = answer(found)
return {head[1], head[2], packed[1], packed[2]}
"""
)
LOOK = np.dtype([("entity", "<i8"), ("asked", "<i8")])
# Append, label, advance and read. What was looked at was applied up to ARGV[2]; ARGV[3] is the last that comes now.
# ARGV[5] is APPEND records, ARGV[6] and [7] the events and patches of all of them.
# A ring that is missing begins with what comes now, unless others have gone past it: then it would have a gap. What
# was before it is not known, so it is not read until PUT has joined it with what PostgreSQL has.
APPEND_SCRIPT = (
    _COMMON
    + """
local epoch, seen, last, label = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied', 'labelled')
if head[1] ~= epoch then return false end
local rings, found, event, patch = ARGV[5], {}, 1, 1
for at = 1, #rings, 17 do
  local asked, events_size, patches_size = struct.unpack('<Bi4i4', rings, at + 8)
  local fresh = string.sub(ARGV[6], event, event + events_size - 1)
  local patches = string.sub(ARGV[7], patch, patch + patches_size - 1)
  event, patch = event + events_size, patch + patches_size
  local key = ring(rings, at)
  local one = stored(key, epoch)
  if not one and fresh ~= '' and tonumber(head[2]) <= last then
    one = packed(epoch, seen, seen > 0 and UNKNOWN or '', '')
  end
  local longer = one and patches == '' and fresh ~= '' and grown(one, fresh)
  if longer then
    one = longer
    redis.call('SET', key, one, 'EX', KEEP)
  elseif one and (patches ~= '' or fresh ~= '') then
    local since, counters, events = parts(one)
    local now = patched(merged(events, fresh, since), patches)
    one = packed(epoch, since, counters, now)
    if now ~= events then keep(key, epoch, since, counters, now) end
  end
  if asked == 1 then found[#found + 1] = one or '' end
end
if tonumber(head[2]) < last then redis.call('HSET', KEYS[1], 'applied', last) end
if tonumber(head[3]) < label then redis.call('HSET', KEYS[1], 'labelled', label) end
return answer(found)
"""
)
APPEND = np.dtype([("entity", "<i8"), ("asked", "u1"), ("events", "<i4"), ("patches", "<i4")])
# Rings as PostgreSQL has them up to ARGV[2]: PUT records, and counters and events of all. What was appended since is
# joined to them, unless what is there reaches further back. A ring that is still missing while others went on would
# have a gap, and so would a label that came since: those are left for another time.
PUT_SCRIPT = (
    _COMMON
    + """
local epoch, seen, rings, all = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied', 'labelled')
if head[1] ~= epoch or tonumber(head[3]) > seen then return 0 end
local kept, event = 0, 1
for at = 1, #rings, 20 do
  local since, size = struct.unpack('<i8i4', rings, at + 8)
  local key, start = ring(rings, at), event + (since > 0 and 2 * COUNTER_SIZE or 0)
  local counters, events = string.sub(all, event, start - 1), string.sub(all, start, event + size - 1)
  event = event + size
  local there, had, before, newer = stored(key, epoch)
  if there then had, before, newer = parts(there) end
  local joins = had and had <= seen and (had > since or unknown(before))
  if joins or (not had and tonumber(head[2]) == seen) then
    keep(key, epoch, since, counters, joins and merged(events, newer, since) or events)
    kept = kept + 1
  end
end
return kept
"""
)
PUT = np.dtype([("entity", "<i8"), ("since", "<i8"), ("size", "<i4")])
# Another worker may have begun it meanwhile: the first one wins.
BEGIN_SCRIPT = """
if (redis.call('HGET', KEYS[1], 'epoch') or '') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'applied', ARGV[3], 'labelled', 0)
end
"""
