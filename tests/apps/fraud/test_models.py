"""/api/v1/fraud/models and /fraud/models/: trained on the organisation's own payments, agreed to by two people."""

import copy
import csv
import io
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection

from apps.fraud import backfill
from apps.fraud.bundles import asking, training
from apps.fraud.bundles.comparing import warning_of
from apps.fraud.bundles.contents import bundle_store
from apps.fraud.bundles.models import ModelVersion
from apps.fraud.bundles.showing import FIGURES, compared
from apps.fraud.bundles.stream import stream_of
from apps.fraud.bundles.versions import version_register
from apps.fraud.models import Label, Transaction
from models_zoo.fraud import splits
from models_zoo.fraud.boosting import Settings
from models_zoo.fraud.card import WEIGHTS, facts_of
from models_zoo.fraud.experts.organisation import train_bundle
from models_zoo.fraud.generator import START, generate
from models_zoo.fraud.streams import table
from models_zoo.fraud.worlds import stream
from rootstock.accounts.services import api_key_create
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.files import sweeping
from tests.apps.fraud.conftest import body
from tests.apps.fraud.test_batches import run
from tests.apps.fraud.test_transactions import problems
from tests.fixtures.world import Api

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("runtime"),
    pytest.mark.xdist_group("fraud-models"),
]  # one bundle is trained
PATH = "/fraud/models"
WORLD = (5, 140, 50, 16.0)
SCOPES = ("fraud:read", "fraud:write", "fraud:approve", "jobs:read")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A small bundle and its card."""
    folder = tmp_path_factory.mktemp("bundle")
    return folder, train_bundle(stream(*WORLD), folder, lambda text: None, Settings(rounds=30))


@pytest.fixture
def own(bank, bundle):
    """The bundle as the organisation's first version."""
    folder, card = bundle
    files = bundle_store(bank.organisation.pk, folder)
    return version_register(
        organisation=bank.organisation, card=card, files=files, job_id=None, made_by="person:1"
    )


def api_of(bank, person):
    """A key that a person made."""
    return Api(api_key_create(organisation=bank.organisation, name="k", scopes=SCOPES, created_by=person)[1])


@pytest.fixture
def asker(bank):
    return api_of(bank, bank.owner)


@pytest.fixture
def second(bank):
    """Somebody else's key."""
    return api_of(bank, bank.person("fraud_supervisor"))


def sent_by(api, number):
    """Who scores a new payment."""
    return api.post("/fraud/transactions", body(number)).json()["decision"]["model"]


def until(api, reference, first):
    """Payments until the model scores; at most a few seconds."""
    for number in range(first, first + 30):
        if sent_by(api, number) == reference:
            return
        time.sleep(0.2)
    raise AssertionError(f"{reference} does not score")


def activate(asker, second, number=1):
    asked = asker.post(f"{PATH}/requests", {"version": number, "reason": "better on our own days"})
    assert asked.status_code == 201, asked.json()
    return second.post(f"{PATH}/requests/{asked.json()['id']}/approve", {})


