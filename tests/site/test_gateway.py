"""The official OpenAI client against the running site: the real engine behind web, lane and worker."""

import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import openai as client_library
import pytest
import torch
from django.core.files.storage import default_storage
from openai import OpenAI
from safetensors.torch import save_file

from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    AdapterCard,
    write_card,
)
from rootstock.accounts.tenancy import tenant
from rootstock.registry.base import base_card
from rootstock.registry.contents import adapter_keys
from rootstock.registry.services import adapter_register

pytestmark = pytest.mark.slow

ASKED = [{"role": "user", "content": "Name three colours."}]
TURN = {
    "type": "function",
    "function": {
        "name": "turn_light",
        "description": "Switch a lamp",
        "parameters": {
            "type": "object",
            "properties": {"lamp": {"type": "string", "maxLength": 12}, "on": {"type": "boolean"}},
            "required": ["lamp", "on"],
            "additionalProperties": False,
        },
    },
}


@pytest.fixture
def openai(site: Any, committed_world: Any) -> OpenAI:
    """A client of the test's organisation."""
    return OpenAI(
        api_key=committed_world.key("models:use", "adapters:write"), base_url=f"{site.url}/v1", timeout=170
    )


def test_chat_and_its_stream_say_the_same(openai: OpenAI) -> None:
    asked: Any = {"model": "base", "messages": ASKED, "max_tokens": 24, "temperature": 0}
    whole = openai.chat.completions.create(**asked)
    chunks = list(
        openai.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert whole.choices[0].message.content == said != ""
    assert whole.system_fingerprint == chunks[0].system_fingerprint
    assert whole.usage.completion_tokens == chunks[-1].usage.completion_tokens <= 24
    assert whole.usage.prompt_tokens == chunks[-1].usage.prompt_tokens > 5


def test_candidates_seeds_and_likelihoods(openai: OpenAI) -> None:
    asked: Any = {"model": "base", "messages": ASKED, "max_tokens": 8, "n": 3, "seed": 11, "temperature": 1.2}
    first, again = (openai.chat.completions.create(**asked, logprobs=True, top_logprobs=2) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert texts == [choice.message.content for choice in again.choices]
    assert len(set(texts)) == 3
    for choice in first.choices:
        told = choice.logprobs.content
        written = b"".join(bytes(each.bytes) for each in told).decode(errors="replace")
        assert written.startswith(choice.message.content)
        assert all(each.logprob <= 0 and len(each.top_logprobs) == 2 for each in told)


def test_answers_have_the_form_that_was_asked_for(openai: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "colour": {"enum": ["red", "green"]},
            "count": {"type": "integer", "maximum": 9, "minimum": 0},
        },
        "required": ["colour", "count"],
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    answer = openai.chat.completions.create(model="base", messages=ASKED, response_format=form, max_tokens=60)
    found = json.loads(answer.choices[0].message.content)
    assert found["colour"] in ("red", "green")
    assert 0 <= found["count"] <= 9
    digits = openai.chat.completions.create(
        model="base", messages=ASKED, extra_body={"constraint": {"kind": "regex", "text": "[0-9]{4}"}}
    )
    assert len(str(int("1" + digits.choices[0].message.content))) == 5


def test_tool_calls_always_parse(openai: OpenAI) -> None:
    asked: Any = {
        "model": "base", "messages": [{"role": "user", "content": "Light in the kitchen!"}], "tools": [TURN],
        "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 80, "temperature": 1.0,
    }  # fmt: skip
    call = openai.chat.completions.create(**asked).choices[0].message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"lamp", "on"}
    streamed, name = "", None
    for chunk in openai.chat.completions.create(**asked, stream=True):
        for each in chunk.choices[0].delta.tool_calls or ():
            name = name or each.function.name
            streamed += each.function.arguments or ""
    assert (name, set(json.loads(streamed))) == ("turn_light", {"lamp", "on"})


def test_completions_and_embeddings(openai: OpenAI) -> None:
    answer = openai.completions.create(
        model="base", prompt=["The capital of France is", "2, 4, 6,"], max_tokens=4, temperature=0, logprobs=1
    )
    assert "Paris" in answer.choices[0].text
    assert len(answer.choices[1].logprobs.tokens) <= 4
    near, far, again = (
        each.embedding
        for each in openai.embeddings.create(
            model="base", input=["The parcel is late.", "Glaciers move slowly.", "The parcel is late."]
        ).data
    )
    assert math.isclose(math.hypot(*near), 1, abs_tol=1e-3)
    assert near == pytest.approx(again, abs=0.02)
    assert near != pytest.approx(far, abs=0.02)


def random_adapter(organisation: Any, folder: Path, seed: int) -> Any:
    """An adapter of the served base that changes what it says, registered."""
    config, generator = base_card().config, torch.Generator().manual_seed(seed)
    shapes = {"lora_A": (4, config.hidden_size), "lora_B": (config.heads * config.head_size, 4)}
    folder.mkdir()
    save_file(
        {
            f"base_model.model.model.layers.{layer}.self_attn.q_proj.{name}.weight": torch.randn(
                shape, generator=generator
            )
            for layer in range(config.layers)
            for name, shape in shapes.items()
        },
        folder / ADAPTER_FILE,
    )
    options = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none"}
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(options))
    card = AdapterCard(name=folder.name, task="chat", base_fingerprint=base_card().fingerprint)
    write_card(card, folder / ADAPTER_CARD_FILE)
    return adapter_register(organisation=organisation, folder=folder, job_id=None)


