"""Which columns of a file become which fields of a payment and its label, and the values that they hold."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from apps.fraud.ingest import NewTransaction
from apps.fraud.labels import NewLabel
from apps.fraud.schemas import LabelIn, TransactionIn, composed
from rootstock.errors import FieldProblem, InvalidInput

# The names of columns that are taken for a field without asking, beside the field's own.
FIELDS: dict[str, tuple[str, ...]] = {
    "external_id": ("transaction_id", "payment_id", "reference", "id"),
    "payer": ("debtor", "sender", "from_account", "customer", "customer_id", "card"),
    "payee": ("creditor", "receiver", "beneficiary", "to_account"),
    "device": ("device_id",),
    "merchant": ("merchant_id", "terminal", "terminal_id"),
    "amount": ("value",),
    "currency": (),
    "channel": (),
    "occurred_at": ("timestamp", "datetime", "tx_datetime", "time", "date"),
    "fraud": ("is_fraud", "label", "tx_fraud"),
    "source": ("label_source",),
    "known_at": ("labelled_at",),
    "note": (),
}
NEEDED = ("external_id", "payer", "payee", "amount", "channel", "occurred_at")
SOURCE = "backfill"
_LABEL = ("fraud", "source", "known_at", "note")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
Rejected = list[tuple[str, str]]
"""Fields with the reason why."""


def mapping_of(
    columns: Sequence[str], given: Mapping[str, str] | None, unread: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Columns by field: as `given` says, else by their names. `unread` are columns that cannot be read, and why.
    Raises InvalidInput naming every field at fault."""
    given = given or {}
    problems = [
        FieldProblem(f"columns.{name}", "is no field of a payment") for name in given.keys() - FIELDS.keys()
    ]
    problems += [
        FieldProblem(f"columns.{name}", unread.get(column, "names a column that the file does not have"))
        for name, column in given.items()
        if name in FIELDS and column not in columns
    ]
    found = _by_name(columns) | dict(given)
    odd = _by_name(list(unread))
    problems += [
        FieldProblem(
            f"columns.{name}", unread[odd[name]] if name in odd else "has no column; say which one it is"
        )
        for name in NEEDED
        if name not in found
    ]
    if problems:
        problems.sort(key=lambda one: one.field)
        raise InvalidInput(f"{problems[0].field}: {problems[0].reason}", errors=problems)
    return found


def _by_name(columns: Sequence[str]) -> dict[str, str]:
    plain = {_plain(column): column for column in reversed(columns)}
    return {
        name: plain[alias]
        for name, aliases in FIELDS.items()
        for alias in reversed((name, *aliases))
        if alias in plain
    }


def _plain(column: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", column.casefold()).strip("_")


def payment_of(row: Mapping[str, Any]) -> NewTransaction | Rejected:
    """A row's payment, or what is wrong with it."""
    try:
        read = TransactionIn.model_validate({name: row[name] for name in row if name not in _LABEL})
    except ValidationError as error:
        return _reasons(error)
    return NewTransaction(**read.model_dump())


def label_of(row: Mapping[str, Any]) -> NewLabel | Rejected | None:
    """A row's label, nothing where it has none, or what is wrong with it."""
    if "fraud" not in row:
        return None
    given = {name: row[name] for name in ("external_id", *_LABEL) if name in row}
    truth = truth_of(row)
    given["fraud"] = row["fraud"] if truth is None else truth
    try:
        read = LabelIn.model_validate({"source": SOURCE} | given)
    except ValidationError as error:
        return _reasons(error)
    return NewLabel(**read.model_dump())


def truth_of(row: Mapping[str, Any]) -> bool | None:
    """Whether a row calls its payment fraud; nothing where it does not say, or not in words that are known."""
    return _TRUTH.get(str(row.get("fraud", "")).strip().casefold())


def cells_of(row: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The fields that a row has a value for. A name that a file keeps as a number is a name all the same, and has one
    form however its accents were typed."""
    found = {name: row.get(column) for name, column in mapping.items()}
    return {
        name: composed(str(value) if isinstance(value, int) else value) if name in _NAMES else value
        for name, value in found.items()
        if value is not None and value != ""
    }


_NAMES = ("external_id", "payer", "payee", "device", "merchant")


def _reasons(error: ValidationError) -> Rejected:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in found]
