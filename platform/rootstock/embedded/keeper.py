"""The keeper, `python keeper.py <var>`: outlives the `ensure()` that started it, ends with the last user."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # platform/, in place of this folder
    from rootstock.embedded.lifetime import keep

    keep(Path(sys.argv[1]))
