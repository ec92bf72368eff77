"""The Celery application. Worker processes load it through `workers.app`, which adds the runtime."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")

app = Celery("rootstock")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
