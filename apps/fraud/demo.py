"""The bank's part of the demo: weeks of generated payments over REST, in batches and singly, and what came of them."""

import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from apps.fraud import demo_message
from apps.fraud.rules.example import EXAMPLE
from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.generator import START, Generated, generate
from models_zoo.fraud.metrics import average_precision, roc_auc
from rootstock.demo import DemoClient, DemoFailure, Row, Show, Timings

SEED, CUSTOMERS, DAYS, FRAUD = 2026, 190, 28, 2.0
BATCHES, SINGLES, LISTED = 2, 200, 100
WARM_UP_DAYS = 7
LEAST_AUC = 0.9
_WEEK = 7 * DAY


@dataclass(slots=True, frozen=True)
class Sent:
    """A payment as it is sent, and whether the generator meant it as fraud."""

    body: dict[str, Any]
    fraud: bool
    day: float


def play(api: DemoClient, show: Show) -> list[Row]:
    """Score several thousand payments. Raises DemoFailure unless each has one decision and fraud stands out."""
    mark = secrets.token_hex(3)
    sent = payments(mark, time.time())
    first = len(sent) - SINGLES - LISTED
    show.step(f"{len(sent):,} payments of {DAYS} days, {sum(one.fraud for one in sent)} of them fraud")
    rules = _rules_begin(api)
    rows = [_batches(api, show, sent[:first])]
    rows.append(_list(api, sent[first : first + LISTED]))
    rows.append(_singles(api, show, sent[first + LISTED :]))
    _check_repeat(api, sent[-1])
    rows.append(demo_message.play(api, show, mark, sent[-1].body["occurred_at"]))
    decided = _decided(api, show, sent)
    rows.append(_rules_tried(api, show, rules, sent))
    rows.append(_verdict(show, sent, decided))
    return rows


def payments(mark: str, now: float) -> list[Sent]:
    """A generated stream in order of time, moved by whole weeks so that it ends shortly before `now`."""
    shift = (now - START - DAYS * DAY) // _WEEK * _WEEK
    made = generate(SEED, CUSTOMERS, DAYS, FRAUD)
    return [_sent(one, place, mark, START + shift) for place, one in enumerate(made, start=1)]


def _sent(one: Generated, place: int, mark: str, start: float) -> Sent:
    body = {
        "external_id": f"demo-{mark}-{place:05d}",
        "payer": f"ACC-{mark}-{one.payer:05d}",
        "payee": f"ACC-{mark}-{one.payee:05d}",
        "device": f"DEV-{mark}-{one.device:05d}" if one.device else None,
        "merchant": f"TER-{mark}-{one.merchant:05d}" if one.merchant else None,
        "amount": f"{one.amount:.2f}",
        "currency": "EUR",
        "channel": one.channel,
        "occurred_at": datetime.fromtimestamp(start + one.time, UTC).isoformat(),
    }
    return Sent(body, bool(one.typology), one.time / DAY)


