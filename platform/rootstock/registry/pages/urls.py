"""Pages of the registry."""

from django.urls import path

from rootstock.registry.pages import (
    bases,
    board,
    comparing,
    data,
    listing,
    promotions,
    residency,
    sharing,
    version,
)

urlpatterns = [
    path("adapters/", listing.adapters, name="adapters"),
    path("adapters/bases/", bases.base_models, name="bases"),
    path("adapters/bases/<uuid:base_id>/", bases.base_page, name="base"),
    path("adapters/datasets/", data.datasets, name="datasets"),
    path("adapters/datasets/upload", data.upload, name="dataset-upload"),
    path("adapters/compare/", comparing.compare, name="adapter-compare"),
    path("adapters/<uuid:version_id>/", version.version_page, name="adapter"),
    path("adapters/<uuid:version_id>/propose/", version.propose, name="adapter-propose"),
    path("adapters/<uuid:version_id>/card/", version.describe, name="adapter-card"),
    path("adapters/<uuid:version_id>/keep", version.keep, name="adapter-keep"),
    path("adapters/<uuid:version_id>/evaluate", version.evaluate, name="adapter-evaluate"),
    path("adapters/<uuid:version_id>/retire", version.retire, name="adapter-retire"),
    path("adapters/<uuid:version_id>/restore", version.restore, name="adapter-restore"),
    path("adapters/<uuid:version_id>/give", sharing.give, name="adapter-give"),
    path("adapters/grants/<uuid:grant_id>/take-back", sharing.take_back, name="grant-take-back"),
    path("adapters/offered/", sharing.offers, name="offers"),
    path("adapters/offered/<uuid:grant_id>/take", sharing.take, name="offer-take"),
    path("deployments/", board.board, name="deployments"),
    path("deployments/promotions/", promotions.promotion_list, name="promotions"),
    path("deployments/promotions/<uuid:promotion_id>/", promotions.promotion_page, name="promotion"),
    path("deployments/promotions/<uuid:promotion_id>/approve", promotions.approve, name="promotion-approve"),
    path("deployments/promotions/<uuid:promotion_id>/refuse", promotions.refuse, name="promotion-refuse"),
    path("deployments/<uuid:alias_id>/", board.alias_page, name="alias"),
    path("deployments/<uuid:alias_id>/roll-back", board.roll_back, name="alias-roll-back"),
    path("deployments/<uuid:alias_id>/end", board.end, name="alias-end"),
    path("residency/", residency.residency, name="residency"),
    path("residency/live/", residency.residency_live, name="residency-live"),
]
