"""Master keys: parsing, rotation while others read and write, and which key can go."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection

from apps.support.models import Turn
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import InternalError
from rootstock.privacy import keyring, rotation
from rootstock.privacy.models import IndexKey, SubjectKey
from tests.rootstock.privacy.conftest import CUSTOMER, SAID, Planted, talk

OLD, NEW = keyring.new_key("old"), keyring.new_key("new")


@pytest.fixture
def keys(settings: Any, planted: Planted) -> Iterator[Any]:
    """Sets the variable for the test; keys that other tests left behind stay readable."""
    usual = Path(settings.MASTER_KEYS).read_text()

    def use(*texts: str) -> None:
        settings.MASTER_KEYS = ",".join([*texts, usual])

    yield use
    # What the test wrapped is wrapped for the other tests again.
    settings.MASTER_KEYS = ",".join([usual, OLD, NEW])
    rotation.rewrap(planted.organisation)


def wrapped_by(organisation: Any) -> set[str]:
    """The master keys in use."""
    with tenant(organisation):
        return {
            *SubjectKey.objects.values_list("master_key", flat=True),
            *IndexKey.objects.values_list("master_key", flat=True),
        }


def test_it_works(planted: Planted, keys: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys(OLD)
    talk(planted.organisation)
    assert wrapped_by(planted.organisation) == {"old"}
    found = planted.find(CUSTOMER)["id"]
    keys(NEW, OLD)
    monkeypatch.setattr(rotation, "status", partial(rotation.status, planted.organisation))
    with pytest.raises(CommandError, match="it still wraps"):
        call_command("master_keys", "drop", "old")
    rotation.rewrap(planted.organisation)
    assert wrapped_by(planted.organisation) == {"new"}
    keys(NEW)  # the old key is gone for good
    assert planted.find(CUSTOMER)["id"] == found  # indexes did not change
    with tenant(planted.organisation):
        assert SAID in {turn.text for turn in Turn.objects.all()}
        entry = AuditEntry.objects.get(action="master_key.rotated")
    assert (entry.object_id, entry.data["keys"]) == ("new", 2)
    call_command("master_keys", "status")
    assert "new: active" in capsys.readouterr().out
    monkeypatch.undo()
    shown = planted.api.get("/privacy/master-keys").json()
    assert [(key["id"], key["active"], key["in_use"]) for key in shown][:1] == [("new", True, 2)]


def test_a_missing_key_is_named(planted: Planted, keys: Any) -> None:
    keys(OLD)
    talk(planted.organisation)
    keys(NEW)
    with tenant(planted.organisation), pytest.raises(InternalError, match="master key old is not among"):
        _ = Turn.objects.order_by("-number")[0].text
    assert {key.id for key in rotation.status(planted.organisation) if not key.present} == {"old"}


def test_a_missing_key_holds_up_no_other(
    planted: Planted, keys: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Path(settings.MASTER_KEYS).read_text().strip()
    keys(OLD)
    talk(planted.organisation)
    keys(NEW, OLD)
    talk(planted.organisation, customer="another")
    settings.MASTER_KEYS = f"{usual},{NEW}"
    done: list[int] = []
    monkeypatch.setattr(
        rotation, "rewrap_all", lambda say: done.append(rotation.rewrap(planted.organisation)) or 1
    )
    monkeypatch.setattr(rotation, "missing", partial(rotation.missing, planted.organisation))
    with pytest.raises(CommandError, match=r"not here: old \(2\)"):
        call_command("master_keys", "rewrap")
    assert done == [1]
    assert wrapped_by(planted.organisation) == {"old", keyring.ring().active.id}


def test_it_goes_on_where_it_stopped_and_leaves_the_erased(
    planted: Planted, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(OLD)
    for number in range(7):
        talk(planted.organisation, customer=f"customer {number}")
    planted.erase(planted.find("customer 3"))
    keys(NEW, OLD)
    monkeypatch.setattr(rotation, "BATCH", 2)
    assert rotation._rewrap_batch(planted.organisation.pk) == 3  # the index key and two
    assert rotation.rewrap(planted.organisation) == 4
    assert rotation.rewrap(planted.organisation) == 0
    with tenant(planted.organisation):
        gone = SubjectKey.objects.exclude(destroyed_at=None).get()
    assert bytes(gone.wrapped) == b""


def test_readers_and_writers_notice_nothing(
    planted: Planted, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys(OLD)
    for number in range(30):
        talk(planted.organisation, customer=f"customer {number}")
    keys(NEW, OLD)
    monkeypatch.setattr(rotation, "BATCH", 3)
    done, problems = threading.Event(), []

    def work() -> None:
        try:
            while not done.is_set():
                with tenant(planted.organisation):
                    assert all(turn.text for turn in Turn.objects.filter(role="user")[:40])
                talk(planted.organisation, customer="customer 29")
        except BaseException as problem:
            problems.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    assert rotation.rewrap(planted.organisation) == 31
    done.set()
    thread.join()
    assert not problems
    assert wrapped_by(planted.organisation) == {"new"}


def test_the_local_file(
    settings: Any, tmp_path: Path, services: None, django_db_blocker: Any, monkeypatch: Any
) -> None:
    path = tmp_path / "master-keys"
    path.write_text(OLD)
    settings.MASTER_KEYS = path
    monkeypatch.setattr(rotation, "status", lambda: [rotation.MasterKeyStatus("old", True, False, 0)])
    call_command("master_keys", "add", "fresh")
    assert [key.id for key in keyring.ring().keys] == ["fresh", "old"]
    assert path.stat().st_mode & 0o777 == 0o600
    call_command("master_keys", "drop", "old")
    assert [key.id for key in keyring.ring().keys] == ["fresh"]
    path.write_text(f"{NEW},{path.read_text()}")  # by another process
    assert keyring.ring().active.id == "new"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected id:base64"),
        ("plain", "expected id:base64"),
        ("a b:AAAA", "expected id:base64"),
        ("one:!!", "is not base64"),
        ("one:AAAA", "has 3 bytes, expected 32"),
        pytest.param(f"{OLD},{OLD}", "an id occurs twice", id="twice"),
    ],
)
def test_wrong_keys_are_refused_and_not_shown(text: str, reason: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"ROOTSTOCK_MASTER_KEYS.*{reason}") as caught:
        keyring.parse(text)
    assert "AAAA" not in str(caught.value)
