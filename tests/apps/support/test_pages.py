"""The pages of the support desk, as HTML."""

import re

import pytest

from rootstock.ids import uuid7


@pytest.fixture
def browser(world):
    return world.browser(world.owner)


@pytest.fixture
def path(world):
    started = world.api("support:write").post(
        "/support/conversations", {"subject": "Late parcel", "customer": "C-9"}
    )
    return f"/support/{started.json()['id']}/"


def html(response) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_an_empty_list_says_what_to_do_next(browser):
    assert "New conversation" in html(browser.get("/support/"))


def test_the_list_names_the_conversation(browser, path):
    page = html(browser.get("/support/"))
    assert "Late parcel" in page
    assert f'href="{path}"' in page
    assert "Late parcel" not in html(browser.get("/support/?state=closed"))
    assert "Late parcel" in html(browser.get("/support/?search=c-9"))


def test_a_conversation_shows_the_greeting_and_a_composer(browser, path):
    page = html(browser.get(path))
    assert "You are talking to an AI assistant" in page
    assert "data-chat-form" in page
    assert "Emotion over turns" not in page


def test_a_closed_conversation_has_no_composer(browser, path):
    assert browser.post(f"{path}close").status_code == 302
    page = html(browser.get(path))
    assert "This conversation is closed." in page
    assert "data-chat" not in re.sub(r"data-chat-\w+", "", page)


def test_the_home_page_counts_open_conversations(browser, path):
    page = html(browser.get("/"))
    assert "Open conversations" in page
    assert "Upset at last" in page


def test_starting_one_leads_to_its_page(browser):
    answer = browser.post("/support/new", {"subject": "Invoice"})
    assert answer.status_code == 302
    assert "Invoice" in html(browser.get(answer["Location"]))
    assert "at most 160" in html(browser.post("/support/new", {"subject": "a" * 161}))


def test_a_reader_may_look_and_not_write(world, path):
    auditor = world.browser(world.colleague)
    assert "may read this conversation, not write" in html(auditor.get(path))
    assert auditor.post(f"{path}messages", {"text": "Hello"}).status_code == 403


def test_strangers_and_the_signed_out_see_nothing(world, path, client):
    assert world.browser(world.stranger).get(path).status_code == 404
    assert client.get(path)["Location"].startswith("/login")
    assert world.browser(world.owner).get(f"/support/{uuid7()}/").status_code == 404


def test_a_message_from_the_page_streams_and_then_shows(desk):
    browser = desk.browser(desk.owner)
    page = browser.post("/support/new", {"subject": "Late parcel"})["Location"]
    posted = browser.post(f"{page}messages", {"text": "I am furious <script>alert(1)</script>"}).json()
    assert set(posted) == {"turn", "stream", "cancel"}
    b"".join(browser.get(posted["stream"]).streaming_content)
    shown = html(browser.get(page))
    assert "Anger" in shown
    assert "You can count on it." in shown
    assert "ffffffffffff" in shown  # the model's fingerprint
    assert "<script>alert" not in shown
    assert "Emotion over turns" in html(browser.get(f"{page}emotions"))
    assert "Anger" in html(browser.get("/support/?group=upset"))


def test_a_message_that_is_refused_is_a_problem_for_the_composer(desk):
    browser = desk.browser(desk.owner)
    page = browser.post("/support/new", {})["Location"]
    answer = browser.post(f"{page}messages", {"text": "  "}, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert "problem+json" in answer["Content-Type"]


def test_the_list_is_sorted_by_last_activity(world, browser, path):
    from apps.support.models import Conversation
    from rootstock.accounts.tenancy import tenant

    world.api("support:write").post("/support/conversations", {"subject": "Broken lamp"})
    with tenant(world.organisation):
        late = Conversation.objects.get(pk=path.split("/")[2])
        Conversation.objects.filter(pk=late.pk).update(
            last_activity_at=late.last_activity_at.replace(year=2199)
        )
    shown = html(browser.get("/support/"))
    assert shown.index("Broken lamp") < shown.index("Late parcel")
    shown = html(browser.get("/support/?sort=-last_activity_at"))
    assert shown.index("Late parcel") < shown.index("Broken lamp")