def history():
    """A generated world as a file of historic payments, with the reports that came."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            "external_id",
            "payer",
            "payee",
            "device",
            "amount",
            "currency",
            "channel",
            "occurred_at",
            "fraud",
            "known_at",
        ]
    )
    for place, one in enumerate(generate(*WORLD)):
        at = datetime.fromtimestamp(START + one.time, UTC)
        heard = one.typology and np.isfinite(one.known)
        told = ("1", datetime.fromtimestamp(START + one.known, UTC).isoformat()) if heard else ("", "")
        device = f"D{one.device}" if one.device else ""
        row = [
            f"h-{place}",
            f"A{one.payer}",
            f"A{one.payee}",
            device,
            f"{one.amount:.2f}",
            "EUR",
            one.channel,
        ]
        writer.writerow([*row, at.isoformat(), *told])
    return SimpleUploadedFile("history.csv", out.getvalue().encode(), "text/csv")


@pytest.mark.timeout(400)
def test_it_works(asker, second, bank):
    """From a file of historic payments to decisions by a model trained on them, and back."""
    stored = asker.upload("/fraud/backfills", file=history()).json()
    assert run(bank, stored["job"]["id"], backfill.run).result["rejected"] == 0
    before = asker.post("/fraud/transactions", body(1, occurred_at="2026-02-20T09:00:00Z")).json()
    asked = asker.post(PATH)
    assert asked.status_code == 202, asked.json()
    job = run(bank, asked.json()["job"]["id"], training.train)
    assert job.state == "succeeded", job.error
    reference = job.result["model"]
    (listed,) = asker.get(PATH).json()["items"]
    assert (listed["number"], listed["reference"]) == (1, reference)
    card = asker.get(f"{PATH}/1").json()["card"]
    figures = card["figures"]["test"]
    assert figures["boosting"]["average_precision"] > figures["hand_rules"]["average_precision"]
    assert figures["shipped"]["reference"] == card["nets_of"] == before["decision"]["model"]
    assert job.result["warning"] == listed["warning"] == warning_of(card)
    assert {"hist_gradient_boosting", "cost_curve", "calibration", "calibration_error"} <= set(figures)
    assert asker.get(f"{PATH}/active").json()["current"] is None

    assert activate(asker, second).json()["reference"] == reference
    until(asker, reference, 100)
    own = asker.post("/fraud/transactions", body(200, amount="950.00", channel="instant")).json()
    assert own["decision"]["model"] == reference != before["decision"]["model"]
    explained = asker.get(f"/fraud/transactions/{own['id']}/explanation").json()
    assert (explained["model"], explained["agrees"]) == (reference, True)

    back = asker.post(f"{PATH}/roll-back", {"reason": "too many alerts", "generation": 1})
    assert (back.status_code, back.json()["current"]) == (200, None)
    until(asker, before["decision"]["model"], 300)
    for one in (before, own):  # each by the model that made it, whichever scores now
        call_command("replay_decision", one["id"])


def compared_as(bundle, low, high, **changes):
    """The bundle's card as if the comparison with the shipped model had ended so."""
    card = copy.deepcopy(bundle[1])
    card["figures"]["test"]["shipped"] |= {"gain": {"gain": 0.0, "low": low, "high": high}} | changes
    return card


def test_what_is_not_shown_to_be_better_says_so(bundle):
    assert warning_of(compared_as(bundle, 0.01, 0.05)) == ""
    assert "not shown to be better than the shipped model" in warning_of(compared_as(bundle, 0.0, 0.05))
    worse = warning_of(compared_as(bundle, -0.05, -0.01))
    assert "It is worse than the shipped model" in worse
    assert "-0.050 to -0.010" in worse
    other = warning_of(compared_as(bundle, 0.01, 0.05, reference="fraud@0123456789ab"))
    assert "fraud@0123456789ab, which is not the shipped model any more" in other
    unmeasured = compared_as(bundle, 0.01, 0.05)
    del unmeasured["figures"]["test"]["shipped"]
    assert "was not measured beside the shipped model" in warning_of(unmeasured)


def test_who_asks_and_who_agrees_are_warned(asker, second, bank, own, bundle):
    """Both by the API and on the page; the second person may agree all the same."""
    card = compared_as(bundle, -0.05, -0.01)
    with tenant(bank.organisation):
        ModelVersion.objects.filter(pk=own.pk).update(card=card)
    asked = asker.post(f"{PATH}/requests", {"version": 1, "reason": "because"}).json()
    assert asked["warning"] == warning_of(card) != ""
    assert second.get(f"{PATH}/requests/{asked['id']}").json()["warning"] == asked["warning"]
    html = bank.browser(bank.person("fraud_supervisor")).get("/fraud/models/").content.decode()
    assert "Not shown to be better" in html
    assert f"<strong>Warning:</strong> {asked['warning']}" in html
    assert f'data-confirm="{asked["warning"]} It scores every payment within seconds.' in html
    agreed = second.post(f"{PATH}/requests/{asked['id']}/approve", {})
    assert (agreed.status_code, agreed.json()["current"]["warning"]) == (200, asked["warning"])


def test_the_page_says_why_the_shipped_nets_are_not_there(bank, own, bundle):
    card = bundle[1] | {"fusion": {"used": False, "why": "3 frauds in the last 40% of the validation days"}}
    with tenant(bank.organisation):
        ModelVersion.objects.filter(pk=own.pk).update(card=card)
    html = bank.browser(bank.owner).get("/fraud/models/").content.decode()
    assert "Boosting alone: 3 frauds in the last 40% of the validation days." in html


def test_too_few_frauds_are_said_at_once(asker, bank):
    refused = asker.post(PATH)
    assert refused.status_code == 422
    assert "0 payments are labelled fraud; at least 60" in problems(refused)["labels"]
    assert asking.LEAST_FRAUDS == 3 * splits.LEAST