def _batches(api: DemoClient, show: Show, sent: Sequence[Sent]) -> Row:
    """Most of the stream, as batches that a job scores."""
    timings, began = Timings(), time.perf_counter()
    for place in range(BATCHES):
        part = sent[place * len(sent) // BATCHES : (place + 1) * len(sent) // BATCHES]
        body = {"transactions": [one.body for one in part]}
        with timings.measure():
            batch = api.ask("POST", "/fraud/batches", expect=202, json=body)
            job = api.follow_job(
                batch["job"]["id"], lambda job: show.progress(job["done"], job["total"], "payments scored:")
            )
        if job["result"]["payments"] != len(part):
            raise DemoFailure(f"the batch's job scored {job['result']['payments']} of {len(part)} payments")
        show.step(f"batch {place + 1}: {len(part):,} payments, {_told(job['result']['outcomes'])}")
    rate = len(sent) / (time.perf_counter() - began)
    return timings.row(
        "payments scored in batches", f"{rate:,.0f} a second, jobs followed to their end", len(sent)
    )


def _list(api: DemoClient, sent: Sequence[Sent]) -> Row:
    timings = Timings()
    with timings.measure():
        answer = api.ask("POST", "/fraud/transactions", json=[one.body for one in sent])
    if [item["external_id"] for item in answer["items"]] != [one.body["external_id"] for one in sent]:
        raise DemoFailure("a list of payments came back in another order")
    return timings.row("payments scored as one list", "all at once, in order", len(sent))


def _singles(api: DemoClient, show: Show, sent: Sequence[Sent]) -> Row:
    timings = Timings()
    for place, one in enumerate(sent, start=1):
        with timings.measure():
            scored = api.ask("POST", "/fraud/transactions", json=one.body)
        if scored["decision"] is None:
            raise DemoFailure(f"{one.body['external_id']} came back without a decision")
        show.progress(place, len(sent), "payments scored one by one:")
    show.step(f"one by one: median {timings.median:.1f} ms, p99 {timings.p99:.1f} ms over REST")
    return timings.row("payments scored one by one", "a decision with reasons for each")


def _check_repeat(api: DemoClient, one: Sent) -> None:
    """Sent again, a payment has the decision it had; with another amount it is refused."""
    first, again = (api.ask("POST", "/fraud/transactions", json=one.body) for _ in range(2))
    if first["decision"] != again["decision"]:
        raise DemoFailure("the same payment got two decisions")
    api.ask("POST", "/fraud/transactions", expect=409, json={**one.body, "amount": "123456.78"})


def _decided(api: DemoClient, show: Show, sent: Sequence[Sent]) -> dict[str, dict[str, Any]]:
    """The stored decision of each payment, read back page by page. Raises DemoFailure if one is missing or double."""
    wanted = {one.body["external_id"] for one in sent}
    seen: Counter[str] = Counter()
    decisions: dict[str, dict[str, Any]] = {}
    cursor: str | None = ""
    while cursor is not None and len(seen) < len(wanted):
        page = api.ask(
            "GET", "/fraud/transactions", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
        )
        for item in page["items"]:
            if item["external_id"] in wanted and item["decision"]:
                seen[item["external_id"]] += 1
                decisions[item["external_id"]] = item["decision"]
        cursor = page["next"]
    if len(seen) != len(wanted) or max(seen.values()) != 1:
        raise DemoFailure(f"{len(seen):,} of {len(wanted):,} payments have exactly one decision")
    show.step(f"read back: each of the {len(wanted):,} payments has exactly one decision")
    return decisions


def _verdict(show: Show, sent: Sequence[Sent], decisions: dict[str, dict[str, Any]]) -> Row:
    """How well the scores tell the generator's frauds apart, after the days that filled the histories."""
    judged = [one for one in sent if one.day >= WARM_UP_DAYS]
    labels = np.array([one.fraud for one in judged])
    found = [decisions[one.body["external_id"]] for one in judged]
    scores = np.array([decision["score"] for decision in found])
    flagged = np.array([decision["outcome"] != "approve" for decision in found])
    auc, precision = roc_auc(labels, scores), average_precision(labels, scores)
    if auc < LEAST_AUC:
        raise DemoFailure(f"the scores do not tell fraud apart: AUC {auc:.3f}, expected {LEAST_AUC} or more")
    caught, alerts = int((flagged & labels).sum()), int(flagged.sum())
    show.step(
        f"{caught} of {int(labels.sum())} frauds flagged with {alerts} alerts on {len(judged):,} payments"
    )
    outcome = (
        f"AUC {auc:.3f}, AP {precision:.3f}; {caught} of {int(labels.sum())} frauds among {alerts} alerts"
    )
    return Row("frauds told apart (generated)", len(judged), None, None, outcome)


def _rules_begin(api: DemoClient) -> int:
    """The example's rules, in the shadow: worked out for every payment, deciding nothing. The version's number."""
    number: int = api.ask("POST", "/fraud/rules/versions", expect=201, json=EXAMPLE)["number"]
    shadow = api.ask("GET", "/fraud/rules")["shadow"]
    if shadow is None or shadow["number"] != number:
        api.ask("POST", "/fraud/rules/shadow", json={"version": number, "reason": "tried in the demo"})
    return number


def _rules_tried(api: DemoClient, show: Show, number: int, sent: Sequence[Sent]) -> Row:
    """What the shadow counted, and the same rules on history, once it is known what was fraud."""
    frauds = [
        {"external_id": one.body["external_id"], "fraud": True, "source": "demo"} for one in sent if one.fraud
    ]
    api.ask("POST", "/fraud/labels", json=frauds)
    shadow = api.ask("GET", f"/fraud/rules/versions/{number}/shadow")
    show.step(
        f"rules in the shadow: {shadow['only_shadow_alerts']['payments']} alerts more, "
        f"{shadow['only_shadow_alerts']['frauds']} of them fraud"
    )
    timings = Timings()
    with timings.measure():
        job = api.ask("POST", "/fraud/rules/backtests", expect=202, json={"version": number})["job"]
        api.follow_job(job["id"], lambda job: show.progress(job["done"], job["total"], "payments tried:"))
    found = api.ask("GET", f"/fraud/rules/backtests/{job['id']}")["result"]
    if found["payments"] < len(sent):
        raise DemoFailure(f"the back-test saw {found['payments']} of {len(sent)} payments")
    alone = found["version_alone"]
    outcome = f"rules alone: precision {alone['precision'] or 0:.2f}, recall {alone['recall'] or 0:.2f}"
    return timings.row("rules tried on history", outcome, found["payments"])


def _told(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
