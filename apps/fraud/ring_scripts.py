"""How rings lie in Valkey, packed in one string per entity, and the scripts that keep them.

`fraud:4:<organisation>`           hash: epoch, applied (every payment and label up to this sequence is in the rings),
                                   labelled (the last label among them)
`fraud:4:<organisation>:<entity>`  the ring (the entity's key as 8 bytes): epoch (8 bytes), since (int64), then EVENT
                                   records in the order of their sequence: all of the entity's events after `since`,
                                   up to what is applied

A string and no sorted set: a set takes half as much again for each event, and the newest 64 of a string are one
copy. A ring of another epoch counts as missing, and so nobody has to delete it. The scripts take the rings packed:
hundreds of arguments would cost the worker more than its part of the reading.
"""

import numpy as np

from models_zoo.fraud.events import EVENT, WINDOW

FORMAT = 4
"""Part of every key. Raise it when an event is packed otherwise, its amount's scale and the entities' keys included."""
CAPACITY, SLACK = 96, 32
"""Events that a ring keeps when it is cut, and how many more it may have until then. More than the model reads, so
that a payment scored a little late finds its past."""
KEEP_S = 30 * 86_400
PATCH = np.dtype([("payment", "<i8"), ("fraud", "u1"), ("labelled", "<i8")])
"""A label for a ring: the event's sequence, then its two last fields as they are stored."""

_FRAUD_AT = EVENT.fields["fraud"][1]  # type: ignore[index]
_COMMON = f"""
local SIZE, WINDOW, CAPACITY, SLACK, KEEP = {EVENT.itemsize}, {WINDOW}, {CAPACITY}, {SLACK}, {KEEP_S}
local FRAUD = {_FRAUD_AT}

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
  if ring and string.sub(ring, 1, 8) == epoch then
    return struct.unpack('<i8', ring, 9), string.sub(ring, 17)
  end
end

local function keep(key, epoch, since, events)
  local over = #events / SIZE - CAPACITY
  if over > SLACK then
    since, events = sequence(events, over), string.sub(events, over * SIZE + 1)
  end
  redis.call('SET', key, epoch .. struct.pack('<i8', since) .. events, 'EX', KEEP)
end

-- Since when, and the events from WINDOW before the sequence `asked` on.
local function told(since, events, asked)
  local from = upto(events, asked - 1) - WINDOW
  if from > 0 then events = string.sub(events, from * SIZE + 1) end
  return struct.pack('<i8', since) .. events
end

local function answer(found)
  local lengths = {{}}
  for place, one in ipairs(found) do lengths[place] = struct.pack('<i4', #one) end
  return {{table.concat(lengths), table.concat(found)}}
end
"""
# ARGV[1] is LOOK records; of a ring of which 0 is asked only: is it there?
LOOK_SCRIPT = (
    _COMMON
    + """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied')
if not head[1] then return {'', '0', '', ''} end
local rings, found = ARGV[1], {}
for at = 1, #rings, 16 do
  local key, asked = ring(rings, at), struct.unpack('<i8', rings, at + 8)
  if asked > 0 then
    local since, events = stored(key, head[1])
    found[#found + 1] = since and told(since, events, asked) or ''
  else
    local start = redis.call('GETRANGE', key, 0, 15)
    found[#found + 1] = string.sub(start, 1, 8) == head[1] and string.sub(start, 9) or ''
  end
end
local packed = answer(found)
return {head[1], head[2], packed[1], packed[2]}
"""
)
LOOK = np.dtype([("entity", "<i8"), ("asked", "<i8")])
# Append, label, advance and read. What was looked at was applied up to ARGV[2]; ARGV[3] is the last that comes now.
# ARGV[5] is APPEND records, ARGV[6] and [7] the events and patches of all of them.
# A ring that is missing begins with what comes now, unless others have gone past it: then it would have a gap.
APPEND_SCRIPT = (
    _COMMON
    + """
local epoch, seen, last, label = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied', 'labelled')
if head[1] ~= epoch then return false end
local rings, found, event, patch = ARGV[5], {}, 1, 1
for at = 1, #rings, 24 do
  local asked, events_size, patches_size = struct.unpack('<i8i4i4', rings, at + 8)
  local fresh = string.sub(ARGV[6], event, event + events_size - 1)
  local patches = string.sub(ARGV[7], patch, patch + patches_size - 1)
  event, patch = event + events_size, patch + patches_size
  local key = ring(rings, at)
  local since, events = stored(key, epoch)
  if not since and fresh ~= '' and tonumber(head[2]) <= last then since, events = seen, '' end
  if since then
    local now = patched(merged(events, fresh, since), patches)
    if now ~= events then keep(key, epoch, since, now) end
    if asked > 0 then found[#found + 1] = told(since, now, asked) end
  elseif asked > 0 then
    found[#found + 1] = ''
  end
end
if tonumber(head[2]) < last then redis.call('HSET', KEYS[1], 'applied', last) end
if tonumber(head[3]) < label then redis.call('HSET', KEYS[1], 'labelled', label) end
return answer(found)
"""
)
APPEND = np.dtype([("entity", "<i8"), ("asked", "<i8"), ("events", "<i4"), ("patches", "<i4")])
# Rings as PostgreSQL has them up to ARGV[2]: PUT records and the events of all. What was appended since is joined to
# them; a ring that is still missing while others went on would have a gap, and so would a label that came since:
# those are left for another time.
PUT_SCRIPT = (
    _COMMON
    + """
local epoch, seen, rings, all = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local head = redis.call('HMGET', KEYS[1], 'epoch', 'applied', 'labelled')
if head[1] ~= epoch or tonumber(head[3]) > seen then return 0 end
local kept, event = 0, 1
for at = 1, #rings, 20 do
  local since, size = struct.unpack('<i8i4', rings, at + 8)
  local key, events = ring(rings, at), string.sub(all, event, event + size - 1)
  event = event + size
  local had, newer = stored(key, epoch)
  local joins = had and had <= seen and had > since
  if joins or (not had and tonumber(head[2]) == seen) then
    keep(key, epoch, since, joins and merged(events, newer, since) or events)
    kept = kept + 1
  end
end
return kept
"""
)
PUT = np.dtype([("entity", "<i8"), ("since", "<i8"), ("events", "<i4")])
# Another worker may have begun it meanwhile: the first one wins.
BEGIN_SCRIPT = """
if (redis.call('HGET', KEYS[1], 'epoch') or '') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'applied', ARGV[3], 'labelled', 0)
end
"""