def test_too_short_a_stream_fails_in_words(asker, bank):
    payments = [body(n) for n in range(1, 71)]
    asker.post("/fraud/transactions", payments)
    labels = [{"external_id": f"p-{n}", "fraud": True, "source": "test"} for n in range(1, 66)]
    asker.post("/fraud/labels", labels)
    asked = asker.post(PATH)
    assert asker.post(PATH).status_code == 409
    job = run(bank, asked.json()["job"]["id"], training.train)
    assert job.state == "failed"
    assert (job.error["code"], job.error["errors"][0]["field"]) == ("invalid_input", "payments")
    assert "days" in job.error["detail"]
    assert asker.get(PATH).json()["items"] == []


def test_of_two_trainings_asked_for_at_once_one_begins(asker, bank):
    asker.post("/fraud/transactions", [body(n) for n in range(1, 61)])
    labels = [{"external_id": f"p-{n}", "fraud": True, "source": "test"} for n in range(1, 61)]
    asker.post("/fraud/labels", labels)
    found = []

    def ask():
        try:
            found.append(asking.training_start(organisation=bank.organisation))
        except Conflict as error:
            found.append(error.detail)
        connection.close()

    second = threading.Thread(target=ask)
    with tenant(bank.organisation):
        asking.training_start(organisation=bank.organisation)
        second.start()
        second.join(1)
        assert not found  # it waits for what is not committed yet
    second.join(10)
    assert found == ["a model is being trained already"]


def test_who_asked_may_not_agree(asker, second, own):
    asked = asker.post(f"{PATH}/requests", {"version": 1, "reason": "because"}).json()
    assert asker.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 403
    assert asker.post(f"{PATH}/requests", {"version": 1, "reason": "again"}).status_code == 409
    refused = second.post(f"{PATH}/requests/{asked['id']}/refuse", {"reason": "not yet"}).json()
    assert refused["state"] == "refused"
    assert second.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 409
    assert asker.get(f"{PATH}/active").json()["current"] is None
    withdrawn = asker.post(f"{PATH}/requests", {"version": 1, "reason": "because"}).json()
    mine = asker.post(f"{PATH}/requests/{withdrawn['id']}/refuse", {"reason": "no"}).json()
    assert mine["state"] == "withdrawn"
    assert asker.post(f"{PATH}/roll-back", {"reason": "back"}).status_code == 409
    assert asker.post(f"{PATH}/requests", {"version": 7, "reason": "x"}).status_code == 404


def test_moves_are_kept_and_seen_generations_count(asker, second, own):
    activate(asker, second)
    assert asker.post(f"{PATH}/roll-back", {"reason": "x", "generation": 0}).status_code == 409
    asker.post(f"{PATH}/roll-back", {"reason": "worse", "generation": 1})
    moves = asker.get(f"{PATH}/moves").json()["items"]
    assert [(one["kind"], one["before"], one["after"]) for one in moves] == [
        ("roll_back", own.reference, None),
        ("serve", None, own.reference),
    ]


def test_roll_back_of_a_model_that_scored_twice(asker, second, own, bundle, bank):
    other, last = (
        version_register(
            organisation=bank.organisation,
            card=bundle[1] | {"digest": letter * 64},
            files=own.files,
            job_id=None,
            made_by="person:1",
        )
        for letter in "ef"
    )
    for one in (own, other, own, last):
        assert activate(asker, second, one.number).status_code == 200
    found = [asker.post(f"{PATH}/roll-back", {"reason": "worse"}).json()["current"] for _ in range(4)]
    assert [one and one["number"] for one in found] == [own.number, other.number, own.number, None]


def test_other_organisations_and_scopes(asker, second, own, bank):
    activate(asker, second)
    other = bank.api(*SCOPES, organisation=bank.other)
    assert other.get(f"{PATH}/1").status_code == 404
    assert other.get(PATH).json()["items"] == []
    assert sent_by(other, 1) != own.reference
    reader = bank.api("fraud:read")
    assert reader.post(PATH).status_code == 403
    assert bank.api("fraud:write").post(f"{PATH}/roll-back", {"reason": "x"}).status_code == 403


