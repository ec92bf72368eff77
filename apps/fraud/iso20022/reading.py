"""What of a message is taken: identifiers, accounts, amounts and moments. Names, addresses and free texts are not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo

from pydantic import ValidationError
from xsdata.models.datatype import XmlDateTime

from apps.fraud.iso20022.messages import Message
from apps.fraud.iso20022.xml import Node
from apps.fraud.schemas import LabelIn, TransactionIn, composed
from rootstock.errors import FieldProblem

FRAUD = {"FR01": "returned as a result of fraud", "FRAD": "originated fraudulently"}
"""Codes of a status reason that say fraud, of ISO's external code sets. All others say something else: that an account
is blocked (AC06) or a payment forbidden (AG01) does not make it fraud."""
_NOT_PROVIDED = "NOTPROVIDED"
_IDS = ("PmtId/UETR", "PmtId/TxId", "PmtId/EndToEndId", "PmtId/InstrId")
_ORIGINAL_IDS = ("OrgnlUETR", "OrgnlTxId", "OrgnlEndToEndId", "OrgnlInstrId")
_INSTANT = ("PmtTpInf/LclInstrm/Cd", "PmtTpInf/LclInstrm/Prtry")
_ACCOUNT = ("Id/IBAN", "Id/Othr/Id", "Id/BBAN", "Id/PrtryAcct/Id")


class Unreadable(Exception):
    """Something in a message that fits its schema cannot be taken."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.problem = FieldProblem(field, reason)


@dataclass(slots=True, frozen=True)
class Payment:
    """A payment and where its parts stand."""

    node: Node
    given: TransactionIn
    paths: dict[str, str]

    def path(self, name: str) -> str:
        """XPath of one of its fields."""
        return self.paths.get(name) or self.node.path()


@dataclass(slots=True, frozen=True)
class Status:
    """What a report says of a payment: under which ids it may be known, best first, and since when this is so."""

    node: Node
    ids: tuple[str, ...]
    status: str | None
    reasons: tuple[str, ...]
    known_at: datetime
    told_at: str

    def path(self, name: str) -> str:
        """XPath of one of its label's fields."""
        return self.told_at if name == "known_at" else self.node.path()

    @property
    def says_fraud(self) -> bool:
        """Whether one of its reasons is fraud."""
        return any(reason in FRAUD for reason in self.reasons)

    def label(self, external_id: str) -> LabelIn:
        """The label that it is."""
        return LabelIn(external_id=external_id, fraud=True, source="pacs.002", known_at=self.known_at)


@dataclass(slots=True, frozen=True)
class _Context:
    """The elements around a transfer in which what it does not say itself may stand, nearest first."""

    transfer: Node
    around: tuple[Node, ...]
    header: Node
    zone: tzinfo | None

    def first(self, *paths: str) -> Node | None:
        """The first element at one of the paths, beneath the nearest that has one."""
        return next((found for one in (self.transfer, *self.around) if (found := one.first(*paths))), None)


def payments_of(message: Message, zone: tzinfo | None) -> Iterator[Payment | FieldProblem]:
    """The payments of a pacs.008 or pain.001, or what is wrong with them. `zone` is for times that say none."""
    transfers = list(_transfers(message, zone))
    told = message.root.first("GrpHdr/NbOfTxs")
    if told and int(told.text) != len(transfers):
        yield FieldProblem(told.path(), f"says {int(told.text)}, and {len(transfers)} are here")
    for context in transfers:
        try:
            yield _payment(context, "IntrBkSttlmAmt" if message.name == "pacs.008" else "Amt")
        except Unreadable as error:
            yield error.problem
        except ValidationError as error:
            paths = _places(context, *_found(context))
            for one in error.errors(include_url=False, include_input=False, include_context=False):
                place = paths.get(str(one["loc"][0]), "") or context.transfer.path()
                yield FieldProblem(place, str(one["msg"]).removeprefix("Value error, "))


def _transfers(message: Message, zone: tzinfo | None) -> Iterator[_Context]:
    header = next(message.root.all("GrpHdr"))
    if message.name == "pacs.008":
        for one in message.root.all("CdtTrfTxInf"):
            yield _Context(one, (header,), header, zone)
    else:
        for instruction in message.root.all("PmtInf"):
            for one in instruction.all("CdtTrfTxInf"):
                yield _Context(one, (instruction,), header, zone)


def _found(context: _Context) -> tuple[Node | None, Node | None, Node | None]:
    """The id that names the payment, and the elements of its accounts."""
    ids = (one for path in _IDS for one in context.transfer.all(path))
    named = next((one for one in ids if one.text != _NOT_PROVIDED), None)
    return named, context.first("DbtrAcct"), context.first("CdtrAcct")


