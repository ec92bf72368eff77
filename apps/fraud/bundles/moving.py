"""Which model scores is changed by two people, and taken back by one, at once."""

from apps.fraud.bundles.models import ModelInForce, ModelMove, ModelRequest, ModelVersion
from apps.fraud.bundles.versions import in_force_locked, version_numbered
from apps.fraud.four_eyes.agreeing import FourEyes, served_before
from rootstock.accounts.models import Organisation
from rootstock.privacy.persons import name_of


def roll_back(*, organisation: Organisation, reason: str, generation: int | None = None) -> ModelInForce:
    """Back to what scored before, the shipped model in the end, by one person.

    Raises Conflict when there is nothing to go back to, and when the generation is another than was seen.
    """
    return AGREEMENT.roll_back(
        organisation=organisation, reason=reason, generation=generation, earlier=lambda row: _before()
    )


def _before() -> ModelVersion | None:
    """None for the shipped model."""
    moves = ModelMove.objects.select_related("after").order_by("generation")
    served = [(one.kind == ModelMove.Kind.ROLL_BACK, one.after) for one in moves]
    return served_before(None, served, "there is nothing to go back to: the shipped model scores")


def _serve(
    row: ModelInForce, version: ModelVersion | None, reason: str, request: ModelRequest | None
) -> None:
    """Change the locked row, and write the move down."""
    kind = ModelMove.Kind.SERVE if request else ModelMove.Kind.ROLL_BACK
    before, row.current = row.current, version
    AGREEMENT.moved(row, kind, before, version)
    ModelMove.objects.create(
        organisation_id=row.organisation_id, generation=row.generation, kind=kind, before=before, after=version,
        moved_by=name_of(), reason=reason, request=request,
    )  # fmt: skip


AGREEMENT = FourEyes(
    name="model",
    thing="fraud_model",
    serving="scores",
    requests=ModelRequest,
    numbered=version_numbered,
    locked=in_force_locked,
    serve=_serve,
)
