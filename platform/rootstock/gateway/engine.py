"""What the engine page shows: what each worker tells of its engine, as tiles, charts and rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pydantic import BaseModel

from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.tables import Column, Empty, Table
from rootstock.console.templatetags.console import pill
from rootstock.console.tiles import Tile
from rootstock.registry.models import AdapterVersion

MOST_ROWS = 200
TIERS = {"device": ("ok", "On the device"), "memory": ("info", "In memory"), "disk": ("neutral", "On disk")}


class Distribution(BaseModel):
    """counts[i] values were at most bounds[i], and more than the bound before; the last class has no bound."""

    bounds: list[float] = []
    counts: list[int] = []
    total: float = 0.0

    @property
    def mean(self) -> float | None:
        """None without any."""
        count = sum(self.counts)
        return self.total / count if count else None

    def quantile(self, share: float) -> float | None:
        """The value below which `share` of all lie, as if a class's were spread evenly; None without any.

        Of the last class, which has no end, its beginning: see `told`.
        """
        wanted, seen, below = share * sum(self.counts), 0, 0.0
        for bound, count in zip([*self.bounds, None], self.counts, strict=False):
            if count and seen + count >= wanted:
                return below if bound is None else below + (bound - below) * (wanted - seen) / count
            seen, below = seen + count, below if bound is None else bound
        return None

    def told(self, share: float) -> str:
        """The quantile as it may be said: of the last class only that it is over its beginning."""
        found, known = self.quantile(share), sum(self.counts[: len(self.bounds)])
        if found is None:
            return formats.NONE
        return f"{'over ' if share * sum(self.counts) > known else ''}{found:,.0f}"


class EngineTold(BaseModel):
    """A worker's engine, as the worker publishes it; an older worker tells less."""

    device: str = ""
    running: int = 0
    waiting: int = 0
    slots: int = 0
    tiers: dict[str, int] = {}
    adapter_bytes: int = 0
    adapter_room: int = 0
    kv_blocks: int = 0
    kv_blocks_used: int = 0
    kv_blocks_cached: int = 0
    tokens_per_second: float = 0.0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    prefix_hit_tokens: int = 0
    preemptions: int = 0
    errors: int = 0
    first_token_ms: Distribution = Distribution()
    inter_token_ms: Distribution = Distribution()
    batch: Distribution = Distribution()


def engine_tiles(told: EngineTold) -> list[Tile]:
    """What goes on, and how well."""
    return [
        Tile("Running", f"{told.running:,}", "requests", note=_of_batch(told.batch), symbol="activity"),
        Tile(
            "Waiting", f"{told.waiting:,}", "requests",
            note=f"{told.preemptions:,} were set aside for others since the start", symbol="hourglass",
        ),
        Tile(
            "Writing", f"{told.tokens_per_second:,.0f}", "tokens/s",
            note=f"{formats.abbreviated(told.generated_tokens)} since the start", symbol="zap",
        ),
        _latency_tile("First token", told.first_token_ms, "timer"),
        _latency_tile("Between tokens", told.inter_token_ms, "timer"),
        _kv_tile(told),
        _prefix_tile(told),
        _adapter_tile(told),
    ]  # fmt: skip


def _of_batch(batch: Distribution) -> str:
    return "nothing has run yet" if batch.mean is None else f"{batch.mean:.1f} in a step on average"


def _latency_tile(label: str, spread: Distribution, symbol: str) -> Tile:
    if not sum(spread.counts):
        return Tile(label, formats.NONE, note="nothing was written yet", symbol=symbol)
    note = f"half are quicker; p99 {spread.told(0.99)} ms"
    return Tile(label, spread.told(0.5), "ms", note=note, symbol=symbol)


def _kv_tile(told: EngineTold) -> Tile:
    if not told.kv_blocks:
        return Tile("Key-value cache", formats.NONE, note="not told by this worker", symbol="memory-stick")
    share = told.kv_blocks_used / told.kv_blocks
    return Tile(
        "Key-value cache", formats.percentage(share), "used",
        note=f"{told.kv_blocks_used:,} of {told.kv_blocks:,} blocks; {told.kv_blocks_cached:,} kept for prefixes",
        symbol="memory-stick", tone="warn" if share >= 0.9 else "",
    )  # fmt: skip


