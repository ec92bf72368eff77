"""How each model of the operators' site is called, listed and laid out: one literal table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django_celery_beat.models import PeriodicTask

from rootstock.accounts.models import ApiKey, Membership, Organisation, User
from rootstock.audit.models import AuditEntry, AuditRoot, DecisionRecord
from rootstock.audit.words import action_words, kind_words, thing_words
from rootstock.files.models import StoredFile
from rootstock.jobs.models import Job, JobSchedule
from rootstock.operator.columns import (
    Read,
    code,
    column,
    job_kind,
    moment,
    number,
    shown_name,
    size,
    state,
    structure,
    words,
)
from rootstock.privacy.models import RetentionRule
from rootstock.registry.models import AdapterVersion, BaseModel, Dataset
from rootstock.webhooks.models import WebhookDelivery

Sections = Sequence[tuple[str | None, Sequence[Read]]]


@dataclass(slots=True, frozen=True)
class Look:
    """One model. `title` names a row; a section without a heading comes first."""

    name: str
    plural: str
    icon: str
    listed: Sequence[str] = ()  # which of the fields below are the columns of the list
    sections: Sections = ()
    title: Callable[[Any], str] = str
    related: Sequence[str] = ()

    @property
    def fields(self) -> list[Read]:
        """Every field of the page."""
        return [field for _, fields in self.sections for field in fields]

    @property
    def columns(self) -> list[Read]:
        """The columns of the list, in their order."""
        known = {field.__name__: field for field in self.fields}
        return [known[shown_name(path)] for path in self.listed]


_CREATED = moment("created_at", "Created")
_MAKER = column("created_by", "Made by")


def _choice(field: str, label: str) -> Read:
    return column(f"get_{field}_display", label, lambda told: told())


LOOKS: dict[type[Model], Look] = {
    Organisation: Look(
        "Organisation", "Organisations", "domain", ("name", "slug", "created_at"),
        [(None, [column("name", "Name"), code("slug", "Address"), _CREATED])],
        lambda row: row.name,
    ),
    User: Look("Person", "People", "person"),
    Membership: Look(
        "Member", "Members", "group", ("user", "get_role_display", "created_at"),
        [(None, [column("user", "Person"), _choice("role", "Role"), moment("created_at", "Since")])],
        lambda row: str(row.user), ("user",),
    ),
    ApiKey: Look(
        "API key", "API keys", "key", ("name", "prefix", "scopes", "last_used_at", "expires_at", "revoked_at"),
        [
            (None, [column("name", "Name"), code("prefix", "Token begins"), words("scopes", "May"),
                    number("rate_per_minute", "Requests a minute")]),
            ("Life", [_MAKER, _CREATED, moment("last_used_at", "Used last"), moment("expires_at", "Works until"),
                      moment("revoked_at", "Revoked"), column("replaces__name", "Took the place of")]),
        ],
        lambda row: row.name,
    ),
    Job: Look(
        "Job", "Jobs", "list_alt", ("kind", "state", "attempts", "created_by", "created_at", "finished_at", "id"),
        [
            (None, [job_kind("kind", "Job"), state("state", "State"), column("message", "Says"), number("done", "Done"),
                    number("total", "Of"), structure("error", "Error"), structure("result", "Result")]),
            ("Times", [_CREATED, moment("started_at", "Started"), moment("finished_at", "Finished"),
                       moment("not_before", "Not before"), number("attempts", "Attempts")]),
            ("Where it came from", [column("created_by", "Started by"), column("schedule__name", "Schedule"),
                                    code("repeats_id", "Repeats the job"), code("request_id", "Request"),
                                    code("id", "Id")]),
            ("Running", [column("queue", "Queue"), _choice("priority", "Priority"),
                         moment("lease_until", "Lease until"),
                         moment("heartbeat_at", "Last sign of life"), number("fence", "Fence")]),
        ],
        lambda row: f"Job {row.pk}", ("created_by",),
    ),
    JobSchedule: Look(
        "Schedule", "Schedules", "schedule", ("name", "kind", "cron", "every_s", "next_run_at", "last_run_at"),
        [
            (None, [column("name", "Name"), job_kind("kind", "Job"), code("cron", "Pattern"),
                    number("every_s", "Every (seconds)"), column("timezone", "Time zone")]),
            ("Runs", [moment("next_run_at", "Next run"), moment("last_run_at", "Last run"),
                      column("note", "Why a run was left out")]),
            ("Set up", [_MAKER, _CREATED]),
        ],
        lambda row: row.name,
    ),
    BaseModel: Look(
        "Base model", "Base models", "database", ("name", "bytes", "licence", "created_at"),
        [(None, [column("name", "Name"), size("bytes", "Size"), column("licence", "Licence"),
                 column("source", "Source"), code("fingerprint", "Fingerprint"),
                 moment("created_at", "First served")])],
        lambda row: row.name,
    ),
    Dataset: Look(
        "Data set", "Data sets", "dataset", ("name", "task", "rows", "bytes", "created_at"),
        [(None, [column("name", "Name"), column("task", "Task"), number("rows", "Rows"), size("bytes", "Size"),
                 code("sha256", "SHA-256"), _CREATED])],
        lambda row: row.name,
    ),
    AdapterVersion: Look(
        "Adapter", "Adapters", "layers", ("name", "base__name", "bytes", "created_at"),
        [(None, [column("name", "Adapter"), code("reference", "Reference"), column("base__name", "Base model"),
                 size("bytes", "Size"), code("job_id", "Trained by the job"), _CREATED])],
        lambda row: str(row.reference), ("base",),
    ),
    StoredFile: Look(
        "File", "Files", "draft", ("name", "purpose", "state", "bytes", "type", "created_at"),
        [
            (None, [column("name", "Name"), column("purpose", "For"), state("state", "State"),
                    column("reason", "Why refused"), size("bytes", "Size")]),
            ("Content", [column("type", "Type"), column("declared_type", "Type as sent"), code("sha256", "SHA-256")]),
            ("Times", [column("uploaded_by", "Uploaded by"), moment("created_at", "Uploaded"),
                       moment("checked_at", "Checked"), moment("expires_at", "Kept until")]),
        ],
        lambda row: row.name,
    ),
    WebhookDelivery: Look(
        "Webhook delivery", "Webhook deliveries", "send",
        ("event__type", "endpoint__url", "state", "tries", "last_status", "created_at"),
        [
            (None, [column("event__type", "Event"), column("endpoint__url", "Endpoint"), state("state", "State")]),
            ("Tries", [number("tries", "Tries"), column("last_status", "Last answer"),
                       column("last_error", "Last error"), moment("next_attempt_at", "Next try")]),
            ("Times", [moment("created_at", "Happened"), moment("finished_at", "Finished"),
                       moment("lease_until", "Lease until"), number("fence", "Fence")]),
        ],
        lambda row: row.event.type, ("event", "endpoint"),
    ),
    RetentionRule: Look(
        "Retention rule", "Retention rules", "timer", ("kind", "days", "enforced_at", "deleted"),
        [(None, [column("kind", "Data"), number("days", "Kept for days"), moment("enforced_at", "Enforced last"),
                 number("deleted", "Deleted so far"), column("changed_by", "Changed by"),
                 moment("changed_at", "Changed")])],
        lambda row: row.kind,
    ),
    AuditEntry: Look(
        "Audit entry", "Audit trail", "receipt_long",
        ("at", "action", "actor_kind", "actor_id", "object_type", "object_id"),
        [
            (None, [moment("at", "When"), column("action", "What", action_words), column("actor_kind", "Who acted"),
                    column("actor_id", "Their id"), column("object_type", "Thing", thing_words),
                    code("object_id", "Its id")]),
            ("What was kept of it", [structure("data", "Details"), code("request_id", "Request"), code("id", "Entry")]),
        ],
        lambda row: action_words(row.action),
    ),
    DecisionRecord: Look(
        "Decision", "Decisions", "gavel", ("decided_at", "kind", "subject_type", "model", "adapter", "latency_ms"),
        [
            (None, [moment("decided_at", "Decided"), column("kind", "Decision", kind_words),
                    column("subject_type", "About", thing_words), code("subject_id", "Its id"),
                    structure("output", "Outcome"), column("latency_ms", "Took", lambda took: f"{took:.0f} ms")]),
            ("Made by", [code("model", "Model"), code("model_digest", "Model's digest"), code("adapter", "Adapter"),
                         code("adapter_digest", "Adapter's digest"), column("base", "Base model")]),
            ("Where it came from", [code("job_id", "Job"), code("request_id", "Request"), code("id", "Record")]),
        ],
        lambda row: kind_words(row.kind),
    ),
    AuditRoot: Look(
        "Root of the chain", "Roots of the chain", "link", ("sequence", "count", "at"),
        [(None, [number("sequence", "Root"), number("count", "Rows sealed"), moment("at", "Sealed")])],
        lambda row: f"Root {row.sequence}",
    ),
    PeriodicTask: Look("Periodic task", "Periodic tasks", "update"),
}  # fmt: skip
"""Secrets, reasons, parameters and leaves are in no list and on no page."""

GROUPS: tuple[tuple[str, tuple[type[Model], ...]], ...] = (
    ("People and access", (Organisation, User, Membership, ApiKey)),
    ("Work", (Job, JobSchedule, PeriodicTask)),
    ("Models", (BaseModel, AdapterVersion, Dataset)),
    ("Files and events", (StoredFile, WebhookDelivery)),
    ("Evidence", (AuditEntry, DecisionRecord, AuditRoot, RetentionRule)),
)
"""The menu, as the console's rail is grouped."""
