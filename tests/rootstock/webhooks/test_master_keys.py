"""Rotation of the master key with everything that is wrapped under it: nothing is lost with the old key."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils.module_loading import import_string

import rootstock
from apps.support.models import Conversation
from rootstock.accounts.tenancy import tenant
from rootstock.privacy import rotation
from rootstock.webhooks import delivering, retention
from rootstock.webhooks.models import WebhookEndpoint
from rootstock.webhooks.services import event_emit
from rootstock.webhooks.signing import secrets_of

pytestmark = pytest.mark.everybody

BODY = {"subject": "Jane Planted asks", "customer": "c-1"}


@pytest.fixture
def key_file(settings: Any, tmp_path: Path) -> Path:
    """The local file, with the keys that other tests' rows are under."""
    path = tmp_path / "master-keys"
    path.write_text(Path(settings.MASTER_KEYS).read_text().strip())
    settings.MASTER_KEYS = path
    return path


def in_use(world: Any, settings: Any, key: str) -> dict[str, int]:
    """How much of each kind a master key wraps."""
    with tenant(world.organisation):
        return {path: import_string(path).in_use()[key] for path in settings.MASTER_KEY_WRAPPERS}


def ask(api: Any) -> Any:
    return api.post("/support/conversations", BODY, **{"idempotency-key": "k-1"})


def test_everything_follows_and_a_delivery_still_signs(
    world, settings, key_file, receiver, endpoint_at
) -> None:
    call_command("master_keys", "add", "first")
    endpoint = endpoint_at(receiver.url("/ok"), receiver.secret, events=("job.failed",))
    api = world.api("support:read", "support:write")
    asked = ask(api)
    assert asked.status_code == 201
    assert all(in_use(world, settings, "first").values()), in_use(world, settings, "first")
    call_command("master_keys", "add", "second")
    with pytest.raises(CommandError, match="it still wraps"):
        call_command("master_keys", "drop", "first")
    rotation.rewrap(world.organisation)
    assert not any(in_use(world, settings, "first").values())
    assert all(in_use(world, settings, "second").values())
    call_command("master_keys", "drop", "first")
    assert "first" not in key_file.read_text()
    event_emit(organisation=world.organisation, type="job.failed", data={"job": "7"})
    delivering.deliver(organisation=world.organisation.pk)
    assert [seen["verified"] for seen in receiver.log()] == [True]
    again = ask(api)
    assert (again["Idempotent-Replayed"], again.content) == ("true", asked.content)
    with tenant(world.organisation):
        assert Conversation.objects.get().subject == BODY["subject"]
        assert WebhookEndpoint.objects.get(pk=endpoint.pk).secret.startswith("second:")


def test_a_secret_alone_keeps_its_key(world, key_file, endpoint_at) -> None:
    call_command("master_keys", "add", "first")
    endpoint_at("http://127.0.0.1:9/")
    call_command("master_keys", "add", "second")
    with pytest.raises(CommandError, match="it still wraps 1 keys"):
        call_command("master_keys", "drop", "first")


def test_a_secret_whose_key_is_gone_holds_up_no_other(world, key_file, endpoint_at) -> None:
    call_command("master_keys", "add", "first")
    lost, kept = endpoint_at("http://127.0.0.1:9/"), endpoint_at("http://127.0.0.1:9/")
    with tenant(world.organisation):
        WebhookEndpoint.objects.filter(pk=lost.pk).update(secret="gone:AAAA")
    secrets = secrets_of(kept)
    call_command("master_keys", "add", "second")
    assert rotation.rewrap(world.organisation) == 1
    assert retention._renew(world.organisation) == 0
    with tenant(world.organisation):
        stored = dict(WebhookEndpoint.objects.values_list("pk", "secret"))
        assert secrets_of(WebhookEndpoint.objects.get(pk=kept.pk)) == secrets
    assert stored[lost.pk] == "gone:AAAA"
    assert stored[kept.pk].startswith("second:")
    shown = {key.id: key for key in rotation.status(world.organisation)}
    assert (shown["gone"].present, shown["gone"].in_use) == (False, 1)


def test_nobody_else_wraps() -> None:
    """A new place that wraps under the master key has to be in MASTER_KEY_WRAPPERS, and then here."""
    root = Path(rootstock.__file__).parents[2]
    wraps = re.compile(r"keyring\.wrap\(|keyring import .*\bwrap\b")
    found = {
        str(path.relative_to(root))
        for part in ("platform", "apps", "workers")
        for path in (root / part).rglob("*.py")
        if wraps.search(path.read_text())
    }
    assert found == {
        "platform/rootstock/idempotency/services.py",
        "platform/rootstock/privacy/keys.py",
        "platform/rootstock/privacy/rotation.py",
        "platform/rootstock/webhooks/signing.py",
    }