def test_what_a_broken_training_left_is_swept(own, bank):
    """A bundle that no version names, a day old; those of versions stay, whatever their age."""
    left = f"fraud-models/{bank.organisation.pk}/{'0' * 64}/boosting.model.txt"
    foreign = f"fraud-models/{bank.other.pk}/{own.digest}/boosting.model.txt"
    fresh = f"fraud-models/{bank.organisation.pk}/{'1' * 64}/boosting.model.txt"
    old = time.time() - 90_000
    for key in (left, foreign, fresh):
        default_storage.save(key, ContentFile(b"x"))
    for key in (left, foreign, *own.files.values()):
        os.utime(default_storage.path(key), (old, old))
    assert sweeping.orphans_sweep() >= 2
    assert [default_storage.exists(key) for key in (left, foreign, fresh)] == [False, False, True]
    assert all(default_storage.exists(key) for key in own.files.values())
    default_storage.delete(fresh)


def test_a_model_whose_files_are_gone_is_said(asker, second, own):
    with tenant(own.organisation_id):
        files = {name: f"{key}.gone" for name, key in own.files.items()}
        ModelVersion.objects.filter(pk=own.pk).update(files=files)
    activate(asker, second)
    time.sleep(1.1)
    failed = asker.post("/fraud/transactions", body(1))
    assert (failed.status_code, failed.json()["code"]) == (503, "unavailable")
    asker.post(f"{PATH}/roll-back", {"reason": "its files are gone"})
    time.sleep(1.1)
    assert asker.post("/fraud/transactions", body(1)).json()["decision"]


def test_the_stream_is_in_the_order_in_which_things_were_known(asker, bank):
    """Historic payments stand where they would have come, with their labels when those were known."""
    old = datetime(2026, 1, 1, 12, tzinfo=UTC)
    given = [
        body(n, payer="P", payee=f"S{n}", occurred_at=(old + timedelta(days=n)).isoformat())
        for n in range(30)
    ]
    asker.post("/fraud/transactions", list(reversed(given)))
    known = (old + timedelta(days=12, hours=1)).isoformat()
    asker.post("/fraud/labels", {"external_id": "p-10", "fraud": True, "source": "t", "known_at": known})
    asker.post("/fraud/labels", {"external_id": "p-20", "fraud": True, "source": "t"})
    found = stream_of(bank.organisation.pk)
    assert np.all(np.diff(found.near.payment["time"]) > 0)
    assert found.labels.sum() == 2
    assert len(found.labels) == 22  # those of the last seven days may still be called fraud
    windows = found.near.rows(slice(None)).payer
    seen = [sorted(set(row["fraud"].tolist())) for row in windows]
    first = next(place for place, one in enumerate(seen) if 1 in one)
    assert first == 13  # the day after the report; without `known_at` a week after the payment
    assert table(found.near).shape[0] == 22
    with tenant(bank.organisation):
        assert (Transaction.objects.count(), Label.objects.count()) == (30, 2)


def test_the_page(asker, second, own, bank):
    browser = bank.browser(bank.owner)
    html = browser.get("/fraud/models/", headers={"accept": "text/html"}).content.decode()
    assert own.reference in html
    for part in ("What fraud costs", "Hand rules", "The shipped model", "Train on our payments", "Propose"):
        assert part in html
    asked = browser.post("/fraud/models/1/propose", {"reason": "better"}, follow=True).content.decode()
    assert "waits for a second person" in asked
    assert "You proposed it" in asked
    refused = browser.post("/fraud/models/train", follow=True).content.decode()
    assert "at least 60 are needed" in refused
    request = asker.get(f"{PATH}/requests?state=open").json()["items"][0]["id"]
    own_try = browser.post(f"/fraud/models/requests/{request}/approve", follow=True).content.decode()
    assert "a second person has to confirm it" in own_try
    second.post(f"{PATH}/requests/{request}/approve", {})
    html = browser.get("/fraud/models/").content.decode()
    assert "Scores now" in html
    assert "Roll back" in html
    back = browser.post("/fraud/models/roll-back", {"reason": "no", "generation": "1"}, follow=True)
    assert "Rolled back" in back.content.decode()


def test_the_page_without_a_model(bank):
    html = bank.browser(bank.owner).get("/fraud/models/", headers={"accept": "text/html"}).content.decode()
    assert "No model of your own yet" in html
    assert "shipped with Rootstock" in html
    card = facts_of(WEIGHTS)
    for part in ("The shipped model", "Lost without a part", "Said and came", "Its boosting alone"):
        assert part in html
    assert compared(card)[0] == ("This model", [card["figures"]["test"]["fusion"][name] for name in FIGURES])
