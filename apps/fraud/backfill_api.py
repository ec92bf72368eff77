"""REST: historic payments by file."""

from ninja import File, Form, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from apps.fraud.backfill import Submitted, backfill_submit
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.idempotency.marks import claims_first
from rootstock.jobs.schemas import JobOut
from rootstock.registry.dataset_schemas import columns_of

router = Router(tags=["fraud"])


class BackfillOut(Schema):
    """The job that stores a file of payments."""

    job: JobOut
    rows: int
    columns: dict[str, str] = Field(description="Which column was taken for which field")


@router.post("", response={202: BackfillOut}, auth=scope("fraud:write"))
@claims_first
def fill_back(
    request: ApiRequest, file: File[UploadedFile], columns: Form[str] = "", decide: Form[bool] = False
) -> Status[Submitted]:
    """Store historic payments, with labels where a column `fraud` says them, from CSV or Parquet of up to 16 MiB.

    The fields are those of a payment and of its label; columns are found by their names, or said in `columns`:
    `{"payer": "Debtor", "fraud": "TX_FRAUD"}`. The payments arrive now, in the order of the file, and get decisions
    only with `decide`. Rows that cannot be read or stored are left out and listed in the job's file `rejected-rows.csv`
    with line, field (`row` where it cannot be read) and reason. Sent again, a file finds its payments known.
    """
    submitted = backfill_submit(
        organisation=request.auth.organisation,
        content=file,
        columns=columns_of(columns),
        decide=decide,
        created_by=request.auth.user,
    )
    return Status(202, submitted)
