"""`celery -A workers.app worker ...`: Rootstock's Celery application with the runtime in it."""

import django

from rootstock.celery import app

django.setup()

from workers.bootstep import RuntimeStep  # noqa: E402  (settings first)

app.steps["worker"].add(RuntimeStep)
