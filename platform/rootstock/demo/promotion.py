"""The registry's part: measure the trained adapter, refuse a bad one, let two people promote, ask by the alias."""

import json
import time
from typing import Any

from rootstock.demo.client import DemoClient, DemoFailure
from rootstock.demo.show import Row, Show

ALIAS = "larkfield-desk:production"
CHECKING_S = 60.0


def serve(asks: DemoClient, agrees: DemoClient, show: Show, adapter: str, frozen: bytes) -> list[Row]:
    """From an evaluation on unseen questions to an answer under the alias. `asks` and `agrees` are two people's."""
    return [
        _refuse(asks, show),
        _evaluate(asks, show, adapter, frozen),
        _promote(asks, agrees, show, adapter, frozen),
    ]


def _refuse(api: DemoClient, show: Show) -> Row:
    """A configuration that would have our process match names by a pattern: refused, and nothing kept."""
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ".*_proj"}
    files = [
        ("files", ("adapter_config.json", json.dumps(config).encode())),
        ("files", ("adapter_model.safetensors", _empty_safetensors())),
    ]
    upload = api.ask("POST", "/adapters/uploads", expect=202, data={"name": "stranger"}, files=files)
    until = time.monotonic() + CHECKING_S
    while upload["state"] == "checking":
        if time.monotonic() > until:
            raise DemoFailure("the checks of an upload did not end")
        time.sleep(0.2)
        upload = api.ask("GET", f"/adapters/uploads/{upload['id']}")
    if upload["state"] != "refused" or "target_modules" not in upload["reason"]:
        raise DemoFailure(f"an adapter with a pattern for targets was {upload['state']}: {upload['reason']}")
    show.step(f"an upload was refused: {upload['reason']}")
    return Row("bad adapter refused, its reason told", 1, None, None, upload["reason"].partition(":")[0])


def _empty_safetensors() -> bytes:
    header = json.dumps({"none": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


def _evaluate(api: DemoClient, show: Show, adapter: str, frozen: bytes) -> Row:
    uploaded = api.ask(
        "POST", "/datasets", expect=(201, 200), data={"name": "larkfield-frozen", "is_test": True},
        files={"file": ("frozen.jsonl", frozen)},
    )  # fmt: skip
    began = time.monotonic()
    job = api.ask("POST", f"/adapters/{adapter}/evaluations", expect=202, json={"dataset_id": uploaded["id"]})
    told = api.follow_job(job["id"], lambda job: None)["result"]
    ours, base = told["metrics"]["rouge_l"], told["baseline"]["rouge_l"]
    show.step(f"{uploaded['rows']} unseen questions: ROUGE-L {ours:.2f}, the base alone {base:.2f}")
    if ours <= base:
        raise DemoFailure(f"the adapter answers no better than the base: {ours:.2f} and {base:.2f}")
    milliseconds = (time.monotonic() - began) * 1000
    return Row(
        "adapter measured on unseen questions", uploaded["rows"], milliseconds, None,
        f"ROUGE-L {ours:.2f}, base alone {base:.2f}",
    )  # fmt: skip


def _promote(asks: DemoClient, agrees: DemoClient, show: Show, adapter: str, frozen: bytes) -> Row:
    body = {"alias": ALIAS, "version": adapter, "reason": "it knows how we take things back"}
    if asks.get(f"/api/v1/aliases/{ALIAS}").json().get("current") != adapter:
        asked = asks.ask("POST", "/promotions", expect=201, json=body)
        asks.ask(
            "POST", f"/promotions/{asked['id']}/approve", expect=403, json={}
        )  # nobody agrees with themselves
        agrees.ask("POST", f"/promotions/{asked['id']}/approve", json={"because": "seen its figures"})
    answer = _ask_alias(asks, frozen)
    if answer["model"] != adapter:
        raise DemoFailure(f"{ALIAS} should be answered by {adapter}, was by {answer['model']}")
    show.step(f"two people promoted it; {ALIAS} is answered by {answer['model']}")
    return Row("promoted by two people, asked by its alias", 1, None, None, f"{ALIAS} → {adapter}")


def _ask_alias(api: DemoClient, frozen: bytes) -> dict[str, Any]:
    """The first of the unseen questions."""
    *asked, _ = json.loads(frozen.splitlines()[0])["messages"]
    response = api.post("/v1/chat/completions", json={"model": ALIAS, "messages": asked, "max_tokens": 48})
    if response.status_code != 200:
        raise DemoFailure(f"the alias did not answer: {response.status_code} {response.text[:200]}")
    return dict(response.json())
