"""Pages of fraud."""

from django.urls import path

from apps.fraud import views
from apps.fraud.bundles import views as models
from apps.fraud.cycles import views as cycles

app_name = "fraud"
urlpatterns = [
    path("", views.payments, name="payments"),
    path("cycles/", cycles.found, name="cycles"),
    path("cycles/search", cycles.search, name="cycle-search"),
    path("cycles/rings/<uuid:ring_id>/", cycles.ring, name="ring"),
    path("cycles/<uuid:cycle_id>/", cycles.cycle, name="cycle"),
    path("models/", models.models, name="models"),
    path("models/train", models.train, name="model-train"),
    path("models/roll-back", models.roll_back, name="model-roll-back"),
    path("models/<int:number>/propose", models.propose, name="model-propose"),
    path("models/requests/<uuid:request_id>/approve", models.approve, name="model-approve"),
    path("models/requests/<uuid:request_id>/refuse", models.refuse, name="model-refuse"),
    path("<uuid:transaction_id>/", views.payment, name="payment"),
    path("<uuid:transaction_id>/explanation/", views.explanation, name="explanation"),
]
