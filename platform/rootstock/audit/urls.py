"""Pages of the audit trail, at /audit/."""

from django.urls import path

from rootstock.audit import views

urlpatterns = [
    path("", views.trail, name="audit"),
    path("entries/<uuid:entry_id>/", views.entry, name="audit-entry"),
    path("decisions/", views.decisions, name="audit-decisions"),
    path("decisions/<uuid:decision_id>/", views.decision, name="audit-decision"),
    path("decisions/<uuid:decision_id>/act", views.act, name="audit-act"),
    path("panel/<str:subject_type>/<str:subject_id>", views.panel, name="audit-panel"),
    path("chain/", views.chain, name="audit-chain"),
    path("chain/verify", views.verify, name="audit-verify"),
    path("export", views.export, name="audit-export"),
]
