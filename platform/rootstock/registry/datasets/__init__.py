"""Data sets: what may be in one, how it is read, and what is known about it."""

from rootstock.registry.datasets.examples import EXAMPLES
from rootstock.registry.datasets.reading import canonical_lines, check_stream, examples_of

__all__ = ["EXAMPLES", "canonical_lines", "check_stream", "examples_of"]
