"""The guard, `python guard_process.py <var>`: outlives a killed supervisor just long enough to clean up."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # platform/, in place of this folder
    from rootstock.supervisor.guard import watch

    watch(Path(sys.argv[1]))
