from django.urls import path

from rootstock.adaptation.pages import comparing, listing, training

urlpatterns = [
    path("", listing.trainings, name="trainings"),
    path("new/", listing.start, name="training-new"),
    path("new/estimate", listing.estimated, name="training-estimate"),
    path("compare/", comparing.compare, name="trainings-compare"),
    path("compare/chosen", comparing.chosen, name="trainings-chosen"),
    path("<uuid:job_id>/", training.training, name="training"),
    path("<uuid:job_id>/live/", training.training_live, name="training-live"),
    path("<uuid:job_id>/stream/", training.training_stream, name="training-stream"),
    path("<uuid:job_id>/cancel", training.cancel, name="training-cancel"),
]
