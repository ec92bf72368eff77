"""A child that says one thing and then works on."""

import json
import sys
import time

if __name__ == "__main__":
    sys.stdout.write(json.dumps({"kind": "base", "shared": False, "text": "Trains."}) + "\n")
    sys.stdout.flush()
    time.sleep(600)
