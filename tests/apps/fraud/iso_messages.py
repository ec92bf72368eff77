"""ISO 20022 messages for tests, made by pyiso20022's classes and written by xsdata: not by what reads them."""

from dataclasses import fields, is_dataclass
from decimal import Decimal
from importlib import import_module
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.models.datatype import XmlDate, XmlDateTime

MADE = "2026-03-02T09:00:00Z"
AGENT = {"FinInstnId": {"Nm": "A bank"}}


def made(kind: Any, given: Any) -> Any:
    """An object of a generated class from plain data by the names of elements."""
    if get_origin(kind) is list:
        return [made(get_args(kind)[0], one) for one in given]
    options = [one for one in get_args(kind) if one is not NoneType]
    if options:
        return made(options[0], given)
    if is_dataclass(kind) and kind not in (XmlDate, XmlDateTime):
        hints = get_type_hints(kind)
        known = {one.metadata.get("name", one.name): one.name for one in fields(kind)}
        return kind(**{known[name]: made(hints[known[name]], value) for name, value in given.items()})
    if kind in (XmlDate, XmlDateTime):
        return kind.from_string(given)
    return kind(given)


def message(name: str, version: int, content: dict[str, Any]) -> bytes:
    """A Document of e.g. "pacs.008", version 8."""
    family, number = name.split(".")
    module = import_module(f"pyiso20022.{family}.{family}_{number}_001_{version:02d}")
    root = fields(module.Document)[0].metadata["name"]
    return XmlSerializer().render(made(module.Document, {root: content})).encode()


def account(number: str) -> dict[str, Any]:
    """By IBAN if it looks like one."""
    return {
        "Id": {"IBAN": number} if number[:2].isalpha() and number[2:4].isdigit() else {"Othr": {"Id": number}}
    }


def transfer(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A credit transfer of a pacs.008."""
    given = {
        "PmtId": {"EndToEndId": f"e2e-{number}", "TxId": f"tx-{number}"},
        "IntrBkSttlmAmt": {"value": Decimal("12.50"), "Ccy": "EUR"},
        "ChrgBr": "SLEV",
        "Dbtr": {"Nm": "Anna Example"},
        "DbtrAcct": account("GB29NWBK60161331926819"),
        "DbtrAgt": AGENT,
        "CdtrAgt": AGENT,
        "Cdtr": {"Nm": "Bert Example"},
        "CdtrAcct": account("DE89370400440532013000"),
    }
    return given | changes


def pacs008(*transfers: dict[str, Any], version: int = 8, at: str = MADE) -> bytes:
    """A message with these transfers."""
    head = {"MsgId": "m-1", "CreDtTm": at, "NbOfTxs": str(len(transfers)), "SttlmInf": {"SttlmMtd": "CLRG"}}
    return message("pacs.008", version, {"GrpHdr": head, "CdtTrfTxInf": list(transfers)})


def pain001(*orders: dict[str, Any], version: int = 9, at: str = MADE, **changes: Any) -> bytes:
    """A message with one instruction of these orders."""
    head = {"MsgId": "m-2", "CreDtTm": at, "NbOfTxs": str(len(orders)), "InitgPty": {"Nm": "Anna Example"}}
    instruction = {
        "PmtInfId": "i-1",
        "PmtMtd": "TRF",
        "ReqdExctnDt": {"Dt": "2026-03-03"} if version >= 8 else "2026-03-03",
        "Dbtr": {"Nm": "Anna Example"},
        "DbtrAcct": account("GB29NWBK60161331926819"),
        "DbtrAgt": AGENT,
        "CdtTrfTxInf": list(orders),
    }
    return message("pain.001", version, {"GrpHdr": head, "PmtInf": [instruction | changes]})


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A transfer of a pain.001."""
    given = {
        "PmtId": {"EndToEndId": f"e2e-{number}"},
        "Amt": {"InstdAmt": {"value": Decimal("99"), "Ccy": "CHF"}},
        "CdtrAcct": account("DE89370400440532013000"),
    }
    return given | changes


def pacs002(
    *statuses: dict[str, Any], version: int = 10, at: str = "2026-03-09T09:00:00Z", **more: Any
) -> bytes:
    """A report of these statuses."""
    head = {"GrpHdr": {"MsgId": "m-3", "CreDtTm": at}}
    return message("pacs.002", version, head | more | {"TxInfAndSts": list(statuses)})


def status(number: int = 1, reason: str | None = "FR01", **changes: Any) -> dict[str, Any]:
    """A rejection."""
    given = {"OrgnlTxId": f"tx-{number}", "TxSts": "RJCT"}
    return given | ({"StsRsnInf": [{"Rsn": {"Cd": reason}}]} if reason else {}) | changes