def _prefix_tile(told: EngineTold) -> Tile:
    if not told.prompt_tokens:
        return Tile("Prefix hits", formats.NONE, note="nothing was read yet", symbol="copy")
    share = told.prefix_hit_tokens / told.prompt_tokens
    note = f"of {formats.abbreviated(told.prompt_tokens)} prompt tokens since the start"
    return Tile("Prefix hits", formats.percentage(share), note=note, symbol="copy")


def _adapter_tile(told: EngineTold) -> Tile:
    on_device, in_memory, on_disk = (told.tiers.get(tier, 0) for tier in TIERS)
    return Tile(
        "Adapters", f"{on_device:,}", f"of {told.slots:,} slots",
        note=f"{in_memory:,} more in memory, {on_disk:,} on disk; {filesizeformat(told.adapter_bytes)}",
        symbol="layers",
    )  # fmt: skip


def engine_charts(worker: str, told: EngineTold) -> list[Chart]:
    """How latencies and batch sizes are spread since the worker's start; none before anything ran."""
    wanted = (
        ("first", "Time to the first token", told.first_token_ms, " ms", "accent"),
        ("inter", "Time between tokens", told.inter_token_ms, " ms", "info"),
        ("batch", "Requests in a step", told.batch, "", "violet"),
    )
    return [
        Chart(
            f"{worker}-{name}", title, _classes(spread, unit), [Series("times", list(map(float, spread.counts)), tone)],
            "bar", small=True, label_title="Up to", note="Since the worker started.",
        )
        for name, title, spread, unit, tone in wanted
        if sum(spread.counts)
    ]  # fmt: skip


def _classes(spread: Distribution, unit: str) -> list[str]:
    bounds = [f"{bound:,.15g}{unit}" for bound in spread.bounds]
    return [*bounds, f"over {bounds[-1]}" if bounds else "any"]


class AdapterRow(BaseModel):
    """An adapter, where it is, and how much it is used. Workers know it by its digest, a shipped one by its name."""

    adapter: str
    name: str = ""
    task: str = ""
    tier: str = "memory"
    slot: int | None = None
    in_use: int = 0
    rank: int = 0
    bytes: int = 0
    pinned: bool = False
    hits: int = 0

    @property
    def pk(self) -> str:
        """For the table."""
        return self.adapter


def adapter_rows(adapters: Sequence[dict[str, Any]], own: Mapping[str, AdapterVersion]) -> list[AdapterRow]:
    """The first of the adapters that the organisation may know by name, its own and the shipped ones: those on the
    device and in use before the others."""
    told = [
        AdapterRow(**one, name=own[one["adapter"]].reference if one["adapter"] in own else one["adapter"])
        for one in adapters
        if one.get("shipped") or one["adapter"] in own
    ]
    order = list(TIERS)
    return sorted(told, key=lambda one: (order.index(one.tier), -one.in_use, one.name))[:MOST_ROWS]


def _tier(row: AdapterRow) -> SafeString:
    return pill(*TIERS[row.tier])


def _name(row: AdapterRow) -> SafeString:
    return format_html('<code class="strong">{}</code>', row.name)


ADAPTERS = Table(
    name="engine-adapters",
    label="Adapters",
    columns=[
        Column("adapter", "Adapter", value=_name),
        Column("task", "Task"),
        Column("tier", "Where", value=_tier),
        Column("slot", "Slot", css="num"),
        Column("in_use", "Requests now", css="num"),
        Column("hits", "Hits", css="num"),
        Column("rank", "Rank", css="num"),
        Column("bytes", "Size", value=lambda row: filesizeformat(row.bytes), css="num"),
        Column("pinned", "Pinned", value=lambda row: pill("accent", "Pinned") if row.pinned else ""),
    ],
    csv=False,
    views=False,
    empty=Empty("No adapter is loaded", "One is loaded when it is first asked for.", "layers"),
)
