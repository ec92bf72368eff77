from django.urls import path

from rootstock.privacy import views

urlpatterns = [
    path("", views.request_list, name="privacy"),
    path("find/", views.find, name="privacy-find"),
    path("subjects/<uuid:subject_id>/", views.subject, name="privacy-subject"),
    path("subjects/<uuid:subject_id>/hold/", views.hold_place, name="privacy-hold"),
    path("subjects/<uuid:subject_id>/release/", views.hold_release, name="privacy-release"),
    path("requests/<uuid:request_id>/", views.request_page, name="privacy-request"),
    path("requests/<uuid:request_id>/confirm/", views.request_confirm, name="privacy-confirm"),
    path("requests/<uuid:request_id>/refuse/", views.request_refuse, name="privacy-refuse"),
    path("requests/<uuid:request_id>/archive/", views.archive, name="privacy-archive"),
    path("retention/", views.retention_page, name="privacy-retention"),
    path("certificates/", views.certificate_list, name="privacy-certificates"),
    path("certificates/<uuid:certificate_id>/", views.certificate, name="privacy-certificate"),
    path("keys/", views.keys_page, name="privacy-keys"),
]
