"""From how many points on to review and to decline, so that it costs least on a history of known outcome."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CANDIDATES = 200
APPROVE, REVIEW, DECLINE = 0, 1, 2


@dataclass(slots=True, frozen=True)
class Costs:
    """Euros: of one payment that somebody looks at, of one genuine payment that is declined. A fraud that nobody stops
    costs its amount."""

    review: float
    decline: float


@dataclass(slots=True, frozen=True)
class Suggested:
    """Thresholds in points, None where none is worth it, and what they would have cost."""

    review: float | None
    decline: float | None
    cost: float


def costs_of(fraud: NDArray[np.bool_], amount: NDArray[np.float64], costs: Costs) -> NDArray[np.float64]:
    """What each outcome would have cost for each payment, [N, 3]: to approve, to review, to decline it."""
    return np.stack(
        [
            np.where(fraud, amount, 0.0),
            np.full(len(fraud), costs.review),
            np.where(fraud, 0.0, costs.decline),
        ],
        axis=1,
    )


def suggested(points: NDArray[np.float64], model: NDArray[np.int64], cost: NDArray[np.float64]) -> Suggested:
    """The cheapest thresholds for rule points [N] beside the model's outcomes [N] (0, 1, 2) at costs [N, 3].

    Candidates are at most 200 values of points that occurred. The model's outcome stands where it is graver.
    """
    values = _candidates(points)
    row = np.arange(len(points))
    each = np.stack([cost[row, np.maximum(model, least)] for least in (APPROVE, REVIEW, DECLINE)])
    # below[k, c]: what payments with fewer points than the c-th candidate cost if they get at least outcome k.
    place = np.searchsorted(values, points, side="right")
    sums = np.stack([np.bincount(place, weights=one, minlength=len(values) + 1) for one in each])
    below = np.cumsum(sums, axis=1, dtype=np.float64)
    total = below[:, -1]
    below = np.concatenate([below[:, : len(values)], total[:, None]], axis=1)  # the last: never
    whole = (
        below[APPROVE][:, None]
        + below[REVIEW][None]
        - below[REVIEW][:, None]
        + total[DECLINE]
        - below[DECLINE][None]
    )
    whole[np.tril_indices(len(whole), -1)] = np.inf  # nothing is declined below what is reviewed
    review, decline = np.unravel_index(np.argmin(whole), whole.shape)
    found = [*values.tolist(), None]
    return Suggested(found[review], found[decline], round(float(whole[review, decline]), 2))


def _candidates(points: NDArray[np.float64]) -> NDArray[np.float64]:
    values = np.unique(points[points > 0])
    if len(values) > CANDIDATES:
        values = values[np.linspace(0, len(values) - 1, CANDIDATES).round().astype(int)]
    return values
