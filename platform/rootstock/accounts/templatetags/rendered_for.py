"""Django's `csrf_token`, which every form has, with the organisation that the form was rendered for."""

from django import template
from django.template.context import Context
from django.template.defaulttags import CsrfTokenNode
from django.utils.html import format_html

from rootstock.accounts.rendered_for import FIELD

register = template.Library()


@register.simple_tag(takes_context=True)
def csrf_token(context: Context) -> str:
    """The token's hidden field, and one that names the organisation."""
    token = CsrfTokenNode().render(context)
    organisation = getattr(getattr(context, "request", None), "organisation", None)
    if organisation is None:
        return token
    return format_html('{}<input type="hidden" name="{}" value="{}">', token, FIELD, organisation.pk)
