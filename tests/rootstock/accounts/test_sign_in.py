"""Signing in: lockout, passwords, sessions, second factors."""

import os
import re
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import allauth
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, generate_totp_secret, hotp_value
from axes.models import AccessAttempt
from django.core import mail
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import Membership, User
from rootstock.accounts.services import user_create
from rootstock.accounts.templatetags.accounts import browser_name
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.wording import WORDING
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict
from tests.fixtures.world import PASSWORD


@pytest.fixture(autouse=True)
def fresh_limits():
    """Rate limits of earlier tests."""
    cache.clear()


def sign_in(user, password=PASSWORD, client=None, **headers):
    client = client or Client()
    return client, client.post("/login/", {"username": user.username, "password": password}, **headers)


def actions(organisation) -> list[str]:
    with tenant(organisation):
        return list(AuditEntry.objects.values_list("action", flat=True))


def code_of(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30))


def is_in(client) -> bool:
    return client.get("/").status_code == 200


# --- lockout --------------------------------------------------------------------------------------------------


def fail(user, times=5, **headers) -> list[int]:
    return [sign_in(user, "wrong", **headers)[1].status_code for _ in range(times)]


def test_it_works(world) -> None:
    client, answer = sign_in(world.owner)
    assert answer["Location"] == "/"
    assert is_in(client)
    assert "person.signed_in" in actions(world.organisation)


def test_too_many_failures_lock_out_and_say_how_long(world) -> None:
    assert fail(world.owner) == [200, 200, 200, 200, 429]
    client, answer = sign_in(world.owner)  # the right password does not help now
    assert answer.status_code == 429
    assert 890 <= int(answer["Retry-After"]) <= 900
    assert re.search(r"another 1[45] min", answer.content.decode())
    assert not is_in(client)
    assert "person.locked_out" in actions(world.organisation)


def test_a_lock_is_told_once(world) -> None:
    fail(world.owner, 8)
    assert actions(world.organisation).count("person.locked_out") == 1


def test_a_failed_sign_in_is_told_once_in_a_while_and_as_nobody_s_deed(world) -> None:
    fail(world.owner, 3)
    Client().post("/login/", {"username": "nobody", "password": "wrong"})
    with tenant(world.organisation):
        entry = AuditEntry.objects.get(action="person.sign_in_failed")
    assert (entry.actor_kind, entry.actor_id) == ("system", "sign-in")
    assert (entry.object_id, entry.data) == (str(world.owner.pk), {})
    sign_in(world.owner)
    assert actions(world.organisation).count("person.sign_in_failed") == 1


def test_the_name_counts_however_it_is_spelled(world) -> None:
    world.owner.email = f"{world.owner.username}@example.org"
    world.owner.save()
    for name in (world.owner.username, world.owner.username.upper(), world.owner.email, world.owner.email):
        Client().post("/login/", {"username": name, "password": "wrong"})
    assert sign_in(world.owner, "wrong")[1].status_code == 429


def test_others_and_other_addresses_are_not_locked_out(world) -> None:
    fail(world.owner)
    assert sign_in(world.colleague)[1].status_code == 302
    assert sign_in(world.owner, REMOTE_ADDR="192.0.2.7")[1].status_code == 302


def guess_from_everywhere(user, times: int) -> list[int]:
    return [fail(user, 1, REMOTE_ADDR=f"192.0.2.{number}")[0] for number in range(times)]


def test_a_name_that_is_guessed_at_from_everywhere_waits_a_moment(world, settings) -> None:
    settings.LOCKOUT_NAME_FAILURES = 7
    assert guess_from_everywhere(world.owner, 7) == [200] * 6 + [429]
    _, answer = sign_in(world.owner, REMOTE_ADDR="198.51.100.1")  # the right password does not help now
    assert (answer.status_code, b"from many addresses" in answer.content) == (429, True)
    assert int(answer["Retry-After"]) <= 60
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=61))
    assert (
        sign_in(world.owner, "wrong", REMOTE_ADDR="198.51.100.2")[1].status_code == 429
    )  # one guess a minute
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=61))
    assert sign_in(world.owner, REMOTE_ADDR="198.51.100.1")[1].status_code == 302


