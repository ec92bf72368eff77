"""How django-unfold shows the operators' site: the console's mark and its teal."""

from django.templatetags.static import static

UNFOLD = {
    "SITE_TITLE": "Rootstock operators",
    "SITE_HEADER": "Rootstock",
    "SITE_SUBHEADER": "Operators",
    "STYLES": [lambda request: static("operator/operator.css")],
    "SHOW_VIEW_ON_SITE": False,
    "SITE_ICON": lambda request: static("console/mark.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("console/mark.svg")}
    ],
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "rootstock.operator.site.navigation",
    },
    # The console's teal.
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0d9488",
            "700": "#0f766e",
            "800": "#115e59",
            "900": "#134e4a",
            "950": "#042f2e",
        }
    },
}
