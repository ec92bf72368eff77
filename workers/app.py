"""`celery -A workers.app worker ...`: Rootstock's Celery application with the runtime in it."""

import django

from rootstock.celery import app

django.setup()

from workers.bootstep import AliveStep, RuntimeStep  # noqa: E402  (settings first)

app.steps["worker"].add(RuntimeStep)
app.steps["consumer"].add(AliveStep)
