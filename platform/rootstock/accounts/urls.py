"""Addresses of sign-in, the person's own account, people, keys and settings.

allauth's pages lie under /account/; those that this product replaces or does not have are taken before them.
"""

from allauth.account import views as allauth_account
from allauth.account.decorators import reauthentication_required
from django.urls import include, path
from django.views.generic import RedirectView

from rootstock.accounts import oauth
from rootstock.accounts.views import account, join, keys, people, settings, switch
from rootstock.accounts.views.sign_in import PasswordReset, SignIn

_own = RedirectView.as_view(pattern_name="account", query_string=False)

urlpatterns = [
    # People of the organisation
    path("people/", people.people, name="people"),
    path("people/invite/", people.invite, name="invite"),
    path("people/invitations/", people.invitations, name="invitations"),
    path("people/invitations/<uuid:invitation_id>/", people.invitation, name="invitation"),
    path("people/invitations/<uuid:invitation_id>/renew/", people.renew, name="invitation-renew"),
    path("people/invitations/<uuid:invitation_id>/revoke/", people.revoke, name="invitation-revoke"),
    path("people/<uuid:membership_id>/", people.person, name="person"),
    path("people/<uuid:membership_id>/remove/", people.remove, name="person-remove"),
    path("people/<uuid:membership_id>/unlock/", people.unlock, name="person-unlock"),
    # Keys and machine clients
    path("keys/", keys.key_list, name="keys"),
    path("keys/new/", keys.key_new, name="key-new"),
    path("keys/<uuid:key_id>/", keys.key, name="key"),
    path("keys/<uuid:key_id>/rotate/", keys.key_rotate, name="key-rotate"),
    path("keys/<uuid:key_id>/revoke/", keys.key_revoke, name="key-revoke"),
    path("keys/clients/", keys.client_list, name="clients"),
    path("keys/clients/new/", keys.client_new, name="client-new"),
    path("keys/clients/<uuid:client_id>/", keys.client, name="client"),
    path("keys/clients/<uuid:client_id>/rotate/", keys.client_rotate, name="client-rotate"),
    path("keys/clients/<uuid:client_id>/revoke/", keys.client_revoke, name="client-revoke"),
    path("settings/", settings.organisation, name="organisation-settings"),
    path("organisation/", switch.organisation_switch, name="organisation-switch"),
    path("join/<str:token>/", join.join, name="join"),
    # The person's own account
    path("account/", account.account, name="account"),
    path("account/sessions/<int:session_id>/end/", account.session_end, name="session-end"),
    path("account/sessions/end/", account.sessions_end, name="sessions-end"),
    path("account/email/", _own),
    path("account/sessions/", _own),
    path("account/login/", RedirectView.as_view(pattern_name="login", query_string=True)),
    path("account/password/reset/", PasswordReset.as_view()),
    # A first password is one more way in.
    path("account/password/set/", reauthentication_required(allauth_account.password_set)),
    path("account/", include("allauth.urls")),
    path("login/", SignIn.as_view(), name="account_login"),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", allauth_account.logout, name="logout"),
    # Machine clients get their tokens here
    path("oauth/token", oauth.token, name="oauth-token"),
    path("oauth/revoke", oauth.revoke, name="oauth-revoke"),
    path(".well-known/oauth-authorization-server", oauth.metadata, name="oauth-metadata"),
]
