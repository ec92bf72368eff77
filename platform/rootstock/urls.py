"""Addresses of pages and API."""

from django.conf import settings
from django.urls import include, path

from rootstock import health
from rootstock.api import api, openai
from rootstock.metrics.views import metrics
from rootstock.operator.site import site as operator_site

urlpatterns = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics),
    path("api/v1/", api.urls),
    path("v1/", openai.urls),
    path("operator/", operator_site.urls),
    path("", include("rootstock.accounts.urls")),
    path("", include("rootstock.console.urls")),
    path("jobs/", include("rootstock.jobs.urls")),
    path("audit/", include("rootstock.audit.urls")),
    path("privacy/", include("rootstock.privacy.urls")),
    path("webhooks/", include("rootstock.webhooks.urls")),
    path("files/", include("rootstock.files.urls")),
    path("", include("rootstock.gateway.urls")),
    path("adaptation/", include("rootstock.adaptation.urls")),
    path("adapters/", include("rootstock.registry.intake_pages.urls")),
    path("", include("rootstock.registry.pages.urls")),
    *(path(f"{name}/", include(vertical.urls)) for name, vertical in settings.VERTICALS.items()),
]
handler400 = "rootstock.console.views.bad_request"
handler403 = "rootstock.console.views.forbidden"
handler404 = "rootstock.console.views.not_found"
handler500 = "rootstock.console.views.server_error"
