"""Decisions of a bundle that an earlier release shipped: made again and explained long after it was replaced."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError

from apps.fraud.bundles.contents import SHIPPED, shipped_keep, shipped_scorer
from apps.fraud.bundles.serving import shipped_keep_in_time
from models_zoo.fraud.boosting import NAME
from models_zoo.fraud.card import CARD, WEIGHTS, facts_of, files_of, read_card, write_card
from models_zoo.fraud.scorer import Scorer, WeightsError
from tests.apps.fraud.test_explanation import burst, explain
from tests.apps.fraud.test_replay import replay

pytestmark = [pytest.mark.usefixtures("runtime"), pytest.mark.xdist_group("fraud-kept")]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """What an earlier release shipped: the same experts under another digest."""
    folder = tmp_path_factory.mktemp("earlier") / "weights"
    shutil.copytree(WEIGHTS, folder)
    with (folder / NAME / CARD).open("a") as card:
        card.write("\n")
    write_card(folder, facts_of(folder))
    assert read_card(folder).digest != read_card().digest
    return folder


def root(folder):
    return f"{SHIPPED}/{read_card(folder).digest}"


@pytest.fixture(autouse=True)
def nothing_kept(earlier):
    for path in [*files_of(earlier), earlier / CARD]:
        default_storage.delete(f"{root(earlier)}/{path.relative_to(earlier).as_posix()}")


@contextmanager
def shipping(runtime, folder):
    """The worker as that release starts it, and then as this one does."""
    models = [one.handler.models for name, one in runtime._consumers.items() if name.startswith("fraud.")]
    scorers = [one.shipped for one in models]
    for one in models:
        one.shipped = Scorer(folder)
    yield
    for one, scorer in zip(models, scorers, strict=True):
        one.shipped = scorer
        one._loaded.clear()


def test_it_works(api, runtime, earlier, valkey):
    with shipping(runtime, earlier):
        shipped_keep(valkey, earlier)
        sent = burst(api)
        then = explain(api, sent["id"]).json()
    assert sent["decision"]["model"] == read_card(earlier).reference
    assert burst(api)["decision"] == sent["decision"]  # sent again, after the upgrade
    assert "agrees: " in replay(sent["id"])
    found = explain(api, sent["id"])
    assert found.status_code == 200, found.json()
    assert {**found.json(), "latency_ms": 0} == {**then, "latency_ms": 0}
    assert found.json()["agrees"] is True


def test_without_the_files_it_says_so(api, runtime, earlier):
    with shipping(runtime, earlier):
        sent = burst(api)
    assert explain(api, sent["id"]).status_code == 404
    with pytest.raises(CommandError, match="is not shipped any more"):
        replay(sent["id"])


def test_a_worker_keeps_what_it_ships(valkey):
    shipped_keep_in_time(valkey)
    for _ in range(100):
        if default_storage.exists(f"{root(WEIGHTS)}/{CARD}"):
            break
        time.sleep(0.1)
    assert shipped_scorer(read_card().digest).card == read_card()


def test_it_is_kept_once_and_whole(earlier, valkey):
    """Workers that start together, one that was killed on the way, and one that finds all of it."""
    default_storage.save(f"{root(earlier)}/{NAME}/model.txt", ContentFile(b"half of"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: shipped_keep(valkey, earlier), range(4)))
    folders, names = default_storage.listdir(root(earlier))
    assert (sorted(folders), names) == (sorted({path.parent.name for path in files_of(earlier)}), [CARD])
    for folder in folders:
        _, names = default_storage.listdir(f"{root(earlier)}/{folder}")
        assert sorted(names) == sorted(path.name for path in files_of(earlier) if path.parent.name == folder)
    assert shipped_scorer(read_card(earlier).digest).card == read_card(earlier)
    before = default_storage.get_modified_time(f"{root(earlier)}/{NAME}/model.txt")
    shipped_keep(valkey, earlier)
    assert default_storage.get_modified_time(f"{root(earlier)}/{NAME}/model.txt") == before


def test_what_storage_holds_is_believed_by_its_digest(api, runtime, earlier, valkey):
    with shipping(runtime, earlier):
        sent = burst(api)
    shipped_keep(valkey, earlier)
    key = f"{root(earlier)}/fusion/settings.json"
    default_storage.delete(key)
    default_storage.save(key, ContentFile(b"{}"))
    with pytest.raises(WeightsError):
        shipped_scorer(read_card(earlier).digest)
    answer = explain(api, sent["id"])
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