def test_nobody_is_kept_out_where_they_are_signed_in(world, settings) -> None:
    settings.LOCKOUT_NAME_FAILURES = 7
    sign_in(world.owner, REMOTE_ADDR="198.51.100.1")
    guess_from_everywhere(world.owner, 7)
    assert sign_in(world.owner, REMOTE_ADDR="198.51.100.2")[1].status_code == 429
    assert sign_in(world.owner, REMOTE_ADDR="198.51.100.1")[1].status_code == 302
    assert fail(world.owner, REMOTE_ADDR="198.51.100.1")[-1] == 429  # the limit of the address holds


def test_an_administrator_unlocks(world) -> None:
    fail(world.colleague)
    with tenant(world.organisation):
        member = Membership.objects.get(user=world.colleague)
    page = world.browser(world.owner)
    assert b"Locked out after failed sign-ins" in page.get(f"/people/{member.pk}/").content
    page.post(f"/people/{member.pk}/unlock/")
    assert sign_in(world.colleague)[1].status_code == 302
    assert "member.unlocked" in actions(world.organisation)


def test_the_lock_ends_by_itself(world) -> None:
    fail(world.owner)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert sign_in(world.owner)[1].status_code == 302


def test_trying_on_does_not_lengthen_the_lock(world) -> None:
    fail(world.owner)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=10))
    assert int(sign_in(world.owner, "wrong")[1]["Retry-After"]) <= 300


def test_a_success_forgets_failures(world) -> None:
    fail(world.owner, 4)
    sign_in(world.owner)
    assert fail(world.owner, 4) == [200] * 4


def test_no_password_is_kept_with_an_attempt(world) -> None:
    sign_in(world.owner, "a-secret-slip")
    assert "a-secret-slip" not in str(list(AccessAttempt.objects.values()))


def test_who_is_switched_off_does_not_get_in(world) -> None:
    User.objects.filter(pk=world.owner.pk).update(is_active=False)
    client, _ = sign_in(world.owner)
    assert not is_in(client)


def test_nobody_signs_up_without_an_invitation(db) -> None:
    form = {"username": "me", "email": "me@example.org", "password1": "a-long-enough-one"}
    answer = Client().post("/account/signup/", form)
    assert b"not invited yet" in answer.content
    assert not User.objects.filter(username="me").exists()


# --- passwords ------------------------------------------------------------------------------------------------


def test_changing_the_password_ends_other_sessions(world) -> None:
    client, _ = sign_in(world.owner)
    other, _ = sign_in(world.owner)
    assert is_in(other)
    page = "/account/password/change/"
    form = {"oldpassword": PASSWORD, "password1": "short", "password2": "short"}
    assert b"too short" in client.post(page, form).content
    fresh = "another-long-one"
    assert client.post(page, form | {"password1": fresh, "password2": fresh}).status_code == 302
    assert is_in(client)
    assert not is_in(other)
    assert "person.password_changed" in actions(world.organisation)


def test_resetting_by_mail(world, settings) -> None:
    settings.MAIL_CONFIGURED = True
    world.owner.email = "owner@example.org"
    world.owner.save()
    Client().post("/account/password/reset/", {"email": "owner@example.org"})
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body).group(1)
    client = Client()
    page = client.get(link, follow=True)
    form = {"password1": "another-long-one", "password2": "another-long-one"}
    client.post(page.request["PATH_INFO"], form)
    assert sign_in(world.owner, "another-long-one")[1].status_code == 302
    assert Client().get(link, follow=True).status_code == 200  # says that the link was used


def test_without_mail_no_link_is_made_and_the_page_says_so(world) -> None:
    User.objects.filter(pk=world.owner.pk).update(email="owner@example.org")
    for answer in (
        Client().get("/account/password/reset/"),
        Client().post("/account/password/reset/", {"email": "owner@example.org"}),
    ):
        assert b"This installation sends no mail" in answer.content
    assert mail.outbox == []
    assert b"/account/password/reset/" not in Client().get("/login/").content


