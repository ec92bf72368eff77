"""`python -m rootstock.embedded manage.py shell`: run one Python command beside the embedded services."""

import os
import subprocess
import sys
from pathlib import Path

from rootstock import embedded


def main(command: list[str]) -> int:
    """The command's exit status, or 2 with a plain line when the services cannot run."""
    var = Path(os.environ.get("ROOTSTOCK_VAR") or "var").resolve()
    try:
        embedded.ensure(var)
    except embedded.EmbeddedError as error:
        sys.stderr.write(f"rootstock: {error}\n")
        return 2
    try:
        environment = {**os.environ, "ROOTSTOCK_VAR": str(var)}
        return subprocess.run([sys.executable, *command], env=environment, check=False).returncode
    finally:
        embedded.stop(var)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
