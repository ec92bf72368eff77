"""Account histories in Valkey: per account a sorted set of packed events by ingest sequence.

`fraud:3:<organisation>`                    hash: epoch, applied (every payment up to this sequence is in the rings)
`fraud:3:<organisation>:<epoch>:<account>`  the ring: the account's newest events, and at score 0 a single byte
                                            that says "nothing is older than these"; trimming drops it first

Nothing here is lost for good: a ring that is gone or too short is read from PostgreSQL and put back. If the
hash is gone, or the rings are far behind, a new epoch begins with no rings at all.
"""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID, uuid4

import numpy as np
import redis

from apps.fraud import records
from models_zoo.fraud.events import EVENT, WINDOW, Floats, Integers, Records, events_of, window_of

CAPACITY = 96
"""Events kept per account: more than the model reads, so that a payment scored a little late finds its past."""
CATCH_UP = 2000
"""Payments that one request reads from PostgreSQL to catch up; beyond it a new epoch is cheaper."""
KEEP_S = 30 * 86_400
FORMAT = 3
"""Part of every key. Raise it when an event is packed otherwise, its amount's scale and the accounts' keys included."""
_BEGINNING = b"\x00"
Pair = tuple[int, int]
"""An account and the sequence before which its events are wanted."""
Members = dict[str | bytes, bytes | float | int | str]
"""Ring members with their score, the ingest sequence; typed as the client library wants it."""

# Only the epoch that was read may be moved on, and only forward.
_ADVANCE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'applied')) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'applied', ARGV[2])
end
return 1
"""
# Another worker may have begun it meanwhile: the first one wins.
_BEGIN = """
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] or redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'applied', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'epoch', 'applied')
"""
# One string for each ring, newest event first: thousands of small replies would cost more to parse than to find.
_READ = """
local found = {}
for i = 1, #KEYS do
  found[i] = table.concat(redis.call('ZREVRANGEBYSCORE', KEYS[i], '(' .. ARGV[i + 1], '-inf', 'LIMIT', 0, ARGV[1]))
