"""`{% load audit %}{% decision_panel "payment" payment.pk %}`: what was decided on a thing, and what people say to it.

With `lazy` the panel is one closed line that loads when it is opened: for pages with many of them.
"""

from typing import Any

from django import template

from rootstock.audit.selectors import decisions_of
from rootstock.audit.views import decision_context

register = template.Library()


@register.inclusion_tag("audit/panel_tag.html", takes_context=True)
def decision_panel(
    context: dict[str, Any], subject_type: str, subject_id: object, lazy: bool = False
) -> dict[str, Any]:
    """The decision records of one thing. The page's own scope has been checked by its view."""
    request: Any = context.get("request")
    shown = {"subject_type": subject_type, "subject_id": str(subject_id), "lazy": lazy, "request": request}
    if lazy:
        return shown
    found = decisions_of(
        organisation=request.organisation, subject_type=subject_type, subject_id=subject_id, limit=1
    )
    return shown | {"decisions": [decision_context(request, one) for one in found]}


@register.filter
def hexadecimal(value: bytes | memoryview) -> str:
    """Bytes as text."""
    return bytes(value).hex()
