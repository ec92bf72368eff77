from django.urls import path

from rootstock.gateway import usage_views

urlpatterns = [
    path("usage/", usage_views.usage_page, name="usage"),
    path("usage/budget", usage_views.budget_page, name="budget"),
]
