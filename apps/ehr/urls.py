"""Pages of the records vertical, at /ehr/."""

from django.urls import path

from apps.ehr import views

app_name = "ehr"
urlpatterns = [
    path("", views.ward_board, name="board"),
    path("imports", views.imports_page, name="imports"),
    path("patients/<uuid:patient_id>/", views.patient_page, name="patient"),
    path("patients/<uuid:patient_id>/timeline", views.timeline_page, name="timeline"),
    path("patients/<uuid:patient_id>/notes", views.notes_page, name="notes"),
]
