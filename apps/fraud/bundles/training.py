"""The job that trains a model on the organisation's own payments."""

import tempfile
from pathlib import Path
from typing import Any

from apps.fraud.bundles.comparing import warning_of
from apps.fraud.bundles.contents import bundle_store
from apps.fraud.bundles.stream import stream_of
from apps.fraud.bundles.versions import version_register
from models_zoo.fraud.experts.organisation import train_bundle
from models_zoo.fraud.splits import TooLittle
from rootstock.errors import InvalidInput
from rootstock.jobs.running import JobHandle

STEPS = 8
"""As many as are told: payments, samples, trees, nets, gate, test days, comparison, and the end."""


def train(handle: JobHandle) -> dict[str, Any]:
    """The job's function. Nothing is registered before all of it has ended; a later attempt begins anew."""
    handle.progress(0, STEPS, "payments are read", force=True)
    whole = stream_of(handle.organisation.pk)
    handle.log(f"{len(whole.labels):,} payments, {int(whole.labels.sum()):,} of them fraud")
    told = _Told(handle)
    told(f"{len(whole.labels):,} payments read")
    with tempfile.TemporaryDirectory(prefix="fraud-training-") as scratch:
        folder = Path(scratch) / "bundle"
        try:
            card = train_bundle(whole, folder, told)
        except TooLittle as error:
            raise InvalidInput.field("payments", str(error)) from None
        files = bundle_store(handle.organisation.pk, folder)
        with handle.commit() as result:
            version = version_register(
                organisation=handle.organisation,
                card=card,
                files=files,
                job_id=handle.id,
                made_by=handle.asked_by,
            )
            result |= {
                "model": version.reference,
                "number": version.number,
                "figures": card["figures"]["test"],
                "warning": warning_of(card),
            }
    return result


class _Told:
    """What the training reports, as the job's progress; a cancelled job stops here."""

    def __init__(self, handle: JobHandle) -> None:
        self._handle, self._done = handle, 0

    def __call__(self, text: str) -> None:
        self._done = min(self._done + 1, STEPS - 1)
        self._handle.progress(self._done, STEPS, text, force=True)
        self._handle.log(text)
