"""Filters of the account pages."""

from django import template

from rootstock.accounts.wording import WORDING

register = template.Library()

# The first that fits: browsers name their ancestors too.
BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


@register.filter
def browser_name(user_agent: str) -> str:
    """`Firefox on Linux` of a User-Agent header; its beginning where it is no browser that we know."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return user_agent[:60] or "Unknown browser"


@register.filter(is_safe=True)
def ours(rendered: str) -> str:
    """A phrase of allauth in this product's words; what is not known stays."""
    return WORDING.get(" ".join(rendered.split()), rendered)
