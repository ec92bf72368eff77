"""A layer that is computed again for the gradient (Chen et al., 2016), and what of it is not computed twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from torch import Tensor

from models_zoo.llm.linear import Matrix

LAST = "down"  # its product is only added to the layer's result, which no gradient needs
KEPT = "gate_up"  # the product that saves most time for its bytes


class Again:
    """Both passes over one layer. keep: the first keeps `KEPT` for the second."""

    def __init__(self, keep: bool) -> None:
        self._keep, self._second = keep, False
        self._kept: deque[Tensor] = deque()  # in the order of the pieces in which it was computed

    def contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Around the first pass and around the second."""
        return self._pass(second=False), self._pass(second=True)

    @contextmanager
    def _pass(self, second: bool) -> Iterator[None]:
        self._second = second
        token = _now.set(self)
        try:
            yield
        finally:
            _now.reset(token)

    def product(self, name: str, x: Tensor, matrix: Matrix, compute: Callable[[], Tensor]) -> Tensor:
        """What `compute` gives for a fused linear, [M, rows], computed no oftener than must be."""
        if self._second and name == KEPT and self._kept:
            return self._kept.popleft()
        if self._second and name == LAST:
            return x.new_empty(len(x), matrix.rows)  # nobody reads it
        product = compute()
        if self._keep and name == KEPT and not self._second:
            self._kept.append(product.detach())
        return product


_now: ContextVar[Again | None] = ContextVar("_now", default=None)


def product_once(name: str, x: Tensor, matrix: Matrix, compute: Callable[[], Tensor]) -> Tensor:
    """`compute()` for a fused linear of the layer under way: x [M, columns] -> [M, rows]. What a layer that is
    computed again keeps or never reads is not computed twice."""
    again = _now.get()
    return compute() if again is None else again.product(name, x, matrix, compute)
