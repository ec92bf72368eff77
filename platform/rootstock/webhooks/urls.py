from django.urls import path

from rootstock.webhooks import views

urlpatterns = [
    path("", views.endpoint_list, name="webhooks"),
    path("new/", views.endpoint_new, name="webhook-new"),
    path("deliveries/", views.delivery_list, name="webhook-deliveries"),
    path("deliveries/<uuid:delivery_id>/", views.delivery, name="webhook-delivery"),
    path("deliveries/<uuid:delivery_id>/replay/", views.delivery_replay, name="webhook-delivery-replay"),
    path("<uuid:endpoint_id>/", views.endpoint, name="webhook"),
    path("<uuid:endpoint_id>/edit/", views.endpoint_edit, name="webhook-edit"),
    path("<uuid:endpoint_id>/rotate/", views.endpoint_rotate, name="webhook-rotate"),
    path("<uuid:endpoint_id>/enable/", views.endpoint_switch, {"on": True}, name="webhook-enable"),
    path("<uuid:endpoint_id>/disable/", views.endpoint_switch, {"on": False}, name="webhook-disable"),
    path("<uuid:endpoint_id>/test/", views.endpoint_test, name="webhook-test"),
    path("<uuid:endpoint_id>/replay/", views.endpoint_replay, name="webhook-replay"),
    path("<uuid:endpoint_id>/delete/", views.endpoint_delete, name="webhook-delete"),
]
