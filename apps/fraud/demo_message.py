"""The demo's ISO 20022 messages: a transfer as a bank sends it, and the report that it was fraud."""

from typing import Any

from rootstock.demo import DemoClient, DemoFailure, Row, Show, Timings

_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd"
_TRANSFER = """<Document xmlns="{namespace}:pacs.008.001.08"><FIToFICstmrCdtTrf>
  <GrpHdr><MsgId>{id}</MsgId><CreDtTm>{at}</CreDtTm><NbOfTxs>1</NbOfTxs>
    <SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr>
  <CdtTrfTxInf>
    <PmtId><EndToEndId>NOTPROVIDED</EndToEndId><TxId>{id}</TxId></PmtId>
    <PmtTpInf><LclInstrm><Cd>INST</Cd></LclInstrm></PmtTpInf>
    <IntrBkSttlmAmt Ccy="EUR">1840.00</IntrBkSttlmAmt><ChrgBr>SLEV</ChrgBr>
    <Dbtr><Nm>Anna Example</Nm></Dbtr><DbtrAcct><Id><IBAN>GB29NWBK60161331926819</IBAN></Id></DbtrAcct>
    <DbtrAgt><FinInstnId><BICFI>NWBKGB2L</BICFI></FinInstnId></DbtrAgt>
    <CdtrAgt><FinInstnId><BICFI>COBADEFF</BICFI></FinInstnId></CdtrAgt>
    <Cdtr><Nm>Bert Example</Nm></Cdtr><CdtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></CdtrAcct>
  </CdtTrfTxInf></FIToFICstmrCdtTrf></Document>"""
_REPORT = """<Document xmlns="{namespace}:pacs.002.001.10"><FIToFIPmtStsRpt>
  <GrpHdr><MsgId>{id}-r</MsgId><CreDtTm>{at}</CreDtTm></GrpHdr>
  <TxInfAndSts><OrgnlTxId>{id}</OrgnlTxId><TxSts>RJCT</TxSts>
    <StsRsnInf><Rsn><Cd>FR01</Cd></Rsn></StsRsnInf></TxInfAndSts></FIToFIPmtStsRpt></Document>"""


def play(api: DemoClient, show: Show, mark: str, at: str) -> Row:
    """Send both. Raises DemoFailure unless the transfer is scored and the report becomes its label."""
    timings = Timings()
    with timings.measure():
        scored = _send(api, _TRANSFER, mark, at)["payments"][0]
    with timings.measure():
        status = _send(api, _REPORT, mark, at)["statuses"][0]
    if scored["decision"] is None or status["effect"] != "label":
        raise DemoFailure(f"the messages were not scored and labelled: {status['why']}")
    outcome = scored["decision"]["outcome"]
    show.step(f"a pacs.008 was scored ({outcome}), and the pacs.002 with FR01 labelled its payment")
    return timings.row("ISO 20022 messages", "pacs.008 scored, pacs.002 a label", 2)


def _send(api: DemoClient, message: str, mark: str, at: str) -> dict[str, list[dict[str, Any]]]:
    body = message.format(namespace=_NAMESPACE, id=f"iso-{mark}", at=at)
    headers = {"Content-Type": "application/xml"}
    answer: dict[str, list[dict[str, Any]]] = api.ask(
        "POST", "/fraud/iso20022", content=body, headers=headers
    )
    return answer
