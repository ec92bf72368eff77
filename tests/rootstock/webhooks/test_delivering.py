"""Deliveries to a real receiver: signed, retried, given up, disabled."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from queue import Queue

import pytest
from django.db import connection
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.webhooks import delivering, retention, sending
from rootstock.webhooks.endpoints import endpoint_locked
from rootstock.webhooks.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookEvent
from rootstock.webhooks.retention import events_purge
from rootstock.webhooks.sending import message_of, send
from rootstock.webhooks.services import event_emit
from rootstock.webhooks.signing import sealed, secret_new
from tests.rootstock.webhooks.certificates import write_certificate
from tests.rootstock.webhooks.conftest import Receiver

pytestmark = pytest.mark.everybody

MESSAGE = message_of("msg_1", "job.failed", datetime(2026, 1, 2, tzinfo=UTC), {"job": "7"})


def emit(world, **data: str) -> None:
    event_emit(organisation=world.organisation, type="job.failed", data=data or {"job": "7"})


def deliver(world) -> int:
    return delivering.deliver(organisation=world.organisation.pk)


def only(world, model=WebhookDelivery):
    with tenant(world.organisation):
        return model.objects.get()


def make_due(world) -> None:
    with tenant(world.organisation):
        WebhookDelivery.objects.update(next_attempt_at=timezone.now(), lease_until=None)


def test_it_works(world, receiver, endpoint_at) -> None:
    endpoint_at(receiver.url("/ok"), receiver.secret)
    emit(world)
    assert deliver(world) == 1
    [seen] = receiver.log()
    event = only(world, WebhookEvent)
    assert seen["verified"]
    assert seen["id"] == event.message_id
    assert seen["body"] == {
        "type": "job.failed", "timestamp": event.created_at.isoformat(), "data": {"job": "7"}
    }  # fmt: skip
    assert only(world).state == "delivered"
    attempt = only(world, WebhookAttempt)
    assert (attempt.status, attempt.succeeded, attempt.excerpt) == (200, True, "thanks")
    assert deliver(world) == 0


def test_during_a_rotation_either_secret_verifies(receiver) -> None:
    for secrets, count in (([secret_new(), receiver.secret], 2), ([receiver.secret], 1)):
        assert send(receiver.url("/ok"), MESSAGE, secrets).succeeded
        assert receiver.log()[-1]["verified"]
        assert receiver.log()[-1]["signatures"] == count
    send(receiver.url("/ok"), MESSAGE, [secret_new()])
    assert not receiver.log()[-1]["verified"]


def test_a_failed_attempt_is_repeated_under_the_same_id_until_it_is_taken(
    world, receiver, endpoint_at
) -> None:
    endpoint_at(receiver.url("/times/2"), receiver.secret)
    emit(world)
    for tries in (1, 2, 3):
        make_due(world)
        assert deliver(world) == 1
        assert only(world).tries == tries
    assert only(world).state == "delivered"
    assert len({seen["id"] for seen in receiver.log()}) == 1
    assert only(world, WebhookEndpoint).failing_since is None


def test_a_receiver_that_is_away_and_comes_back(world, receiver, endpoint_at) -> None:
    endpoint_at(receiver.url("/ok"), receiver.secret)
    receiver.kill()
    emit(world)
    deliver(world)
    delivery = only(world)
    assert (delivery.state, delivery.last_error) == ("pending", "no connection could be made")
    assert 3 < (delivery.next_attempt_at - timezone.now()).total_seconds() < 7
    receiver.start()
    make_due(world)
    deliver(world)
    assert only(world).state == "delivered"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/status/500", 500, "answered 500"),
        ("/status/404", 404, "answered 404"),
        ("/redirect", 302, "redirects are not followed"),
        ("/hang", None, "no complete answer within 1 s"),
        ("/drip", None, "no complete answer within 1 s"),
    ],
)
def test_what_is_no_success(receiver, path, status, told) -> None:
    answer = send(receiver.url(path), MESSAGE, [receiver.secret])
    assert (answer.status, answer.succeeded) == (status, False)
    assert told in answer.error
    assert answer.latency_ms < 2500
    assert [seen["path"] for seen in receiver.log()] == [path]


def test_an_endless_answer_is_cut(receiver) -> None:
    answer = send(receiver.url("/endless"), MESSAGE, [receiver.secret])
    assert answer.succeeded
    assert len(answer.excerpt) == sending.EXCERPT


def test_an_echoed_secret_is_not_kept(receiver) -> None:
    answer = send(receiver.url("/echo"), MESSAGE, [receiver.secret])
    assert "webhook-id" in answer.excerpt
    assert receiver.secret[6:] not in answer.excerpt
    assert "v1," not in answer.excerpt
    assert "\0" not in answer.excerpt


def test_gone_disables_the_endpoint_and_ends_what_waits(world, receiver, endpoint_at) -> None:
    endpoint_at(receiver.url("/status/410"), receiver.secret)
    emit(world)
    deliver(world)
    endpoint, delivery = only(world, WebhookEndpoint), only(world)
    assert (endpoint.state, delivery.state) == ("disabled", "failed")
    assert "410" in endpoint.disabled_reason
    home = world.browser(world.owner).get("/").content.decode()
    assert "1 webhook switched off after failed deliveries" in home
    with tenant(world.organisation):
        assert AuditEntry.objects.filter(action="webhook_endpoint.disabled").count() == 1
    emit(world)
    assert deliver(world) == 0


def failed(world, receiver, endpoint_at, ago: timedelta) -> None:
    """An endpoint whose first failure is more than five days old, and whose latest is so old."""
    since = timezone.now() - timedelta(days=5, minutes=1)
    endpoint_at(receiver.url("/status/500"), receiver.secret, failing_since=since)
    emit(world)
    deliver(world)
    with tenant(world.organisation):
        WebhookAttempt.objects.update(at=timezone.now() - ago)
        WebhookEndpoint.objects.update(failing_since=since)
    emit(world)
    deliver(world)


def test_days_of_failure_disable_the_endpoint(world, receiver, endpoint_at) -> None:
    failed(world, receiver, endpoint_at, ago=timedelta(hours=9))
    assert only(world, WebhookEndpoint).disabled_reason == "every delivery failed for 5 days"


def test_a_failure_long_after_another_does_not(world, receiver, endpoint_at) -> None:
    failed(world, receiver, endpoint_at, ago=timedelta(days=3))
    endpoint = only(world, WebhookEndpoint)
    assert endpoint.is_active
    assert endpoint.failing_since > timezone.now() - timedelta(minutes=1), "a new row of failures begins"


def test_after_the_last_try_it_has_failed(world, receiver, endpoint_at, settings) -> None:
    settings.WEBHOOK_RETRY_S = (0, 0)
    endpoint_at(receiver.url("/status/500"), receiver.secret)
    emit(world)
    for _ in range(4):
        make_due(world)
        deliver(world)
    assert (only(world).state, only(world).tries) == ("failed", 3)
    assert only(world, WebhookEndpoint).state == "active"


def test_the_receiver_may_ask_for_more_time() -> None:
    assert delivering.pause_s(0, asked_s=120) == 120
    assert 4 <= delivering.pause_s(0) <= 6


def test_two_senders_do_not_send_the_same_and_a_dead_ones_is_taken_up(world, endpoint_at) -> None:
    endpoint_at("https://hooks.example/")
    emit(world)
    [claimed] = delivering.deliveries_claim(organisation=world.organisation.pk)
    assert delivering.deliveries_claim(organisation=world.organisation.pk) == []
    assert world.organisation.pk not in delivering.organisations_waiting()
    make_due(world)  # as when the lease has run out
    assert world.organisation.pk in delivering.organisations_waiting()
    [again] = delivering.deliveries_claim(organisation=world.organisation.pk)
    assert delivering.delivery_finish(delivering.Sent(again, sending.Answer(1.0, 200)))
    assert not delivering.delivery_finish(delivering.Sent(claimed, sending.Answer(1.0, None, "late")))
    assert only(world).state == "delivered"


def test_one_receiver_does_not_take_the_whole_batch(world, endpoint_at) -> None:
    endpoint_at("https://hooks.example/")
    for number in range(6):
        emit(world, job=str(number))
    organisation = world.organisation.pk
    assert len(delivering.deliveries_claim(organisation=organisation)) == delivering.PER_ENDPOINT
    assert delivering.deliveries_claim(organisation=organisation) == [], "as many as may be are on their way"
    endpoint_at("https://other.example/", events=["webhook.test"])
    event_emit(organisation=world.organisation, type="webhook.test", data={})
    [other] = delivering.deliveries_claim(organisation=organisation)
    assert other.endpoint.url == "https://other.example/"


def test_https_with_a_certificate_that_is_checked(receiver, tmp_path, monkeypatch) -> None:
    path = write_certificate(tmp_path / "own.pem", "hooks.example")
    secure = Receiver(receiver.secret, str(path))
    url = f"https://hooks.example:{secure.port}/ok"
    try:
        resolve = lambda host, port: ["127.0.0.1"]  # noqa: E731
        assert "certificate" in send(url, MESSAGE, [receiver.secret], resolve=resolve).error
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        sending.tls.cache_clear()
        assert send(url, MESSAGE, [receiver.secret], resolve=resolve).succeeded
        other = url.replace("hooks.example", "other.example")
        assert "certificate" in send(other, MESSAGE, [receiver.secret], resolve=resolve).error
    finally:
        sending.tls.cache_clear()
        secure.kill()


def test_old_events_go_when_their_deliveries_have_ended(world, endpoint_at, settings, monkeypatch) -> None:
    endpoint_at("https://hooks.example/")
    for number in range(3):
        emit(world, job=str(number))
    with tenant(world.organisation):
        WebhookEvent.objects.update(
            created_at=timezone.now() - timedelta(days=settings.WEBHOOK_KEEP_DAYS + 1)
        )
    assert events_purge() == 0
    with tenant(world.organisation):
        WebhookDelivery.objects.update(state="delivered")
    monkeypatch.setattr(retention, "PURGED_AT_ONCE", 2)
    assert events_purge() == 3
    with tenant(world.organisation):
        assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize("stored", ["gone:AAAA", "local-1:!!", ""])
def test_a_secret_that_cannot_be_opened_fails_alone(world, receiver, endpoint_at, stored) -> None:
    endpoint_at(receiver.url("/ok"), receiver.secret)
    broken = endpoint_at(receiver.url("/ok"))
    with tenant(world.organisation):
        WebhookEndpoint.objects.filter(pk=broken.pk).update(secret=stored)
    emit(world)
    assert deliver(world) == 2
    assert [seen["verified"] for seen in receiver.log()] == [True]
    with tenant(world.organisation):
        [attempt] = WebhookAttempt.objects.filter(succeeded=False)
        waiting = WebhookDelivery.objects.get(endpoint=broken)
        assert WebhookAttempt.objects.filter(succeeded=True).count() == 1
    assert (attempt.endpoint_id, attempt.error) == (broken.pk, delivering.SEALED)
    assert (waiting.state, waiting.tries, waiting.lease_until) == ("pending", 1, None)


def test_an_error_in_sending_one_fails_alone(world, endpoint_at) -> None:
    ends = {endpoint_at("http://127.0.0.1:9/").pk, endpoint_at("http://127.0.0.1:9/").pk}
    emit(world)
    faulty = min(ends)

    def send(delivery: WebhookDelivery) -> sending.Answer:
        if delivery.endpoint_id == faulty:
            raise RuntimeError
        return sending.Answer(1.0, 200)

    assert delivering.deliver(organisation=world.organisation.pk, send=send) == 2
    with tenant(world.organisation):
        errors = dict(WebhookAttempt.objects.values_list("endpoint_id", "error"))
    assert errors == {faulty: delivering.FAULTY, max(ends): ""}


def test_disabling_an_endpoint_while_an_attempt_is_written_down(committed_world) -> None:
    """Both hold the endpoint first; neither is ended by the database for waiting on the other."""
    organisation = committed_world.organisation
    with tenant(organisation):
        endpoint = WebhookEndpoint(organisation=organisation, url="https://receiver.test/", events=["*"])
        endpoint.secret = sealed(endpoint.pk, secret_new())
        endpoint.save()
    emit(committed_world)
    [delivery] = delivering.deliveries_claim(organisation=organisation.pk)
    failed, connected = delivering.Sent(delivery, sending.Answer(1.0, status=500)), Queue()

    def finish() -> bool:
        try:
            connection.ensure_connection()
            connected.put(connection.connection.info.backend_pid)
            return delivering.delivery_finish(failed)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other, tenant(organisation):
        held = endpoint_locked(endpoint.pk)
        written = other.submit(finish)
        wait_until_blocked(connected.get(timeout=30))
        delivering.endpoint_stop(held, "switched off")
    assert written.result(timeout=30) is False
    assert only(committed_world).state == "failed"


def wait_until_blocked(pid: int) -> None:
    """Until that connection waits for a lock of another."""
    with connection.cursor() as cursor:
        for _ in range(300):
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", [pid])
            if cursor.fetchone() == (True,):
                return
            time.sleep(0.1)
    raise AssertionError("it never waited")
