from django.urls import path

from rootstock.console import views

urlpatterns = [
    path("", views.home, name="home"),
    path("home/live/", views.home_live, name="home-live"),
    path("health/", views.health_dot, name="health-dot"),
    path("adapters/", views.adapters, name="adapters"),
    path("style/", views.style, name="style"),
]
