from django.urls import path

from rootstock.files import views

urlpatterns = [
    path("", views.file_list, name="files"),
    path("<uuid:file_id>/", views.file, name="file"),
    path("<uuid:file_id>/content/", views.file_content, name="file-content"),
    path("<uuid:file_id>/delete/", views.file_delete, name="file-delete"),
]
