"""Addresses of pages and API."""

from django.conf import settings
from django.urls import include, path

from rootstock import health
from rootstock.api import api

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/v1/", api.urls),
    *(path(f"{name}/", include(vertical.urls)) for name, vertical in settings.VERTICALS.items()),
]
