"""How fast a job goes, lately."""

from collections import deque

WINDOW_S = 30.0
MINIMUM_S = 2.0


class Pace:
    """The rate over the recent window: unknown at the start, sinking in a pause, unknown again after a long one."""

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._points: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """`done` was reached at `now` (seconds, monotonic). Going back, as a new attempt does, starts afresh."""
        if self._points and done < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, done))
        while len(self._points) > 2 and self._points[1][0] < now - self._window_s:
            self._points.popleft()

    def rate(self, now: float) -> float | None:
        """Per second, or None while that would be a guess."""
        if len(self._points) < 2:
            return None
        (begun, first), (latest, last) = self._points[0], self._points[-1]
        if now - begun < MINIMUM_S or last == first or now - latest > self._window_s:
            return None
        return (last - first) / (now - begun)
