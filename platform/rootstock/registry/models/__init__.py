"""Bases, data sets, adapters, and the aliases under which they are served."""

from rootstock.registry.models.adapters import (
    DIGITS,
    AdapterGrant,
    AdapterUpload,
    AdapterVersion,
    BaseModel,
    Evaluation,
    Keep,
    Origin,
    UploadState,
)
from rootstock.registry.models.aliases import Alias, AliasMove, Change, Move, Promotion, ShadowTally
from rootstock.registry.models.bases import Recipe, TrainedBase
from rootstock.registry.models.datasets import Dataset, DatasetPart, DatasetPerson

__all__ = [
    "DIGITS",
    "AdapterGrant",
    "AdapterUpload",
    "AdapterVersion",
    "Alias",
    "AliasMove",
    "BaseModel",
    "Change",
    "Dataset",
    "DatasetPart",
    "DatasetPerson",
    "Evaluation",
    "Keep",
    "Move",
    "Origin",
    "Promotion",
    "Recipe",
    "ShadowTally",
    "TrainedBase",
    "UploadState",
]
