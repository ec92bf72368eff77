"""Data sets: what may be in one, how it is read, what is known about it, and what training on it will take."""

from rootstock.registry.datasets.estimating import Estimate, estimate
from rootstock.registry.datasets.examples import EXAMPLES
from rootstock.registry.datasets.reading import canonical_lines, check_stream, examples_of

__all__ = ["EXAMPLES", "Estimate", "canonical_lines", "check_stream", "estimate", "examples_of"]
