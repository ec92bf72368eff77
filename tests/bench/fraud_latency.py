"""What a decision costs on the whole way: REST, PostgreSQL, Valkey, worker: `python tests/bench/fraud_latency.py`.

Web and score worker of a fresh site as `manage.py up` starts them, and a generator of payments beside them on the same
cores. First lists of 100, one after another from each of two senders, as fast as they are answered; then single
payments, 50 a second whether the last was answered or not, in three rounds of which the median counts. Then a flood:
lists of payments from one account to one other, so that nearly all are flagged and want reasons, eight lists of 100
at once and one of 1,000; what is not answered with decisions is counted, and sent again under its key until it is.
At the end every payment must have its decision and its record. Processor milliseconds of a payment hardly depend on
what else the machine does; the rates do.
`--profile 100` says instead where the web's and the worker's share of lists of 100 goes, in one process.
"""

import argparse
import cProfile
import itertools
import json
import os
import pstats
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages

import httpx  # noqa: E402
import numpy as np  # noqa: E402
import psutil  # noqa: E402

from tests.bench.load import percentiles  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402
from tests.bench.stand import running  # noqa: E402

PATH = "/api/v1/fraud/transactions"
LIST, SENDERS, PER_SECOND, ROUNDS = 100, 2, 50, 3
FLOOD, FLOODS, LARGEST, LARGE = 8, 5, 1000, 3
ACCOUNTS, SHOPS, DEVICES = 3000, 150, 3000
BARS = [Bar("list_payments_per_second", ">=", 1000), Bar("single_p99_ms", "<=", 35)]
START = datetime(2026, 3, 2, tzinfo=UTC)


class Payments:
    """A stream in which accounts pay shops and each other, each payment with another id."""

    def __init__(self) -> None:
        self._random, self._count = np.random.default_rng(9), itertools.count()

    def some(self, count: int) -> list[dict[str, Any]]:
        """The next ones, as they are sent."""
        payers = (self._random.pareto(1.2, count) * ACCOUNTS / 20).astype(int) % ACCOUNTS
        shops = self._random.integers(0, SHOPS, count)
        others = self._random.integers(0, ACCOUNTS, count)
        amounts = self._random.lognormal(3.3, 1.0, count)
        return [
            self._one(*given)
            for given in zip(payers.tolist(), shops.tolist(), others.tolist(), amounts.tolist(), strict=True)
        ]

    def flood(self, count: int) -> list[dict[str, Any]]:
        """The next ones, all of them between the same two accounts, a second apart."""
        amounts = self._random.lognormal(5.0, 1.0, count).tolist()
        payee = iban("GB", f"NWBK{1:014d}")
        return [self._one(0, 0, 0, amount) | {"payee": payee, "channel": "instant"} for amount in amounts]

    def _one(self, payer: int, shop: int, other: int, amount: float) -> dict[str, Any]:
        number = next(self._count)
        at_shop = number % 3 > 0
        more = {"merchant": f"SHOP-{shop:05d}", "device": f"PHONE-{payer % DEVICES:05d}"} if at_shop else {}
        return {
            "external_id": f"bench-{number:08d}",
            "payer": iban("GB", f"NWBK{payer:014d}"),
            "payee": iban("DE", f"{shop:018d}") if at_shop else iban("GB", f"NWBK{other:014d}"),
            "amount": f"{max(amount, 0.01):.2f}",
            "currency": "EUR",
            "channel": "card" if at_shop else "transfer",
            "occurred_at": (START + timedelta(seconds=number)).isoformat(),
            **more,
        }


def iban(country: str, account: str) -> str:
    """An account's number with its check digits (ISO 7064)."""
    digits = "".join(str(int(letter, 36)) for letter in f"{account}{country}00")
    return f"{country}{98 - int(digits) % 97:02d}{account}"


