"""An adapter as it is told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field


class AdapterOut(Schema):
    """An adapter version. `dataset_erased_at`: it was trained on a data set that held a person erased since."""

    id: UUID
    reference: str
    name: str
    digest: str
    base_fingerprint: str = Field(alias="base.fingerprint")
    card: dict[str, Any]
    bytes: int
    job_id: UUID | None
    dataset_id: UUID | None
    dataset_erased_at: datetime | None = Field(None, alias="dataset.erased_at")
    origin: str
    keep: str
    created_at: datetime
    retired_at: datetime | None
    retired_because: str
