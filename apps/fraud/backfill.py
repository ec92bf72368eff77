"""Historic payments by file: read in a process of their own, sealed part by part, stored by a job.

A part is stored in one transaction, with what was rejected of it: a worker may die anywhere, and the next one goes on
with the next part. Sent again, a file finds its payments known.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from apps.fraud import batches, records
from apps.fraud.backfill_columns import Rejected, cells_of, label_of, mapping_of, payment_of, truth_of
from apps.fraud.ingest import OTHER_CONTENT, NewTransaction, counter_lock, differing, listed, payments_store
from apps.fraud.labels import NewLabel, labels_store, unfitting
from apps.fraud.labels import differing as differing_labels
from apps.fraud.models import BACKFILL, BackfillPart, IngestCounter, Label, Transaction
from apps.fraud.payload import payloads_of
from apps.fraud.services import ranges_of
from apps.fraud.state import ValkeyHistory
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import InvalidInput
from rootstock.files.uploads import Upload
from rootstock.ids import uuid7
from rootstock.jobs.models import Job
from rootstock.jobs.running import JobHandle
from rootstock.jobs.services import job_create
from rootstock.lanes import client, wire
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import key_destroy, subject_ensure
from rootstock.registry.datasets.tables import form_of, table_head, table_lines

KIND = "fraud.backfill"
PART = 500
MOST_ROWS = 500_000
REJECTED = "rejected-rows.csv"
OTHER_LABEL = "differs from a label of this payment that came since the file was sent, or in an earlier row"


BOTH_LABELS = "rows of this file call this payment fraud and genuine: none of them is taken"
TORN = "torn"
"""The mark in a row's cells that it is one of those."""
UNREAD = "unread"
"""All that a row of CSV has that cannot be read: why."""


@dataclass(slots=True, frozen=True)
class Submitted:
    """The job of a file, how many rows it has, and which columns were taken for what."""

    job: Job
    rows: int
    columns: dict[str, str]


def backfill_submit(
    *,
    organisation: Organisation,
    content: Upload,
    columns: Mapping[str, str] | None = None,
    decide: bool = False,
    created_by: User | None = None,
) -> Submitted:
    """Read a CSV or Parquet file and start the job that stores its payments. Raises InvalidInput."""
    form = form_of(content)
    if form == "jsonl":
        raise InvalidInput.field("file", "must be CSV (by its name) or Parquet")
    head = table_head(content, form)
    mapping = mapping_of(head.columns, columns, head.unread)
    lines = table_lines(content, form, sorted(set(mapping.values())), MOST_ROWS + 1, tell=True)
    rows = ([where, _cells(json.loads(text), mapping)] for where, text in lines)
    with tenant(organisation):
        after = IngestCounter.objects.values_list("last", flat=True).first() or 0
        params = {"decide": decide, "columns": mapping, "after": after}
        job = job_create(organisation=organisation, kind=KIND, params=params, created_by=created_by)
        count = _keep(organisation, job, rows)
        Job.objects.filter(pk=job.pk).update(total=count)
        audit_record(
            organisation=organisation,
            action="payments.backfilled",
            object_type="job",
            object_id=job.pk,
            data={"rows": count, "decide": decide},
        )
    job.total = count
    return Submitted(job, count, mapping)


def _cells(row: dict[str, Any] | str, mapping: Mapping[str, str]) -> dict[str, Any]:
    return {UNREAD: row} if isinstance(row, str) else cells_of(row, mapping)


def _keep(organisation: Organisation, job: Job, rows: Iterator[list[Any]]) -> int:
    key, count = subject_ensure(organisation, BACKFILL, str(uuid7())), 0
    said, torn = dict[str, bool](), set[str]()
    for place, part in enumerate(iter(lambda: list(islice(rows, PART)), [])):
        count += len(part)
        if count > MOST_ROWS:
            raise InvalidInput.field("file", f"has more than {MOST_ROWS:,} rows")
        for _, cells in part:
            truth, name = truth_of(cells), str(cells.get("external_id"))
            if truth is not None and said.setdefault(name, truth) != truth:
                torn.add(name)
        BackfillPart.objects.create(
            organisation=organisation, job_id=job.pk, place=place, subject=key, rows=part, size=len(part)
        )
    if not count:
        raise InvalidInput.field("file", "has no rows")
    if torn:
        _mark(job, torn)
    return count


def _mark(job: Job, torn: set[str]) -> None:
    """Rows that call one of these payments fraud or genuine, wherever in the file: which is right nobody can say."""
    for part in BackfillPart.objects.filter(job_id=job.pk).order_by("place").iterator(chunk_size=1):
        rows = part.rows or []
        found = [
            cells
            for _, cells in rows
            if str(cells.get("external_id")) in torn and truth_of(cells) is not None
        ]
        for cells in found:
            cells[TORN] = True
        if found:
            part.rows = rows
            part.save(update_fields=["rows"])


def run(handle: JobHandle) -> dict[str, Any]:
    """The job's function. Returns what became of the rows."""
    done = _sum(handle)["rows"]
    for _ in batches.decide(handle, _ranges(handle)) if handle.params["decide"] else ():
        handle.check()  # of parts that an earlier attempt had stored
    while (part := _next(handle)) is not None:
        payments = _store(handle, part)
        _bring_up(handle, payments, part.ranges)
        done += part.size
        handle.progress(done, message=f"{done:,} rows read")
    handle.progress(done, force=True)
    result = _sum(handle)
    if result["rejected"]:
        handle.artefact(REJECTED, _rejected(handle), "text/csv")
    if handle.params["decide"]:
        result["outcomes"] = batches.outcomes(handle, _ranges(handle))
    return result