@pytest.mark.slow
def test_without_mail_nothing_is_written_down() -> None:
    code = "from django.conf import settings; print(settings.EMAIL_BACKEND)"
    env = {name: value for name, value in os.environ.items() if name != "ROOTSTOCK_EMAIL_URL"}
    env["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    found = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "django.core.mail.backends.dummy.EmailBackend"


def test_an_unknown_address_is_told_nothing(settings, db) -> None:
    settings.MAIL_CONFIGURED = True
    answer = Client().post("/account/password/reset/", {"email": "nobody@example.org"})
    assert answer["Location"] == "/account/password/reset/done/"


@pytest.fixture
def silent_mail_server(settings):
    """It takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
        settings.EMAIL_TIMEOUT, settings.MAIL_CONFIGURED = 0.2, True
        yield


@pytest.mark.slow
def test_a_mail_server_that_hangs_fails_nobody_s_page(world, silent_mail_server, caplog) -> None:
    User.objects.filter(pk=world.owner.pk).update(email="owner@example.org")
    for address in ("owner@example.org", "nobody@example.org"):
        answer = Client().post("/account/password/reset/", {"email": address})
        assert answer["Location"] == "/account/password/reset/done/"
    form = {"email": "nia@example.org", "role": "auditor"}
    page = world.browser(world.owner).post("/people/invite/", form)
    assert b"/join/" in page.content
    assert "could not be sent" in caplog.text
    assert "example.org" not in caplog.text


# --- sessions -------------------------------------------------------------------------------------------------


def test_sessions_are_listed_and_ended(world) -> None:
    client, _ = sign_in(world.owner, headers={"user-agent": "Firefox on a desk"})
    other, _ = sign_in(world.owner, headers={"user-agent": "Phone in a pocket"})
    page = client.get("/account/").content.decode()
    assert "Firefox on a desk" in page
    assert "Phone in a pocket" in page
    path = re.search(r"/account/sessions/\d+/end/", page).group()
    assert client.post(path)["Location"] == "/account/"
    assert is_in(client)
    assert not is_in(other)
    assert "session.ended" in actions(world.organisation)


def test_all_others_are_ended_at_once(world) -> None:
    client, _ = sign_in(world.owner)
    others = [sign_in(world.owner)[0] for _ in range(2)]
    client.post("/account/sessions/end/")
    assert [is_in(one) for one in (client, *others)] == [True, False, False]


def test_somebody_else_s_session_is_not_found(world) -> None:
    client, _ = sign_in(world.owner)
    path = re.search(
        r"/account/sessions/(\d+)/end/", _two_sessions(world.colleague).get("/account/").content.decode()
    )
    assert client.post(path.group()).status_code == 404


def _two_sessions(user):
    sign_in(user)
    return sign_in(user)[0]


@pytest.mark.parametrize(("own", "hours"), [(1, 1), (None, 12), (24, 12)])
def test_sessions_end_by_the_organisation_s_length_or_the_installation_s(world, own, hours) -> None:
    client, _ = sign_in(world.owner)
    world.organisation.session_hours = own
    world.organisation.save()
    session = client.session
    session["signed_in_at"] -= hours * 3600 - 60
    session.save()
    assert is_in(client)
    session["signed_in_at"] -= 120
    session.save()
    assert client.get("/")["Location"].startswith("/login/")
    assert client.get("/api/v1/jobs").status_code == 401


@pytest.mark.parametrize("path", ["/", "/operator/"])
def test_a_header_for_programs_does_not_stop_the_session_s_clock(world, path) -> None:
    User.objects.filter(pk=world.owner.pk).update(is_staff=True)
    client, _ = sign_in(world.owner)
    session = client.session
    session["signed_in_at"] -= 12 * 3600 + 60
    session.save()
    answer = client.get(path, headers={"authorization": "x"}, follow=True)
    assert answer.redirect_chain[-1][0].startswith("/login/")


# --- one's own name ---------------------------------------------------------------------------------------------


def test_name_and_address_can_be_changed(world) -> None:
    address = f"{world.owner.username}@example.org"
    answer = sign_in(world.owner)[0].post("/account/", {"full_name": "Ada Lovelace", "email": address})
    assert answer["Location"] == "/account/"
    world.owner.refresh_from_db()
    assert (world.owner.get_full_name(), world.owner.email) == ("Ada Lovelace", address)
    with tenant(world.organisation):
        entry = AuditEntry.objects.get(action="person.changed")
    assert (entry.actor_id, entry.data) == (str(world.owner.pk), {"fields": ["full_name", "email"]})


def test_another_s_address_is_not_taken(world) -> None:
    world.stranger.email = "taken@example.org"
    world.stranger.save()
    page = sign_in(world.owner)[0].post("/account/", {"full_name": "", "email": "Taken@example.org"})
    assert b"another account uses" in page.content.lower()


def test_an_address_is_one_account_s_in_the_database_too(world) -> None:
    user_create(username=f"nia-{world.organisation.slug}", password=PASSWORD, email="nia@example.org")
    with pytest.raises(Conflict, match="another account"):
        user_create(username=f"n-{world.organisation.slug}", password=PASSWORD, email="Nia@Example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=world.owner.pk).update(email="NIA@example.org")
    User.objects.filter(pk__in=(world.owner.pk, world.colleague.pk)).update(email="")


def test_nobody_tries_many_addresses(world) -> None:
    client, _ = sign_in(world.owner)
    for number in range(10):
        client.post("/account/", {"full_name": "", "email": f"guess-{number}@example.org"})
    page = client.post("/account/", {"full_name": "", "email": "one-more@example.org"})
    assert b"too often" in page.content
    assert client.post("/account/", {"full_name": "Ada", "email": "guess-9@example.org"}).status_code == 302


def older_session(user) -> Client:
    client, _ = sign_in(user)
    session = client.session
    session["signed_in_at"] -= 301
    session.save()
    return client


def test_another_address_takes_the_password_again(world) -> None:
    client, form = older_session(world.owner), {"full_name": "Ada", "email": "mine@example.org"}
    answer = client.post("/account/", form)
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert b"Incorrect password" in client.post(answer["Location"], {"password": "wrong"}).content
    world.owner.refresh_from_db()
    assert world.owner.email == ""
    client.post(answer["Location"], {"password": PASSWORD})
    world.owner.refresh_from_db()
    assert (world.owner.first_name, world.owner.email) == ("Ada", "mine@example.org")


def test_another_name_does_not(world) -> None:
    form = {"full_name": "Ada", "email": world.owner.email}
    assert older_session(world.owner).post("/account/", form)["Location"] == "/account/"


@pytest.mark.parametrize("configured", [True, False])
def test_the_earlier_address_is_told(world, settings, configured, django_capture_on_commit_callbacks) -> None:
    settings.MAIL_CONFIGURED = configured
    world.owner.email = "earlier@example.org"
    world.owner.save()
    client, _ = sign_in(world.owner)
    with django_capture_on_commit_callbacks(execute=True):
        client.post("/account/", {"full_name": "Ada", "email": "later@example.org"})
        client.post("/account/", {"full_name": "Ada L", "email": "later@example.org"})
    told = [(sent.to, "later@" in sent.body) for sent in mail.outbox]
    assert told == ([(["earlier@example.org"], False)] if configured else [])


# --- second factors ---------------------------------------------------------------------------------------------


def enrol(client) -> str:
    secret = client.get("/account/2fa/totp/activate/").context["form"].secret
    answer = client.post("/account/2fa/totp/activate/", {"code": code_of(secret)})
    assert answer.status_code == 302
    return secret


def test_an_authenticator_app_is_asked_for_after_the_password(
    world, django_capture_on_commit_callbacks
) -> None:
    client, _ = sign_in(world.owner)
    with django_capture_on_commit_callbacks(execute=True):
        secret = enrol(client)
    assert secret not in str(list(Authenticator.objects.values()))  # encrypted at rest
    assert "person.factor_added" in actions(world.organisation)
    cache.clear()  # a code works once; the next one would be half a minute away
    client, answer = sign_in(world.owner)
    assert answer["Location"] == "/account/2fa/authenticate/"
    assert not is_in(client)
    assert b"Incorrect code" in client.post("/account/2fa/authenticate/", {"code": "000000"}).content
    assert actions(world.organisation).count("person.factor_failed") == 1
    client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    assert is_in(client)


def test_an_older_session_is_asked_for_the_password_first(world) -> None:
    client, _ = sign_in(world.owner)
    session = client.session
    session["signed_in_at"] -= 301
    session.save()
    answer = client.get("/account/2fa/totp/activate/")
    assert answer["Location"].startswith("/account/reauthenticate/")
    assert b"Incorrect password" in client.post(answer["Location"], {"password": "wrong"}).content
    assert (
        client.post(answer["Location"], {"password": PASSWORD})["Location"] == "/account/2fa/totp/activate/"
    )
    enrol(client)


def test_a_recovery_code_works_once(world) -> None:
    client, _ = sign_in(world.owner)
    enrol(client)
    code = client.get("/account/2fa/recovery-codes/download/").content.decode().split()[0]
    assert code in client.get("/account/2fa/recovery-codes/").content.decode()
    for expected in (True, False):
        again, _ = sign_in(world.owner)
        again.post("/account/2fa/authenticate/", {"code": code})
        assert is_in(again) is expected


def test_where_two_factors_are_required_they_come_first(world, settings) -> None:
    settings.MFA = "required"
    client, _ = sign_in(world.owner)
    for path in ("/", "/people/", "/operator/"):
        assert client.get(path)["Location"] == "/account/2fa/"
    refused = client.get("/api/v1/jobs")
    assert (refused.status_code, "two-factor" in refused.json()["detail"]) == (403, True)
    assert b"Two factors are required here" in client.get("/account/2fa/").content
    enrol(client)
    assert is_in(client)
    assert world.api("jobs:read").get("/jobs").status_code == 200  # programs have keys


@pytest.mark.parametrize("path", ["/", "/people/", "/operator/"])
def test_a_header_for_programs_does_not_pass_by_the_second_factor(world, settings, path) -> None:
    settings.MFA = "required"
    User.objects.filter(pk=world.owner.pk).update(is_staff=True)
    client, _ = sign_in(world.owner)
    assert client.get(path, headers={"authorization": "x"})["Location"] == "/account/2fa/"


def test_an_organisation_may_require_them_for_itself(world) -> None:
    world.organisation.mfa_required = True
    world.organisation.save()
    assert world.browser(world.owner).get("/")["Location"] == "/account/2fa/"
    assert world.browser(world.stranger).get("/").status_code == 200


def test_where_they_are_off_nobody_is_asked(world, settings) -> None:
    settings.MFA = "off"
    world.organisation.mfa_required = True
    world.organisation.save()
    assert is_in(world.browser(world.owner))


def test_the_seed_of_codes_is_not_the_stored_text() -> None:
    from rootstock.accounts.mfa import MfaAdapter

    adapter, secret = MfaAdapter(), generate_totp_secret()
    assert adapter.decrypt(adapter.encrypt(secret)) == secret
    assert secret not in adapter.encrypt(secret)


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 "
            "Safari/537.36 Edg/130.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1 Version/17.0 Safari/604.1",
            "Safari on iPhone",
        ),
        ("curl/8.5", "curl/8.5"),
        ("", "Unknown browser"),
    ],
)
def test_browsers_are_named(agent, shown) -> None:
    assert browser_name(agent) == shown


PAGES = [
    *("/account/", "/account/2fa/", "/account/2fa/totp/activate/", "/account/2fa/webauthn/add/"),
    *("/account/2fa/webauthn/", "/account/password/change/", "/account/password/reset/"),
    *("/account/password/reset/done/", "/account/logout/", "/account/inactive/", "/account/signup/"),
    *("/account/3rdparty/", "/account/3rdparty/login/error/", "/account/3rdparty/login/cancelled/"),
    *("/account/password/reset/key/1-wrong/", "/account/reauthenticate/", "/account/confirm-email/"),
    *("/account/email/", "/account/sessions/", "/account/login/", "/account/password/reset/key/done/"),
]


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_signing_in_has_the_product_s_looks(world, path) -> None:
    from tests.rootstock.test_console import Inline

    for client in (sign_in(world.owner)[0], Client()):
        answer = client.get(path, follow=True)
        page = answer.content.decode()
        assert answer.status_code == (401 if "login/error" in path else 200)
        assert "console/console.css" in page
        assert "Menu:" not in page
        assert Inline(page).found == []


def test_allauth_s_phrases_are_this_product_s(world, settings) -> None:
    settings.MAIL_CONFIGURED = True
    client, _ = sign_in(world.owner)
    enrol(client)
    for path, told, told_no_more in (
        ("/account/password/reset/", "Reset your password", "Please contact us"),
        ("/account/password/reset/key/1-wrong/", "This link does not work", "Bad Token"),
        ("/account/2fa/webauthn/", "<h1>Passkeys</h1>", "Security Keys"),
        ("/account/2fa/totp/deactivate/", "Remove the authenticator app", "Deactivate"),
        ("/account/reauthenticate/", "Confirm that it is you", "reauthenticate to safeguard"),
    ):
        page = client.get(path, follow=True).content.decode()
        assert told in page
        assert told_no_more not in page


def test_every_phrase_that_is_reworded_is_still_allauth_s() -> None:
    folder = Path(allauth.__file__).parent
    files = [path.read_text() for pattern in ("*.html", "*.py") for path in folder.rglob(pattern)]
    theirs = " ".join(" ".join(files).split())
    sentences = {one for phrase in WORDING for one in re.split(r"(?<=\.) ", phrase)}
    assert {one for one in sentences if one not in theirs} == set()
