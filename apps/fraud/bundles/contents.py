"""Where the files of bundles lie: in storage, trained ones under the organisation and the digest, shipped ones, which
hold nobody's data, under the digest alone.

Who scores with one reads it into memory; what comes from storage is believed by its digest alone.
"""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import redis
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from apps.fraud.bundles.models import ModelVersion
from models_zoo.fraud.card import CARD, WEIGHTS, digest_of, files_of, read_card
from models_zoo.fraud.scorer import Scorer, WeightsError
from rootstock.registry.contents import content_put

PREFIX, SHIPPED = "fraud-models", "fraud-models-shipped"
KEEPING_S = 120
"""Longer than it takes to store a bundle."""


def bundle_store(organisation: UUID, folder: Path) -> dict[str, str]:
    """Put a bundle into storage; which file lies where."""
    keys = {}
    for path in [*files_of(folder), folder / CARD]:
        name = path.relative_to(folder).as_posix()
        keys[name] = f"{PREFIX}/{organisation}/{digest_of(folder)}/{name.replace('/', '.')}"
        with path.open("rb") as content:
            content_put(keys[name], content)
    return keys


def versions_of(digest: str) -> QuerySet[ModelVersion]:
    """The versions that need what lies under a digest: without one it is swept."""
    return ModelVersion.objects.filter(digest=digest)


def shipped_keep(valkey: "redis.Redis[bytes]", folder: Path = WEIGHTS) -> None:
    """Put the shipped bundle into storage, so that a later release can still explain what it decides.

    One worker at a time looks what is there: it takes away what a killed one left. The card comes last, so where the
    same one lies, all lies there. Raises what storage or Valkey raises.
    """
    keys = {path: _shipped_key(folder, path) for path in [*files_of(folder), folder / CARD]}
    card = keys[folder / CARD]
    with valkey.lock(f"fraud:keeping:{card}", timeout=KEEPING_S, blocking_timeout=KEEPING_S):
        if default_storage.exists(card):
            with default_storage.open(card) as stored:
                if stored.read() == (folder / CARD).read_bytes():
                    return
        for path, key in keys.items():
            with path.open("rb") as content:
                content_put(key, content)


def _shipped_key(folder: Path, path: Path) -> str:
    return f"{SHIPPED}/{read_card(folder).digest}/{path.relative_to(folder).as_posix()}"


def scorer_of(version: ModelVersion) -> Scorer:
    """A version, ready to score. Raises WeightsError when storage does not hold what its digest says."""
    return _scorer(version.files, version.digest)


def shipped_is_kept(digest: str) -> bool:
    """Whether a bundle that was shipped lies in storage."""
    return default_storage.exists(f"{SHIPPED}/{digest}/{CARD}")


def shipped_scorer(digest: str) -> Scorer:
    """The bundle that was shipped under a digest.

    Raises WeightsError when storage holds another, or one that reads what is not computed any more.
    """
    root = f"{SHIPPED}/{digest}"
    return _scorer({name: f"{root}/{name}" for name in _beneath(root)}, digest)


def _beneath(root: str, inside: str = "") -> Iterator[str]:
    folders, files = default_storage.listdir(f"{root}/{inside}")
    yield from (f"{inside}{name}" for name in files)
    for name in folders:
        yield from _beneath(root, f"{inside}{name}/")


def _scorer(files: Mapping[str, str], digest: str) -> Scorer:
    """The bundle whose files lie under these keys. Raises WeightsError."""
    with tempfile.TemporaryDirectory(prefix="fraud-model-") as scratch:
        folder = Path(scratch)
        for name, key in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not default_storage.exists(key):
                raise WeightsError(f"fraud@{digest[:12]}: {name} is missing in storage")
            with default_storage.open(key) as stored, target.open("wb") as copy:
                shutil.copyfileobj(stored, copy)
        scorer = Scorer(folder)
    if scorer.card.digest != digest:
        raise WeightsError(f"fraud@{digest[:12]}: storage holds another bundle")
    return scorer
