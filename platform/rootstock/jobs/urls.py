from django.urls import path

from rootstock.jobs import views

urlpatterns = [
    path("", views.job_list, name="jobs"),
    path("live/", views.job_list_live, name="jobs-live"),
    path("<uuid:job_id>/", views.job_detail, name="job"),
    path("<uuid:job_id>/live/", views.job_live, name="job-live"),
    path("<uuid:job_id>/cancel/", views.job_cancel, name="job-cancel"),
]
