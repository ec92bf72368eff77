"""The pages of webhooks."""

import pytest

from rootstock.webhooks import delivering
from rootstock.webhooks.services import event_emit


@pytest.fixture
def browser(world, settings):
    settings.WEBHOOK_ALLOW = ("127.0.0.1",)
    return world.browser(world.owner)


def add(browser, url: str = "http://127.0.0.1:9/"):
    return browser.post("/webhooks/new/", {"url": url, "events": ["job.failed"], "description": "CRM"})


def test_it_works(world, browser, receiver, endpoint_at) -> None:
    shown = add(browser, receiver.url("/ok"))
    assert "whsec_" in shown.content.decode()
    assert shown["Cache-Control"] == "no-store"
    endpoint = endpoint_at(receiver.url("/ok"), receiver.secret)
    listed = browser.get("/webhooks/").content.decode()
    assert receiver.url("/ok") in listed
    sent = browser.post(f"/webhooks/{endpoint.pk}/test/", follow=True)
    assert "Not tried yet" in sent.content.decode()
    delivering.deliver(organisation=world.organisation.pk)
    address = sent.redirect_chain[-1][0]
    part = browser.get(address, headers={"HX-Request": "true", "HX-Target": "delivery"})
    assert part.status_code == 286
    assert "thanks" in part.content.decode()
    page = browser.get(f"/webhooks/{endpoint.pk}/").content.decode()
    assert "webhook.test" in page
    assert "Tries by the hour" in page
    assert "webhook.test" in browser.get("/webhooks/deliveries/").content.decode()
    assert browser.post(f"{address}replay/").status_code == 302
    assert delivering.deliver(organisation=world.organisation.pk) == 1


def test_a_bad_address_is_told_beside_its_field(browser) -> None:
    page = add(browser, "https://10.0.0.1/").content.decode()
    assert "not on the public internet" in page
    assert "whsec_" not in page


def test_changed_rotated_disabled_enabled_and_deleted(world, browser, endpoint_at) -> None:
    endpoint = endpoint_at("http://127.0.0.1:9/")
    event_emit(organisation=world.organisation, type="job.failed", data={"job": "1"})
    base = f"/webhooks/{endpoint.pk}"
    assert "whsec_" in browser.post(f"{base}/rotate/", {"overlap_hours": "24"}).content.decode()
    changed = browser.post(
        f"{base}/edit/", {"url": endpoint.url, "events": ["*"], "description": "New"}, follow=True
    )
    assert "New" in changed.content.decode()
    assert "disabled" in browser.post(f"{base}/disable/", follow=True).content.decode()
    browser.post(f"{base}/enable/")
    assert (
        "1 failed deliveries" in browser.post(f"{base}/replay/", {"hours": "1"}, follow=True).content.decode()
    )
    assert browser.post(f"{base}/delete/", follow=True).status_code == 200
    assert browser.get(f"{base}/").status_code == 404


def test_readers_change_nothing_and_strangers_see_nothing(world, browser, endpoint_at) -> None:
    endpoint = endpoint_at("http://127.0.0.1:9/")
    auditor, stranger = world.browser(world.colleague), world.browser(world.stranger)
    page = auditor.get(f"/webhooks/{endpoint.pk}/").content.decode()
    assert f"/webhooks/{endpoint.pk}/test/" not in page
    for action in ("rotate", "disable", "test", "replay", "delete"):
        assert auditor.post(f"/webhooks/{endpoint.pk}/{action}/").status_code == 403
        assert (
            stranger.post(f"/webhooks/{endpoint.pk}/{action}/", {"overlap_hours": 1, "hours": 1}).status_code
            == 404
        )
    assert stranger.get(f"/webhooks/{endpoint.pk}/").status_code == 404
    assert endpoint.url not in stranger.get("/webhooks/").content.decode()
