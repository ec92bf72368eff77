"""Pages of uploaded adapters."""

from django.urls import path

from rootstock.registry.intake_pages import views

urlpatterns = [
    path("upload", views.upload, name="adapter-upload"),
    path("uploads/", views.upload_list, name="adapter-uploads"),
    path("uploads/<uuid:upload_id>/", views.upload_page, name="adapter-upload-page"),
]
