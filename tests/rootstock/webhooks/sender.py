"""A worker's delivery in a process of its own, so that a test can kill it: `python -m … <organisation>`."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
django.setup()

from uuid import UUID  # noqa: E402

from django.conf import settings  # noqa: E402

from rootstock.webhooks import delivering  # noqa: E402

settings.WEBHOOK_ALLOW = ("127.0.0.1",)
print("sending", flush=True)
delivering.deliver(organisation=UUID(sys.argv[1]))