def main() -> None:
    """Print one table and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=20, help="of lists, and then of singles")
    parser.add_argument(
        "--profile", type=int, default=0, metavar="SIZE", help="of the lists that are profiled"
    )
    chosen = parser.parse_args()
    var = running.prepare_environment()
    os.environ["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    if chosen.profile:
        profile(var, chosen.profile)
        return
    with site(var) as (url, token, organisation, cpu):
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        payments = Payments()
        for _ in range(40):  # until most accounts have a ring
            send(client, payments.some(LIST))
        metrics = lists(client, payments, chosen.seconds, cpu)
        rounds = [singles(client, payments, chosen.seconds, cpu) for _ in range(ROUNDS)]
        metrics |= {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        metrics |= {
            f"single_p99_ms_of_round_{place}": one["single_p99_ms"] for place, one in enumerate(rounds, 1)
        }
        metrics |= flood(client, payments, cpu)
        metrics |= stored(organisation)
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    report("fraud_latency", {name: round(value, 3) for name, value in metrics.items()}, BARS)


def send(client: httpx.Client, body: Any) -> None:
    """One request. Raises RuntimeError for a payment without a decision."""
    response = client.post(PATH, json=body)
    response.raise_for_status()
    answer = response.json()
    if not all(one["decision"] for one in answer.get("items", [answer])):
        raise RuntimeError("a payment came back without a decision")


Cpu = Callable[[], dict[str, float]]


def lists(client: httpx.Client, payments: Payments, seconds: float, cpu: Cpu) -> dict[str, float]:
    """Lists of 100, from two senders at once."""
    waiting = [payments.some(LIST) for _ in range(int(seconds * 40))]
    times: list[float] = []
    before, began = cpu(), time.perf_counter()

    def sender() -> None:
        while waiting and time.perf_counter() - began < seconds:
            body, asked = waiting.pop(), time.perf_counter()
            send(client, body)
            times.append((time.perf_counter() - asked) * 1000)

    threads = [threading.Thread(target=sender) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, after = time.perf_counter() - began, cpu()
    sent = len(times) * LIST
    middle, slow = percentiles(times)
    used = {f"list_cpu_{name}_ms_each": (after[name] - before[name]) * 1000 / sent for name in after}
    total = sum(used.values())
    return {
        "list_payments_per_second": sent / took,
        "list_p50_ms": middle,
        "list_p99_ms": slow,
        **used,
        "list_cpu_ms_each": total,
        "list_per_second_of_two_whole_cores": 2000 / total,
    }


def singles(client: httpx.Client, payments: Payments, seconds: float, cpu: Cpu) -> dict[str, float]:
    """One payment every 20 ms, each from a thread that is free; the time counts from when it was due."""
    bodies = payments.some(int(seconds * PER_SECOND))
    times: list[float] = []
    before, began = cpu(), time.perf_counter()
    turn = itertools.count()

    def sender() -> None:
        while (number := next(turn)) < len(bodies):
            due = began + number / PER_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            send(client, bodies[number])
            times.append((time.perf_counter() - due) * 1000)

    threads = [threading.Thread(target=sender) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = cpu()
    used = {f"single_cpu_{name}_ms_each": (after[name] - before[name]) * 1000 / len(times) for name in after}
    middle, slow = percentiles(times)
    return {
        "single_p50_ms": middle,
        "single_p99_ms": slow,
        "single_mean_ms": statistics.mean(times),
        **used,
        "single_cpu_ms_each": sum(used.values()),
    }


def flood(client: httpx.Client, payments: Payments, cpu: Cpu) -> dict[str, float]:
    """Lists on one pair of accounts, several at once and one large, until each has its decisions."""
    together: list[float] = []
    refused: list[int] = []
    flagged: list[bool] = []

    def sender(body: list[dict[str, Any]], times: list[float]) -> None:
        asked, headers = time.perf_counter(), {"Idempotency-Key": body[0]["external_id"]}
        while (response := client.post(PATH, json=body, headers=headers)).status_code != 200:
            if response.status_code not in (503, 504):
                response.raise_for_status()
            refused.append(response.status_code)
            time.sleep(1)
        times.append((time.perf_counter() - asked) * 1000)
        flagged.extend(one["decision"]["outcome"] != "approve" for one in response.json()["items"])

    sender(payments.flood(LIST), [])  # until the pair is hot
    before, began = cpu(), time.perf_counter()
    for _ in range(FLOODS):
        threads = [
            threading.Thread(target=sender, args=(payments.flood(LIST), together)) for _ in range(FLOOD)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    took, after = time.perf_counter() - began, cpu()
    large: list[float] = []
    for _ in range(LARGE):
        sender(payments.flood(LARGEST), large)
    middle, slow = percentiles(together)
    sent = FLOODS * FLOOD * LIST
    return {
        "flood_payments_per_second": sent / took,
        "flood_p50_ms": middle,
        "flood_p99_ms": slow,
        "flood_cpu_ms_each": sum(after[name] - before[name] for name in after) * 1000 / sent,
        "flood_list_of_1000_ms": statistics.median(large),
        "flood_not_answered_at_first": len(refused),
        "flood_share_flagged": statistics.mean(flagged),
    }


def stored(organisation: Any) -> dict[str, float]:
    """Every payment has its decision, and every decision its record. Raises RuntimeError otherwise."""
    from apps.fraud.models import Decision, Transaction
    from rootstock.accounts.tenancy import tenant
    from rootstock.audit.models import DecisionRecord

    with tenant(organisation):
        counts = {model: model.objects.count() for model in (Transaction, Decision, DecisionRecord)}
    if len(set(counts.values())) != 1:
        raise RuntimeError(f"payments, decisions and records differ: {list(counts.values())}")
    return {"decisions_stored": counts[Decision]}


@contextmanager
def site(var: Path) -> Iterator[tuple[str, str, Any, Cpu]]:
    """Web and score worker: address, key, organisation, and the processor seconds of each part."""
    import django

    django.setup()
    from rootstock import embedded
    from rootstock.operations import stack
    from rootstock.operations.preparation import prepare
    from rootstock.supervisor import Output, Supervisor

    embedded.ensure(var)
    try:
        prepare(lambda line: None)
        organisation, token = running.caller("fraud:read", "fraud:write")
        address = stack.address()
        ours = [each for each in stack.processes(address) if each.name in ("web", "score")]
        with (var / "site.log").open("w") as log, Supervisor(var, ours, Output(log)) as supervisor:
            supervisor.start()
            supervisor.wait_ready()
            yield (
                f"http://{address.host}:{address.port}",
                token,
                organisation,
                lambda: seconds_of(supervisor, var),
            )
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)


def seconds_of(supervisor: Any, var: Path) -> dict[str, float]:
    """Processor seconds of web and worker with their children, of PostgreSQL and of Valkey."""
    used = {"web": 0.0, "score": 0.0, "postgres": 0.0, "valkey": 0.0}
    for process in psutil.process_iter(["pid", "name", "cwd"]):
        try:
            line = [process.pid, *(parent.pid for parent in process.parents())]
            name = next((name for name in ("web", "score") if supervisor.pid(name) in line), None)
            if name is None and str(process.info["cwd"] or "").startswith(str(var.resolve())):
                name = "valkey" if "valkey" in process.info["name"] else "postgres"
            if name:
                used[name] += sum(process.cpu_times()[:2])
        except psutil.Error:
            continue
    return used


def profile(var: Path, size: int) -> None:
    """Lists of payments through web and worker in this process: what each took, and the functions that took most."""
    import django

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    django.setup()
    from django.test import Client

    from apps.fraud.handlers import ScoreHandler
    from rootstock import embedded
    from rootstock.operations.preparation import prepare
    from workers.runtime import Runtime

    embedded.ensure(var)
    try:
        prepare(lambda line: None)
        _, token = running.caller("fraud:read", "fraud:write")
        runtime = Runtime("bench", ["score"])
        profiles = {"web": cProfile.Profile(time.thread_time), "worker": cProfile.Profile(time.thread_time)}
        run = ScoreHandler.run
        ScoreHandler.run = lambda self, batch: profiles["worker"].runcall(run, self, batch)  # type: ignore[method-assign]
        runtime.start()
        client, payments = Client(headers={"authorization": f"Bearer {token}"}), Payments()

        def post() -> None:
            answer = client.post(PATH, json.dumps(payments.some(size)), content_type="application/json")
            assert answer.status_code == 200, answer.content

        for _ in range(30):
            post()
        profiles["worker"].clear()
        for _ in range(30):
            profiles["web"].runcall(post)
        runtime.stop()
        for name, one in profiles.items():
            sys.stdout.write(f"\n== {name}, {30 * size:,} payments\n")
            pstats.Stats(one, stream=sys.stdout).sort_stats("cumulative").print_stats(55)
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)


if __name__ == "__main__":
    main()