def test_an_adapter_answers_as_itself_or_not_at_all(
    openai: OpenAI, committed_world: Any, tmp_path: Path
) -> None:
    shaken = random_adapter(committed_world.organisation, tmp_path / "shaken", 1)
    damaged = random_adapter(committed_world.organisation, tmp_path / "damaged", 2)
    asked: Any = {"messages": ASKED, "max_tokens": 16, "temperature": 0}
    plain, other = (openai.chat.completions.create(model=name, **asked) for name in ("base", "shaken"))
    assert (plain.model, other.model) == ("base", shaken.reference)
    assert other.choices[0].message.content != plain.choices[0].message.content
    key = adapter_keys(committed_world.organisation.pk, damaged.digest)[ADAPTER_FILE]
    Path(default_storage.path(key)).write_bytes(b"not what it was")
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.chat.completions.create(model="damaged", **asked)
    assert caught.value.param == "model"


def test_an_impossible_request_is_refused_with_its_reason(openai: OpenAI) -> None:
    with pytest.raises(client_library.BadRequestError, match="constraint"):
        openai.chat.completions.create(
            model="base", messages=ASKED, extra_body={"constraint": {"kind": "lark", "text": "no grammar"}}
        )
    with pytest.raises(client_library.BadRequestError, match="tokens"):
        openai.chat.completions.create(model="base", messages=[{"role": "user", "content": "word " * 9000}])


def test_who_leaves_is_not_written_for(openai: OpenAI, committed_world: Any) -> None:
    from rootstock.audit.models import DecisionRecord

    stream = openai.chat.completions.create(
        model="base", messages=ASKED, stream=True, max_tokens=1500, extra_body={"ignore_eos": True}
    )
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    until = time.monotonic() + 20
    found: list[Any] = []
    while not found and time.monotonic() < until:
        time.sleep(0.2)
        with tenant(committed_world.organisation):
            found = list(DecisionRecord.objects.filter(kind="gateway.generate"))
    assert found[0].output["finish"] == ["cancelled"]
    assert found[0].output["usage"]["completion"] < 1500


def test_many_at_once_are_all_served(openai: OpenAI) -> None:
    said: dict[int, str] = {}

    def ask(at: int) -> None:
        stream = openai.chat.completions.create(
            model="base", messages=ASKED, stream=True, max_tokens=12, temperature=0
        )
        said[at] = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(said) == 24
    assert all(said.values())
