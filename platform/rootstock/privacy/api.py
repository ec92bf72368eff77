"""REST: privacy."""

from ninja import Router

router = Router(tags=["privacy"])