def _places(context: _Context, named: Node | None, payer: Node | None, payee: Node | None) -> dict[str, str]:
    amount = context.transfer.first("IntrBkSttlmAmt", "Amt/InstdAmt", "Amt/EqvtAmt/Amt")
    moment = context.transfer.first("AccptncDtTm") or context.header.first("CreDtTm")
    nodes = {"external_id": named, "payer": payer, "payee": payee, "amount": amount, "occurred_at": moment}
    paths = {name: node.path() for name, node in nodes.items() if node}
    return paths | ({"currency": f"{paths['amount']}/@Ccy"} if amount else {})


def _payment(context: _Context, amounts: str) -> Payment:
    named, payer, payee = _found(context)
    transfer = context.transfer
    if named is None:
        raise Unreadable(f"{transfer.path()}/PmtId", "names no payment: UETR, TxId or EndToEndId is needed")
    amount = transfer.first(amounts, "Amt/InstdAmt", "Amt/EqvtAmt/Amt")
    amount = amount if amount and not amount.children else transfer.first("Amt/InstdAmt", "Amt/EqvtAmt/Amt")
    if amount is None:
        raise Unreadable(transfer.path(), "has no amount")
    method = context.first("PmtMtd")
    if method and method.text == "CHK":
        raise Unreadable(method.path(), "cheques are not taken, transfers are")
    instant = any(one.text == "INST" for one in (context.first(path) for path in _INSTANT) if one)
    given = TransactionIn(
        external_id=named.text,
        payer=_account(payer, f"{transfer.path()}/DbtrAcct"),
        payee=_account(payee, f"{transfer.path()}/CdtrAcct"),
        amount=_plain(amount.text),  # type: ignore[arg-type]
        currency=amount.attributes["Ccy"],
        channel="instant" if instant else "transfer",
        occurred_at=_moment(transfer.first("AccptncDtTm") or context.header.first("CreDtTm"), context.zone),
    )
    return Payment(transfer, given, _places(context, named, payer, payee))


def _plain(amount: str) -> str:
    """Without zeros that say nothing: schemas allow five places."""
    text = amount.strip()
    return text.rstrip("0").rstrip(".") if "." in text else text


def _account(node: Node | None, path: str) -> str:
    """The number of an account. Whose it is said to be is not read."""
    found = node.first(*_ACCOUNT) if node else None
    if found is None:
        raise Unreadable(path, "is needed: an account with its IBAN or another identification")
    return found.text


def _moment(node: Node | None, zone: tzinfo | None) -> datetime:
    if node is None:
        raise Unreadable("/", "has no moment at which it was made")
    try:
        found = XmlDateTime.from_string(node.text.strip()).to_datetime()
    except (ValueError, OverflowError):
        raise Unreadable(node.path(), "is no moment that can be taken") from None
    if found.tzinfo is None and zone is None:
        reason = "has no offset from UTC: write one, or name the sender's time zone by ?zone=Europe/Berlin"
        raise Unreadable(node.path(), reason)
    return found if found.tzinfo else found.replace(tzinfo=zone)


def statuses_of(message: Message, zone: tzinfo | None) -> Iterator[Status | FieldProblem]:
    """What a pacs.002 reports, of single payments and of whole messages, or what is wrong with it."""
    moment = message.root.first("GrpHdr/CreDtTm")
    try:
        known_at = _moment(moment, zone)
    except Unreadable as error:
        yield error.problem
        return
    for node in message.root.all("OrgnlGrpInfAndSts"):
        if node.first("GrpSts"):
            yield _status(node, "GrpSts", known_at, moment)
    for node in message.root.all("TxInfAndSts"):
        status = _status(node, "TxSts", known_at, moment)
        if status.says_fraud:
            yield from _wrong_label(status)
        yield status


def _status(node: Node, name: str, known_at: datetime, moment: Node | None) -> Status:
    said = node.first(name)
    ids = [
        composed(one.text) for path in _ORIGINAL_IDS for one in node.all(path) if one.text != _NOT_PROVIDED
    ]
    reasons = [one.text for path in ("StsRsnInf/Rsn/Cd", "StsRsnInf/Rsn/Prtry") for one in node.all(path)]
    told_at = moment.path() if moment else "/"
    status = said.text if said else None
    return Status(node, tuple(dict.fromkeys(ids)), status, tuple(reasons), known_at, told_at)


def _wrong_label(status: Status) -> Iterator[FieldProblem]:
    try:
        status.label("any")
    except ValidationError as error:
        reason = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
        yield FieldProblem(status.told_at, reason)
