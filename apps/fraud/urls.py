"""Pages of fraud."""

from django.urls import path

from apps.fraud import views

app_name = "fraud"
urlpatterns = [
    path("", views.payments, name="payments"),
    path("<uuid:transaction_id>/", views.payment, name="payment"),
    path("<uuid:transaction_id>/explanation/", views.explanation, name="explanation"),
]
