"""The job that trains a model on the organisation's own payments."""

import tempfile
from pathlib import Path
from typing import Any

from apps.fraud.bundles.comparing import warning_of
from apps.fraud.bundles.contents import bundle_store
from apps.fraud.bundles.schemas import FraudTrainingIn
from apps.fraud.bundles.stream import stream_of
from apps.fraud.bundles.versions import version_register
from models_zoo.fraud.experts import tuning
from models_zoo.fraud.experts.organisation import train_bundle
from models_zoo.fraud.splits import TooLittle
from rootstock.errors import InvalidInput
from rootstock.jobs.running import JobHandle

STEPS = 8
"""As many as are told: payments, samples, trees, nets, gate, test days, comparison, and the end; besides those of
tuning."""


def train(handle: JobHandle) -> dict[str, Any]:
    """The job's function. Nothing is registered before all of it has ended; a later attempt begins anew."""
    tune = FraudTrainingIn.model_validate(handle.params).tune
    told = _Told(handle, STEPS + tuning.STEPS if tune else STEPS)
    whole = stream_of(handle.organisation.pk)
    handle.log(f"{len(whole.labels):,} payments, {int(whole.labels.sum()):,} of them fraud")
    told(f"{len(whole.labels):,} payments read")
    with tempfile.TemporaryDirectory(prefix="fraud-training-") as scratch:
        folder = Path(scratch) / "bundle"
        try:
            card = train_bundle(whole, folder, told, tuned=tune)
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
                "tuning": card.get("tuning"),
                "warning": warning_of(card),
            }
    return result


class _Told:
    """What the training reports, as the job's progress; a cancelled job stops here."""

    def __init__(self, handle: JobHandle, steps: int) -> None:
        self._handle, self._steps, self._done = handle, steps, 0
        handle.progress(0, steps, "payments are read", force=True)

    def __call__(self, text: str) -> None:
        self._done = min(self._done + 1, self._steps - 1)
        self._handle.progress(self._done, self._steps, text, force=True)
        self._handle.log(text)
