from django.urls import path

from rootstock.adaptation.pages import comparing, continual, listing, starting, training

urlpatterns = [
    path("", listing.trainings, name="trainings"),
    path("new/", starting.start, {"what": starting.ADAPTER}, name="training-new"),
    path("new/estimate", starting.estimated, {"what": starting.ADAPTER}, name="training-estimate"),
    path("bases/new/", starting.start, {"what": starting.BASE}, name="base-training-new"),
    path("bases/new/estimate", starting.estimated, {"what": starting.BASE}, name="base-training-estimate"),
    path("compare/", comparing.compare, name="trainings-compare"),
    path("compare/chosen", comparing.chosen, name="trainings-chosen"),
    path("continual/", continual.plan_list, name="continual-plans"),
    path("continual/new/", continual.plan_new, name="continual-new"),
    path("continual/<uuid:plan_id>/", continual.plan_page, name="continual-plan"),
    path("continual/<uuid:plan_id>/edit/", continual.plan_edit, name="continual-edit"),
    path("continual/<uuid:plan_id>/run", continual.run_now, name="continual-run-now"),
    path("continual/<uuid:plan_id>/pause", continual.plan_pause, name="continual-pause"),
    path("continual/<uuid:plan_id>/delete", continual.plan_delete, name="continual-delete"),
    path("continual/runs/<uuid:run_id>/", continual.run_page, name="continual-run"),
    path("<uuid:job_id>/", training.training, name="training"),
    path("<uuid:job_id>/live/", training.training_live, name="training-live"),
    path("<uuid:job_id>/stream/", training.training_stream, name="training-stream"),
    path("<uuid:job_id>/cancel", training.cancel, name="training-cancel"),
]
