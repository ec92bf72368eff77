from django.urls import path

from rootstock.console import saved_views, views

urlpatterns = [
    path("", views.home, name="home"),
    path("home/live/", views.home_live, name="home-live"),
    path("palette/", views.palette, name="palette"),
    path("health/", views.health_dot, name="health-dot"),
    path("style/", views.style, name="style"),
    path("tables/<str:table>/columns", saved_views.columns_choose, name="table-columns"),
    path("tables/<str:table>/filter", saved_views.filter_apply, name="table-filter"),
    path("tables/<str:table>/views", saved_views.view_save, name="table-view-save"),
    path("tables/views/<uuid:view_id>/delete", saved_views.view_delete, name="table-view-delete"),
]
