"""What the way to the client costs: `python tests/bench/gateway.py`.

Sixteen clients stream through gateway and lane of a real site (web and language worker as `manage.py up` starts them),
by turns with sixteen threads that ask an engine in this process, with the same threads, prompts and lengths. All of it
shares the machine's cores: clients, web, Valkey and worker stand beside the engine. The bar is the median of the pairs.
"""

import argparse
import contextlib
import functools
import json
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages

import psutil  # noqa: E402

from tests.bench.report import Bar, report  # noqa: E402
from tests.bench.stand import running  # noqa: E402

CLIENTS = 16
THINGS = ["rain", "bridges", "bread", "tides", "maps", "bees", "clocks", "snow", "paper", "salt"]
BARS = [Bar("gateway_of_engine", ">=", 0.85)]


@dataclass(frozen=True)
class Rate:
    """Of all clients together; `cpu_ms` of each process for one token hardly depends on what else the machine does."""

    per_second: float
    first_ms: float
    cpu_ms: dict[str, float]


def main() -> None:
    """Print one table and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=128, help="of each answer")
    chosen = parser.parse_args()
    with gateway(running.prepare_environment()) as (url, token, folder, cpu):
        from workers.engine.local import LocalEngine

        engine = LocalEngine(folder, threads=os.cpu_count())
        ways = {"engine": of_engine(engine), "gateway": of_gateway(url, token)}
        for ask in ways.values():
            measure(ask, "warm", 16, cpu)
        found: dict[str, list[Rate]] = {name: [] for name in ways}
        for pair in range(chosen.pairs):
            for name in sorted(ways, reverse=bool(pair % 2)):
                found[name].append(measure(ways[name], f"{pair}", chosen.tokens, cpu))
        engine.close()
    ratios = [
        there.per_second / here.per_second
        for here, there in zip(found["engine"], found["gateway"], strict=True)
    ]
    metrics = {"gateway_of_engine": statistics.median(ratios), "clients": CLIENTS, "pairs": chosen.pairs}
    for name, rates in found.items():
        metrics[f"{name}_tokens_per_second"] = statistics.median(rate.per_second for rate in rates)
        metrics[f"{name}_first_token_ms"] = statistics.median(rate.first_ms for rate in rates)
        for process in rates[0].cpu_ms:
            used = statistics.median(rate.cpu_ms[process] for rate in rates)
            metrics[f"{name}_{process}_cpu_ms_per_token"] = used
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    report("gateway", {name: round(value, 3) for name, value in metrics.items()}, BARS)


Ask = Callable[[list[dict[str, str]], int], Iterator[int]]
Cpu = Callable[[], dict[str, float]]


def of_engine(engine: Any) -> Ask:
    """The engine itself; yields how many tokens each piece took."""
    from workers.engine.protocol import Sampling

    def ask(messages: list[dict[str, str]], tokens: int) -> Iterator[int]:
        for chunk in engine.generate(messages, Sampling(max_tokens=tokens, ignore_end=True)):
            yield chunk.tokens

    return ask


def of_gateway(url: str, token: str) -> Ask:
    """A client's stream; yields once for each piece, and last the tokens that the usage tells."""
    import httpx

    client = httpx.Client(
        headers={"Authorization": f"Bearer {token}"},
        timeout=600,
        limits=httpx.Limits(max_connections=CLIENTS),
    )

    def ask(messages: list[dict[str, str]], tokens: int) -> Iterator[int]:
        body = {
            "model": "base", "messages": messages, "max_tokens": tokens, "temperature": 0, "ignore_eos": True,
            "stream": True, "stream_options": {"include_usage": True},
        }  # fmt: skip
        with client.stream("POST", f"{url}/v1/chat/completions", json=body) as response:
            response.raise_for_status()
            last = b""
            for raw in response.iter_raw():
                last = last[-2000:] + raw
                if b'"content": "' in raw and b'"content": ""' not in raw:
                    yield 0
        usage = next(line for line in last.split(b"\n\n") if b'"usage"' in line)
        yield json.loads(usage[usage.index(b"{") :])["usage"]["completion_tokens"]

    return ask


def measure(ask: Ask, mark: str, tokens: int, cpu: Cpu) -> Rate:
    """All clients at once, each with a prompt of its own."""
    counts, firsts, barrier = [0] * CLIENTS, [0.0] * CLIENTS, threading.Barrier(CLIENTS + 1)

    def one(at: int) -> None:
        thing = THINGS[at % len(THINGS)]
        messages = [{"role": "user", "content": f"Story {mark}.{at}: tell me at length about {thing}."}]
        barrier.wait()
        began = time.perf_counter()
        for count in ask(messages, tokens):
            firsts[at] = firsts[at] or (time.perf_counter() - began) * 1000
            counts[at] += count

    threads = [threading.Thread(target=one, args=(at,)) for at in range(CLIENTS)]
    for thread in threads:
        thread.start()
    before = cpu()
    barrier.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if not all(counts):
        raise RuntimeError("a client was not served; see site.log")
    used = {name: (seconds - before[name]) * 1000 / sum(counts) for name, seconds in cpu().items()}
    return Rate(sum(counts) / took, statistics.median(firsts), used)


@contextmanager
def gateway(var: Path) -> Iterator[tuple[str, str, Path, Cpu]]:
    """Web and language worker of a fresh site: its address, a key, the base's folder, and what CPU it used."""
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    django.setup()
    from rootstock import embedded
    from rootstock.operations import stack
    from rootstock.operations.preparation import prepare
    from rootstock.registry.base import base_folder
    from rootstock.supervisor import Output, Supervisor

    embedded.ensure(var)
    try:
        prepare(lambda line: None)
        address = stack.address()
        ours = [each for each in stack.processes(address) if each.name in ("web", "language")]
        log = Path(os.environ.get("ROOTSTOCK_BENCH_LOG", var / "site.log"))
        with log.open("w") as written, Supervisor(var, ours, Output(written)) as supervisor:
            supervisor.start()
            supervisor.wait_ready()
            pids = {each.name: supervisor.pid(each.name) for each in ours}
            cpu = functools.partial(cpu_seconds, pids | {"here": os.getpid()}, str(var.resolve()))
            yield address.url, running.caller("models:use", "adapters:write")[1], base_folder(), cpu
    finally:
        embedded.stop(var)
        shutil.rmtree(var, ignore_errors=True)


def cpu_seconds(pids: dict[str, int], var: str) -> dict[str, float]:
    """What each process and its children have used, and Valkey and PostgreSQL of this site together."""
    found = dict.fromkeys([*pids, "services"], 0.0)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = [process.pid, *(parent.pid for parent in process.parents())]
            name = next((name for at in line for name, pid in pids.items() if pid == at), None)
            if name in (None, "here") and process.pid != os.getpid():
                name = "services" if process.cwd().startswith(var) else None
            if name:
                found[name] += sum(process.cpu_times()[:2])
    return found


if __name__ == "__main__":
    main()
