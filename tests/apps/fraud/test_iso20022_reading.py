"""Reading ISO 20022: hostile documents, and messages of every version there and back."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.fraud.iso20022.messages import VERSIONS, messages_of
from apps.fraud.iso20022.reading import Payment, payments_of, statuses_of
from apps.fraud.iso20022.xml import MOST_BYTES, MOST_DEPTH, MOST_ELEMENTS, tree_of
from rootstock.errors import DomainError, TooLarge
from tests.apps.fraud.iso_messages import account, order, pacs002, pacs008, pain001, status, transfer

BOMB = b'<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><Document>&b;</Document>'
FILE = b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>'
REMOTE = b'<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd"><Document/>'
PARAMETER = b'<!DOCTYPE d [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]><Document/>'


@pytest.mark.parametrize("content", [BOMB, FILE, REMOTE, PARAMETER])
def test_a_document_type_is_refused(content):
    with pytest.raises(DomainError, match="document type"):
        tree_of(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"<a",
        b"<a>&b;</a>",
        b"<a></b>",
        b'<?xml version="1.0" encoding="UTF-7"?><a>+ADw-</a>\xff',
        "<a>ü</a>".encode("latin-1"),
        "<a>ü</a>".encode("utf-16"),
    ],
)
def test_what_is_not_xml_in_utf8(content):
    with pytest.raises(DomainError, match="body: is not XML in UTF-8"):
        tree_of(content)


@pytest.mark.slow
def test_too_deep_too_many_too_long():
    with pytest.raises(DomainError, match="nested more than"):
        tree_of(b"<a>" * (MOST_DEPTH + 1))
    with pytest.raises(TooLarge, match="elements"):
        tree_of(b"<a>" + b"<b/>" * MOST_ELEMENTS + b"</a>")
    with pytest.raises(TooLarge, match="bytes"):
        tree_of(b" " * (MOST_BYTES + 1))


_DECIMALS = {"EUR": 2, "USD": 2, "JPY": 0}
_IDS = st.from_regex(r"[A-Za-z0-9/+?:().,'-]{1,35}", fullmatch=True).filter(lambda one: one != "NOTPROVIDED")
_ACCOUNTS = st.from_regex(r"[A-Z]{2}[0-9]{2}[a-zA-Z0-9]{1,30}", fullmatch=True) | st.from_regex(
    r"[0-9]{1,34}", fullmatch=True
)
_MOMENTS = st.datetimes(datetime(2001, 1, 1), datetime(2026, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))
_ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@st.composite
def sent(draw):
    """What a payment should come out as, and the message it is in."""
    name = draw(st.sampled_from(["pacs.008", "pain.001"]))
    version, currency = draw(st.sampled_from(VERSIONS[name])), draw(st.sampled_from([*_DECIMALS]))
    places = _DECIMALS[currency]
    wanted = {
        "external_id": draw(_IDS), "payer": draw(_ACCOUNTS), "payee": draw(_ACCOUNTS),
        "amount": draw(st.decimals(f"{10**-places}", "999999999", places=places)), "currency": currency,
        "occurred_at": draw(_MOMENTS),
    }  # fmt: skip
    at = wanted["occurred_at"].astimezone(draw(_ZONES)).isoformat()
    money = {"value": wanted["amount"], "Ccy": wanted["currency"]}
    payer, payee = account(wanted["payer"]), account(wanted["payee"])
    if name == "pacs.008":
        ids = {"EndToEndId": "NOTPROVIDED", "TxId": wanted["external_id"]}
        one = transfer(PmtId=ids, IntrBkSttlmAmt=money, DbtrAcct=payer, CdtrAcct=payee)
        return wanted, pacs008(one, version=version, at=at)
    one = order(PmtId={"EndToEndId": wanted["external_id"]}, Amt={"InstdAmt": money}, CdtrAcct=payee)
    return wanted, pain001(one, version=version, at=at, DbtrAcct=payer)


@pytest.mark.slow
@given(sent())
@settings(max_examples=150, deadline=None)
def test_there_and_back(pair):
    wanted, content = pair
    (message,) = messages_of(content)
    (found,) = payments_of(message, None)
    assert isinstance(found, Payment), found
    read = {name: getattr(found.given, name) for name in wanted}
    assert read == wanted
    assert read["amount"].as_tuple() == wanted["amount"].quantize(Decimal("0.01")).as_tuple()


@pytest.mark.parametrize("version", VERSIONS["pacs.002"])
def test_reports_of_every_version(version):
    original = {"OrgnlMsgId": "m-1", "OrgnlMsgNmId": "pacs.008.001.02"}
    around = {"OrgnlGrpInfAndSts": original} if version < 6 else {}
    (message,) = messages_of(pacs002(status(1, "FR01"), version=version, **around))
    (found,) = statuses_of(message, None)
    assert (found.ids, found.status, found.reasons, found.says_fraud) == (("tx-1",), "RJCT", ("FR01",), True)


_PIECES = st.sampled_from(
    [b"<", b">", b"/", b"Document", b"<a/>", b"\xff", b"\x00", b"&#x0;", b"<![CDATA[", b"]]>", b"<?x?>",
     b'xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"', b"<GrpHdr>", b"9", b"<!--", b"<!DOCTYPE a>"]
)  # fmt: skip
_BYTES = st.binary(max_size=300) | st.lists(_PIECES, max_size=20).map(b"".join)


def read(content):
    """All of it, as the endpoint does."""
    for message in messages_of(content):
        list((statuses_of if message.name == "pacs.002" else payments_of)(message, UTC))


@given(_BYTES)
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_refused_in_words(content):
    with pytest.raises(DomainError):
        read(content)


_WHOLE = [pacs008(transfer()), pain001(order()), pacs002(status())]


@given(st.sampled_from(_WHOLE), st.data())
@settings(max_examples=300, deadline=None)
def test_a_message_with_a_hole_never_breaks_anything(content, data):
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 40)))
    with suppress(DomainError):
        read(content[:start] + data.draw(_BYTES) + content[end:])
