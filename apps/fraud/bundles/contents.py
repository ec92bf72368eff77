"""Where the files of trained bundles lie: in storage, under the organisation and the digest.

Who scores with one reads it into memory; what comes from storage is believed by its digest alone.
"""

import shutil
import tempfile
from pathlib import Path
from uuid import UUID

from django.core.files.storage import default_storage
from django.db.models import QuerySet

from apps.fraud.bundles.models import ModelVersion
from models_zoo.fraud.card import CARD, digest_of, files_of
from models_zoo.fraud.scorer import Scorer, WeightsError
from rootstock.registry.contents import content_put

PREFIX = "fraud-models"


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


def scorer_of(version: ModelVersion) -> Scorer:
    """A version, ready to score. Raises WeightsError when storage does not hold what its digest says."""
    with tempfile.TemporaryDirectory(prefix="fraud-model-") as scratch:
        folder = Path(scratch)
        for name, key in version.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not default_storage.exists(key):
                raise WeightsError(f"{version.reference}: {name} is missing in storage")
            with default_storage.open(key) as stored, target.open("wb") as copy:
                shutil.copyfileobj(stored, copy)
        scorer = Scorer(folder)
    if scorer.card.digest != version.digest:
        raise WeightsError(f"{version.reference}: storage holds another bundle")
    return scorer
