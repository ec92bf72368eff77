from django.urls import path

from rootstock.jobs import schedule_views, views

urlpatterns = [
    path("", views.job_list, name="jobs"),
    path("schedules/", schedule_views.schedule_list, name="job-schedules"),
    path("schedules/new/", schedule_views.schedule_new, name="job-schedule-new"),
    path("schedules/<uuid:schedule_id>/", schedule_views.schedule_detail, name="job-schedule"),
    path("schedules/<uuid:schedule_id>/edit/", schedule_views.schedule_edit, name="job-schedule-edit"),
    path("schedules/<uuid:schedule_id>/pause/", schedule_views.schedule_pause, name="job-schedule-pause"),
    path("schedules/<uuid:schedule_id>/run/", schedule_views.schedule_run, name="job-schedule-run"),
    path("schedules/<uuid:schedule_id>/delete/", schedule_views.schedule_delete, name="job-schedule-delete"),
    path("<uuid:job_id>/", views.job_detail, name="job"),
    path("<uuid:job_id>/live/", views.job_live, name="job-live"),
    path("<uuid:job_id>/stream/", views.job_stream, name="job-stream"),
    path("<uuid:job_id>/cancel/", views.job_cancel, name="job-cancel"),
    path("<uuid:job_id>/run-again/", views.job_run_again, name="job-run-again"),
    path("<uuid:job_id>/artefacts/<uuid:artefact_id>/", views.job_artefact, name="job-artefact"),
]
