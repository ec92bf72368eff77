"""REST: files."""

from ninja import Router

router = Router(tags=["files"])
