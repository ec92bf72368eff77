"""A page acts in the organisation it was rendered for: its forms and requests name it, and a page of another one,
left open while the person switched in another tab, is refused."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from rootstock.errors import Conflict
from rootstock.middleware import answer_of

FIELD, HEADER = "rendered_for", "X-Organisation"
# What belongs to the person or to the installation, not to an organisation.
_ANYWHERE = ("/organisation/", "/account/", "/login/", "/logout/", "/join/", "/operator/")


class RenderedForMiddleware:
    """After the organisation is known and the CSRF token was checked, before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        """Refuse what a page of another organisation sends; htmx then loads the page anew."""
        organisation = getattr(request, "organisation", None)
        if organisation is None or _named(request, view) in ("", str(organisation.pk)):
            return None
        if request.path.startswith(_ANYWHERE):
            return None
        answer = answer_of(request, _stale(organisation.name))
        if "HX-Request" in request.headers:
            answer["HX-Refresh"] = "true"
        return answer


def _named(request: HttpRequest, view: object) -> str:
    """The organisation that the page named; nothing for a program. The body of an exempt view stays unread."""
    if named := request.headers.get(HEADER, ""):
        return named
    return "" if getattr(view, "csrf_exempt", False) else request.POST.get(FIELD, "")


def _stale(name: str) -> Conflict:
    return Conflict(
        f"this page belongs to another organisation: you have since switched to {name}. Nothing was changed; "
        "switch back to go on there, or open the page again here"
    )