end
return found
"""


class ValkeyHistory:
    """`models_zoo.fraud.history.History` of one organisation, for serving."""

    def __init__(self, connection: "redis.Redis[bytes]", organisation: UUID) -> None:
        self._redis, self._organisation = connection, organisation
        self._head = f"fraud:{FORMAT}:{organisation}"
        self._epoch, self._applied = "", 0

    def append(self, batch: Records, surprise: Floats) -> None:
        """Bring the rings up to the last of PAYMENT [N] (surprise [N]), missing payments before it included."""
        last = int(batch["sequence"].max())
        self._epoch, self._applied = self._state(last)
        if self._applied >= last:
            return
        fresh = batch["sequence"] > self._applied
        due, given = batch[fresh], surprise[fresh]
        if len(np.unique(due["sequence"])) < last - self._applied:
            due = records.payments_between(self._organisation, self._applied, last)
            given = np.ones(len(due), np.float32)
        self._add(due, given)
        self._applied = last
        self._redis.eval(_ADVANCE, 1, self._head, self._epoch, last)  # type: ignore[no-untyped-call]

    def forget(self, accounts: Iterable[int]) -> None:
        """Delete the rings of these accounts: what is wanted of them is read from PostgreSQL when it is wanted."""
        wanted = sorted(set(accounts))
        self._epoch = (self._redis.hget(self._head, "epoch") or b"").decode()
        for start in range(0, len(wanted) if self._epoch else 0, 1000):
            self._redis.unlink(*(self._ring(account) for account in wanted[start : start + 1000]))

    def _state(self, last: int) -> tuple[str, int]:
        epoch, applied = self._redis.hmget(self._head, ["epoch", "applied"])
        if epoch is None or last - int(applied or 0) > CATCH_UP:
            # What is stored up to here is in PostgreSQL and comes into the rings as accounts are asked for.
            begun = (epoch or b"").decode(), uuid4().hex[:12], last
            epoch, applied = self._redis.eval(_BEGIN, 1, self._head, *begun)  # type: ignore[no-untyped-call]
        return epoch.decode(), int(applied or 0)

    def _ring(self, account: int) -> str:
        return f"{self._head}:{self._epoch}:{account & (2**64 - 1):016x}"

    def _add(self, batch: Records, surprise: Floats) -> None:
        accounts, events = events_of(batch, surprise)
        rings: dict[int, Members] = {}
        for account, event in zip(accounts.tolist(), events, strict=True):
            rings.setdefault(account, {})[event.tobytes()] = int(event["sequence"])
        self._write(rings)

    def _write(self, rings: dict[int, Members]) -> None:
        with self._redis.pipeline(transaction=False) as pipeline:
            for account, members in rings.items():
                ring = self._ring(account)
                pipeline.zadd(ring, members)
                pipeline.zremrangebyrank(ring, 0, -CAPACITY - 2)
                pipeline.expire(ring, KEEP_S)
            pipeline.execute()

    def before(self, accounts: Integers, sequences: Integers) -> Records:
        """EVENT [B, WINDOW] strictly before each sequence; call `append` with the payments first."""
        pairs = np.stack([accounts, sequences], axis=1)
        unique, place = np.unique(pairs, axis=0, return_inverse=True)
        wanted = [(int(account), int(sequence)) for account, sequence in unique]
        windows = self._read(wanted)
        short = [index for index, window in enumerate(windows) if window is None]
        for index, window in zip(short, self._rebuild([wanted[index] for index in short]), strict=True):
            windows[index] = window
        filled = np.stack([window for window in windows if window is not None])
        return np.asarray(filled[place.reshape(-1)])

    def _read(self, wanted: Sequence[Pair]) -> list[Records | None]:
        """The windows that the rings can give; None where a ring is missing or does not reach far enough."""
        rings = [self._ring(account) for account, _ in wanted]
        found: list[bytes] = self._redis.eval(  # type: ignore[no-untyped-call]
            _READ, len(rings), *rings, WINDOW, *(sequence for _, sequence in wanted)
        )
        return [_window(packed) for packed in found]

    def _rebuild(self, wanted: Sequence[Pair]) -> list[Records]:
        """Windows from PostgreSQL; rings that are missing come back whole.

        A ring may hold nothing older than a gap, so it is filled up to what is applied: later payments are added
        to it as they are applied, by whoever applies them.
        """
        if not wanted:
            return []
        accounts = sorted({account for account, _ in wanted})
        newest = self._load(dict.fromkeys(accounts, self._applied + 1), CAPACITY)
        self._write({account: _members(events) for account, events in newest.items()})
        behind = {pair for pair in wanted if not _reaches(newest[pair[0]], pair[1], CAPACITY)}
        return [window_of(window) for window in self._windows(wanted, newest, behind)]

    def _windows(
        self, wanted: Sequence[Pair], newest: dict[int, Records], behind: set[Pair]
    ) -> Iterator[Records]:
        """Each pair's events, for pairs far behind the head read anew: once per account, then pair by pair."""
        latest = dict(sorted(behind))  # the highest sequence of each account
        most = WINDOW + len(behind)
        older = self._load(latest, most)
        for account, sequence in wanted:
            if (account, sequence) not in behind:
                yield _until(newest[account], sequence)
            elif _reaches(older[account], sequence, most):
                yield _until(older[account], sequence)
            else:
                yield self._load({account: sequence}, WINDOW)[account]

    def _load(self, before: dict[int, int], most: int) -> dict[int, Records]:
        found = (
            records.events_before(self._organisation, before.keys(), before.values(), most) if before else []
        )
        return dict(zip(before, found, strict=True))


def _window(packed: bytes) -> Records | None:
    """EVENT [WINDOW] of a ring's packed events, newest first; None if older events may exist."""
    count, beginning = divmod(len(packed), EVENT.itemsize)
    if count < WINDOW and not beginning:
        return None
    return window_of(np.frombuffer(packed, EVENT, count)[::-1])


def _members(events: Records) -> Members:
    members: Members = {event.tobytes(): int(event["sequence"]) for event in events}
    return members | ({_BEGINNING: 0} if len(events) < CAPACITY else {})


def _until(events: Records, sequence: int) -> Records:
    return np.asarray(events[events["sequence"] < sequence])


def _reaches(events: Records, sequence: int, most: int) -> bool:
    """True if an account's last `most` events hold the whole window before a sequence."""
    return len(events) < most or len(_until(events, sequence)) >= WINDOW
