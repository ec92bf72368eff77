"""The last fifteen minutes, for charts that live: requests and their latency, what each lane did."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rootstock.metrics.histogram import class_of, quantile
from rootstock.metrics.ring import STEP_S, Ring, read

_web = Ring("web")
_lanes = Ring("lanes")


@dataclass(slots=True, frozen=True)
class LaneSeries:
    """One lane: items a second, items in each batch, and milliseconds from admission to answer (None: nothing ran)."""

    per_second: list[float]
    batch_size: list[float | None]
    p50_ms: list[float | None]
    p99_ms: list[float | None]


@dataclass(slots=True, frozen=True)
class Recent:
    """One value for each ten seconds, oldest first; `at` is in Unix seconds."""

    step_s: int
    at: list[float]
    requests_per_second: list[float]
    errors_per_second: list[float]  # answers 500 and above
    p50_ms: list[float | None]
    p99_ms: list[float | None]
    lanes: dict[str, LaneSeries] = field(default_factory=dict)


def request_seen(milliseconds: float, status: int) -> None:
    """Count a request that was answered."""
    error = {"errors": 1} if status >= 500 else {}
    _web.add(count=1, **{f"c{class_of(milliseconds)}": 1}, **error)


def batch_seen(lane: str, milliseconds: list[float]) -> None:
    """Count a batch of a lane, and for each of its items how long ago it was admitted."""
    if not milliseconds:
        return
    classes = Counter(f"{lane}/c{class_of(each)}" for each in milliseconds)
    summed = {
        f"{lane}/count": len(milliseconds),
        f"{lane}/batches": 1,
        f"{lane}/ms": round(sum(milliseconds)),
    }
    _lanes.add(**summed, **classes)


def recent(*, now: float | None = None) -> Recent:
    """What was counted. Raises Unavailable when Valkey is away."""
    web, lanes = read("web", now=now), [counts for _, counts in read("lanes", now=now)]
    counts = [found for _, found in web]
    names = sorted({name.rsplit("/", 1)[0] for found in lanes for name in found})
    return Recent(
        step_s=STEP_S,
        at=[at for at, _ in web],
        requests_per_second=[found.get("count", 0) / STEP_S for found in counts],
        errors_per_second=[found.get("errors", 0) / STEP_S for found in counts],
        p50_ms=[quantile(_classes(found), 0.5) for found in counts],
        p99_ms=[quantile(_classes(found), 0.99) for found in counts],
        lanes={name: _lane([_of(name, found) for found in lanes]) for name in names},
    )


def _lane(steps: list[dict[str, int]]) -> LaneSeries:
    return LaneSeries(
        per_second=[found.get("count", 0) / STEP_S for found in steps],
        batch_size=[
            round(found["count"] / found["batches"], 2) if found.get("batches") else None for found in steps
        ],
        p50_ms=[quantile(_classes(found), 0.5) for found in steps],
        p99_ms=[quantile(_classes(found), 0.99) for found in steps],
    )


def _of(lane: str, found: Mapping[str, int]) -> dict[str, int]:
    return {name[len(lane) + 1 :]: n for name, n in found.items() if name.startswith(f"{lane}/")}


def _classes(found: Mapping[str, int]) -> dict[int, int]:
    return {int(name[1:]): amount for name, amount in found.items() if name[0] == "c" and name[1:].isdigit()}
