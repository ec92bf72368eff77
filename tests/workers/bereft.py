"""A training process that loses its worker: see `test_trainer.Bereft`."""

import json
import os
import sys

from workers.trainer.base import BASE_LOST

if __name__ == "__main__":
    sys.stdout.write(
        json.dumps({"kind": "base", "shared": True, "text": "Trains on the worker's weights."}) + "\n"
    )
    sys.stdout.flush()
    os._exit(BASE_LOST)
