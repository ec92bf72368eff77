"""Pages: members and invitations."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts import directory, services
from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.forms import InviteForm, RoleForm
from rootstock.accounts.lockout import locked_until
from rootstock.accounts.mfa import is_enrolled
from rootstock.accounts.models import Invitation
from rootstock.accounts.roles import ROLE_SCOPES, SCOPES
from rootstock.accounts.tables import INVITATIONS, PEOPLE, state_pill
from rootstock.accounts.views.common import absolute, scopes_of
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.errors import Forbidden


def join_link(request: HttpRequest, token: str) -> str:
    """The address that an invitation's holder opens."""
    return absolute(request, reverse("join", args=[token]))


def _shown_link(request: PageRequest, invitation: Invitation, token: str) -> HttpResponse:
    """The link, once and only where it was not mailed: it cannot be read again."""
    link = join_link(request, token)
    sent = services.invitation_send(invitation=invitation, link=link)
    told = {"invitation": invitation, "link": "" if sent else link}
    return render(request, "accounts/invited.html", told)


@require_GET
@tenant_page("people:read")
def people(request: PageRequest) -> HttpResponseBase:
    """Who belongs to the organisation."""
    may_invite = "people:write" in scopes_of(request)
    return table_page(
        request, PEOPLE, directory.members(), "accounts/people.html", {"may_invite": may_invite}
    )


@require_GET
@tenant_page("people:read")
def invitations(request: PageRequest) -> HttpResponseBase:
    """What has been offered."""
    may_invite = "people:write" in scopes_of(request)
    found = Invitation.objects.select_related("invited_by")
    return table_page(request, INVITATIONS, found, "accounts/invitations.html", {"may_invite": may_invite})


@require_http_methods(["GET", "POST"])
@tenant_page("people:write")
def invite(request: PageRequest) -> HttpResponse:
    """Offer a role to an address."""
    form = InviteForm(request.POST or None)
    made = saved(
        form,
        lambda: services.invitation_create(
            organisation=request.organisation, invited_by=request.user, **form.cleaned_data
        ),
    )
    if made:
        return _shown_link(request, *made)
    return render(request, "accounts/invite.html", {"form": form})


@require_GET
@tenant_page("people:read")
def invitation(request: PageRequest, invitation_id: UUID) -> HttpResponse:
    """One invitation, and what can be done about it."""
    found = directory.invitation_get(organisation=request.organisation, invitation_id=invitation_id)
    context = {
        "invitation": found,
        "pill": state_pill(found),
        "may_write": "people:write" in scopes_of(request) and found.state in ("open", "expired"),
    }
    return render(request, "accounts/invitation.html", context)


@require_POST
@tenant_page("people:write")
def renew(request: PageRequest, invitation_id: UUID) -> HttpResponse:
    """A fresh link; the one before stops working."""
    made = services.invitation_renew(organisation=request.organisation, invitation_id=invitation_id)
    return _shown_link(request, *made)


@require_POST
@tenant_page("people:write")
def revoke(request: PageRequest, invitation_id: UUID) -> HttpResponse:
    """Take an offer back."""
    services.invitation_revoke(organisation=request.organisation, invitation_id=invitation_id)
    messages.success(request, "The invitation is revoked; its link no longer works.")
    return redirect("invitations")


@require_http_methods(["GET", "POST"])
@tenant_page("people:read")
def person(request: PageRequest, membership_id: UUID) -> HttpResponse:
    """One member: role, sign-in, and what can be done about them."""
    membership = directory.member_get(organisation=request.organisation, membership_id=membership_id)
    may_write = "people:write" in scopes_of(request)
    form = RoleForm(request.POST or None, initial={"role": membership.role})
    if request.method == "POST":
        request_may_write(request)
        if saved(
            form,
            lambda: services.member_role_change(
                organisation=request.organisation, membership_id=membership_id, **form.cleaned_data
            ),
        ):
            messages.success(request, "The role is changed; it holds from their next click.")
            return redirect("person", membership_id)
    context = {
        "member": membership,
        "form": form,
        "scopes": sorted(SCOPES[scope] for scope in ROLE_SCOPES[membership.role]),
        "is_self": membership.user_id == request.user.pk,
        "may_write": may_write,
        "locked_until": locked_until(membership.user),
        "is_enrolled": is_enrolled(membership.user),
        "live_keys": directory.live_keys_of(membership),
    }
    return render(request, "accounts/person.html", context)


def request_may_write(request: PageRequest) -> None:
    """The page may be read with people:read; changing takes more."""
    if "people:write" not in scopes_of(request):
        raise Forbidden("your role may not change roles; an administrator can")


@require_POST
@tenant_page("people:write")
def remove(request: PageRequest, membership_id: UUID) -> HttpResponse:
    """Take a member out of the organisation, and end the keys they made unless the form says to keep them."""
    ended = services.member_remove(
        organisation=request.organisation,
        membership_id=membership_id,
        revoke_keys=request.POST.get("revoke_keys") != "false",
    )
    told = f" Keys and machine clients revoked with them: {ended}." if ended else ""
    messages.success(request, f"They are no longer a member.{told}")
    return redirect("people")


@require_POST
@tenant_page("people:write")
def unlock(request: PageRequest, membership_id: UUID) -> HttpResponse:
    """Let a locked-out member try again."""
    services.member_unlock(organisation=request.organisation, membership_id=membership_id)
    messages.success(request, "They may sign in again now.")
    return redirect("person", membership_id)