def ended(job: Job) -> None:
    """In the transaction in which the job ends, well or not: nothing of the file stays."""
    parts = BackfillPart.objects.filter(job_id=job.pk)
    keys = SubjectKey.objects.filter(pk__in=parts.values("subject"))
    for key in list(keys):
        parts.delete()
        key_destroy(key)


def _next(handle: JobHandle) -> BackfillPart | None:
    with tenant(handle.organisation):
        return BackfillPart.objects.filter(job_id=handle.id, rows__isnull=False).order_by("place").first()


def _store(handle: JobHandle, part: BackfillPart) -> list[Transaction]:
    """One part, whole or not at all."""
    with tenant(handle.organisation), handle.fenced():
        counter = counter_lock(handle.organisation)
        read = _Read.of(part.rows, handle.params["after"])
        before = counter.last
        stored = payments_store(counter, list(read.payments.values()), listed)
        _, labels = labels_store(counter, list(read.labels.values())) if read.labels else ([], [])
        fresh = [row for row in stored.rows if row.sequence > before]
        part.rows, part.rejected, part.known = None, read.rejected, read.twice + len(stored.rows) - stored.new
        part.stored, part.labelled = stored.new, len(labels)
        part.ranges = ranges_of(sorted(row.sequence for row in stored.waiting))
        part.save()
    return fresh


@dataclass(slots=True)
class _Read:
    """The rows of a part: payments and labels by external id, what was rejected, and how many came twice.

    `told` are the labels that came since the file was sent, with its earlier parts or otherwise.
    """

    payments: dict[str, NewTransaction]
    labels: dict[str, NewLabel]
    told: dict[str, Label]
    rejected: list[list[str]]
    twice: int = 0

    @classmethod
    def of(cls, rows: list[Any], since: int) -> "_Read":
        """Call it inside `tenant()`: known payments with other content are rejected."""
        ids = [str(cells.get("external_id")) for _, cells in rows]
        known = {row.external_id: row for row in Transaction.objects.filter(external_id__in=ids)}
        names = {row.pk: name for name, row in known.items()}
        told = Label.objects.filter(sequence__gt=since, transaction__in=names).order_by("sequence")
        found = cls({}, {}, {names[row.transaction_id]: row for row in told}, [])
        for where, cells in rows:
            found.take(where, cells, known)
        return found

    def take(self, where: str, cells: dict[str, Any], known: dict[str, Transaction]) -> None:
        """One row: all of it or nothing."""
        if UNREAD in cells:
            self.rejected.append([where, "row", cells[UNREAD]])
            return
        if cells.pop(TORN, False):
            self.rejected.append([where, "fraud", BOTH_LABELS])
            return
        payment, label = payment_of(cells), label_of(cells)
        problems = [problem for one in (payment, label) if isinstance(one, list) for problem in one]
        if isinstance(payment, NewTransaction):
            same = self.payments.get(payment.external_id) or known.get(payment.external_id)
            problems += [(name, OTHER_CONTENT) for name in differing(payment, same)] if same else []
            if isinstance(label, NewLabel):
                problems += [*unfitting(label, payment), *self._contradicted(label)]
        if problems or isinstance(payment, list) or isinstance(label, list):
            self.rejected += [[where, field, reason] for field, reason in dict.fromkeys(problems)]
            return
        self.twice += payment.external_id in self.payments
        self.payments[payment.external_id] = payment
        if label:
            self.labels[payment.external_id] = label

    def _contradicted(self, label: NewLabel) -> Rejected:
        same = self.labels.get(label.external_id) or self.told.get(label.external_id)
        return [(name, OTHER_LABEL) for name in differing_labels(label, same)] if same else []


def _bring_up(handle: JobHandle, fresh: list[Transaction], ranges: list[list[int]]) -> None:
    """Into the rings while they are near, with decisions if they were asked for."""
    if handle.params["decide"]:
        for _ in batches.decide(handle, ranges):
            handle.check()
    elif fresh:
        with wire.reachable():
            history = ValkeyHistory(client.connection(), handle.organisation.pk)
            history.append(records.payments(payloads_of(fresh)))


def _parts(handle: JobHandle) -> list[BackfillPart]:
    done = BackfillPart.objects.filter(job_id=handle.id, rows__isnull=True)
    with tenant(handle.organisation):
        return list(done.order_by("place"))


def _ranges(handle: JobHandle) -> list[list[int]]:
    return [one for part in _parts(handle) for one in part.ranges]


def _sum(handle: JobHandle) -> dict[str, Any]:
    parts = _parts(handle)
    return {
        "rows": sum(part.size for part in parts),
        "payments": sum(part.stored for part in parts),
        "known": sum(part.known for part in parts),
        "labels": sum(part.labelled for part in parts),
        "rejected": sum(len({where for where, _, _ in part.rejected}) for part in parts),
    }


def _rejected(handle: JobHandle) -> bytes:
    """Line, field and reason of each problem; no values, which would be personal."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["line", "field", "reason"])
    for part in _parts(handle):
        writer.writerows([where.rpartition(" ")[2], field, reason] for where, field, reason in part.rejected)
    return out.getvalue().encode()
