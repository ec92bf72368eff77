"""The WSGI entry point of the web process."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
application = get_wsgi_application()

from django.urls import get_resolver  # noqa: E402  (settings first)

get_resolver().url_patterns  # noqa: B018  (read now, not in the first request)
gc.collect()
gc.freeze()  # what is loaded stays: the collector need not walk through it while requests wait
