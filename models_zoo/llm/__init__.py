"""The shared language model: format, decoder, adapters, heads, training. Import the module you need."""

import os

# OpenMP's threads spin at barriers by default. Where other processes want the same cores (two cores and a
# whole platform on them) that made a decode step ten times slower. Read when torch is loaded, so it is set
# before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
