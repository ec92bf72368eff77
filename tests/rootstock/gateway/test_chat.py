"""Chat with the official client."""

import json
from uuid import uuid4

import openai as client_library
import pytest

from rootstock.accounts.actors import Actor
from rootstock.accounts.tenancy import tenant
from rootstock.gateway.served import model_find
from rootstock.gateway.services import Generation, generations_open
from tests.rootstock.gateway.conftest import openai_client
from workers.engine.generation.checks import check_sampling
from workers.engine.protocol import EngineError, EngineTimeout, PromptTooLong

ASKED = [{"role": "user", "content": "Where is my parcel?"}]


def test_it_works(openai, engine) -> None:
    answer = openai.chat.completions.create(model="base", messages=ASKED)
    assert answer.choices[0].message.content == "It is late."
    assert (answer.choices[0].finish_reason, answer.model, answer.object) == (
        "stop",
        "base",
        "chat.completion",
    )
    assert answer.system_fingerprint == engine.fingerprint[:16]
    assert answer.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    assert list(engine.asked[0][0]) == ASKED


def test_it_streams(openai) -> None:
    stream = openai.chat.completions.create(
        model="base", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "It is late."
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 10)
    assert len({chunk.id for chunk in chunks}) == 1


def test_what_was_sent_reaches_the_engine(openai, engine, served) -> None:
    openai.chat.completions.create(
        model="base", messages=ASKED, temperature=0.3, top_p=0.9, seed=5, stop=["\n", "END"], max_tokens=2,
        presence_penalty=0.5, frequency_penalty=-0.5, logit_bias={"17": -100}, n=2, logprobs=True, top_logprobs=3,
        user="somebody", metadata={"a": "b"}, store=False,
        extra_body={"top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1, "priority": "bulk"},
    )  # fmt: skip
    _, sampling, adapter, call = engine.asked[0]
    assert (sampling.temperature, sampling.top_p, sampling.seed, sampling.max_tokens) == (0.3, 0.9, 5, 2)
    assert (sampling.stop, sampling.logit_bias, sampling.n, sampling.logprobs) == (
        ("\n", "END"),
        {17: -100},
        2,
        3,
    )
    assert (sampling.top_k, sampling.min_p, sampling.repetition_penalty) == (40, 0.05, 1.1)
    assert (sampling.presence_penalty, sampling.frequency_penalty, adapter) == (0.5, -0.5, None)
    assert (call.organisation, call.priority.name) == (str(served.organisation.pk), "BULK")
    assert call.deadline


def test_beams_are_not_drawn(openai, engine) -> None:
    extra = {"reasoning_effort": "low", "verbosity": "low", "modalities": ["text"]}  # which agents send
    openai.chat.completions.create(model="base", messages=ASKED, n=2, extra_body=extra | {"beams": 4})
    sampling = engine.asked[0][1]
    assert (sampling.beams, sampling.n, sampling.temperature, sampling.seed) == (4, 2, 0, None)
    check_sampling(sampling, 320)


def test_several_candidates_with_their_likelihoods(openai) -> None:
    answer = openai.chat.completions.create(
        model="base", messages=ASKED, n=2, logprobs=True, top_logprobs=2, max_completion_tokens=2
    )
    assert [each.message.content for each in answer.choices] == ["0:It 0:is ", "1:It 1:is "]
    assert [each.finish_reason for each in answer.choices] == ["length", "length"]
    told = answer.choices[1].logprobs.content
    assert [each.token for each in told] == ["1:It ", "1:is "]
    assert [one.logprob for one in told[0].top_logprobs] == [-0.1, -2.5]
    assert bytes(told[0].bytes) == b"1:It "
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 4)


def test_several_candidates_stream_beside_one_another(openai) -> None:
    said = {0: "", 1: ""}
    reasons = {}
    for chunk in openai.chat.completions.create(
        model="base", messages=ASKED, n=2, logprobs=True, stream=True
    ):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
            reasons[choice.index] = choice.finish_reason
    assert said == {0: "0:It 0:is 0:late.", 1: "1:It 1:is 1:late."}
    assert reasons == {0: "stop", 1: "stop"}


def test_all_roles_become_what_a_template_knows(openai, engine) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "where", "arguments": '{"id": 7}'}}
    openai.chat.completions.create(
        model="base",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Where"}, {"type": "text", "text": "is it?"}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "Bonn"},
        ],
    )
    prompt = engine.asked[0][0]
    assert [each["role"] for each in prompt] == ["system", "user", "assistant", "user"]
    assert prompt[1]["content"] == "Where\nis it?"
    assert '{"name": "where", "arguments": {"id": 7}}' in prompt[2]["content"]
    assert prompt[3]["content"] == "<tool_response>\nBonn\n</tool_response>"


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, {"type": "object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "array"}}},
            {"type": "array"},
        ),
    ],
)
def test_the_form_of_the_answer_is_a_constraint(openai, engine, form, kind) -> None:
    openai.chat.completions.create(model="base", messages=ASKED, response_format=form)
    found = engine.asked[0][1].constraint
    assert (found and json.loads(found.text)) == kind


def test_a_constraint_of_ones_own(openai, engine) -> None:
    body = {"constraint": {"kind": "regex", "text": "[0-9]+"}}
    openai.chat.completions.create(model="base", messages=ASKED, extra_body=body)
    assert (engine.asked[0][1].constraint.kind, engine.asked[0][1].constraint.text) == ("regex", "[0-9]+")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"temperature": True}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"max_tokens": "7"}, "max_tokens"),
        ({"logit_bias": {"7": "1"}}, "logit_bias.7"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"extra_body": {"temprature": 1}}, "temprature"),
        ({"extra_body": {"store": True}}, "store"),
        ({"extra_body": {"beams": 2}, "n": 3}, "n"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [7]}, "stop.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        ({"tool_choice": {"type": "function", "function": {"name": "?"}}}, "tool_choice.function.name"),
    ],
)
def test_a_wrong_field_is_named(openai, change, param) -> None:
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.chat.completions.create(**{"model": "base", "messages": ASKED} | change)
    assert caught.value.param == param
    assert (caught.value.code, caught.value.type) == ("invalid_input", "invalid_request_error")
    problem = caught.value.response.json()
    assert problem["errors"][0]["field"] == param
    assert (problem["status"], problem["error"]["message"]) == (400, problem["detail"])


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_engine_refuses_is_the_askers_to_mend(openai, engine, stream) -> None:
    engine.refusal = PromptTooLong("the conversation is 3000 tokens, at most 2047 fit")
    with pytest.raises(client_library.BadRequestError, match="3000 tokens") as caught:
        openai.chat.completions.create(model="base", messages=ASKED, stream=stream)
    assert (caught.value.param, caught.value.code) == ("messages", "context_length_exceeded")


@pytest.mark.parametrize(
    ("change", "param", "shown"),
    [
        ({"response_format": {"type": "json_object"}}, "response_format", True),
        ({"extra_body": {"constraint": {"kind": "regex", "text": "("}}}, "constraint", True),
        ({"tools": [{"type": "function", "function": {"name": "clock"}}]}, "tools", False),
    ],
)
def test_a_form_that_cannot_be_is_named_as_it_was_sent(openai, engine, change, param, shown) -> None:
    engine.refusal = EngineError("constraint.text: at 3(7) there is no rule arguments_0")
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.chat.completions.create(model="base", messages=ASKED, **change)
    assert caught.value.param == param
    assert ("arguments_0" in str(caught.value)) is shown


def test_what_goes_wrong_on_the_way_has_its_status(openai, engine) -> None:
    engine.failure = EngineTimeout("late")
    with pytest.raises(client_library.APIStatusError) as caught:
        openai.chat.completions.create(model="base", messages=ASKED)
    assert (caught.value.status_code, caught.value.code) == (504, "deadline_exceeded")


def test_what_goes_wrong_within_a_stream_is_told_in_it(openai, engine) -> None:
    engine.failure = EngineError("the device is gone")
    said: list[str | None] = []
    stream = openai.chat.completions.create(model="base", messages=ASKED, stream=True)
    with pytest.raises(client_library.APIError, match="the device is gone") as caught:
        said.extend(chunk.choices[0].delta.content for chunk in stream)
    assert (said, caught.value.code) == (["", "It "], "internal")


def test_a_client_that_leaves_stops_the_work_at_once(openai, engine) -> None:
    engine.gate.clear()
    stream = openai.chat.completions.create(model="base", messages=ASKED, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    stream.close()
    assert engine.stopped.wait(2)


def test_no_worker_and_no_key(openai, served) -> None:
    with pytest.raises(client_library.AuthenticationError) as caught:
        openai_client("rsk_wrong").chat.completions.create(model="base", messages=ASKED)
    assert caught.value.code == "invalid_api_key"
    with pytest.raises(client_library.PermissionDeniedError, match="models:use"):
        openai_client(served.key("jobs:read")).chat.completions.create(model="base", messages=ASKED)


def test_a_key_of_ones_own_makes_it_once(served, engine, openai) -> None:
    once = {"Idempotency-Key": "a-key"}
    first, again = (
        openai.chat.completions.create(model="base", messages=ASKED, extra_headers=once) for _ in range(2)
    )
    assert first.id == again.id
    assert len(engine.asked) == 1


def test_it_is_recorded_without_a_word_of_it(openai, served) -> None:
    from rootstock.audit.models import DecisionRecord
    from rootstock.gateway.models import UsageDay

    answer = openai.chat.completions.create(model="base", messages=ASKED)
    with tenant(served.organisation):
        record = DecisionRecord.objects.get(kind="gateway.generate")
        used = UsageDay.objects.get()
    assert record.subject_id.replace("-", "") == answer.id.removeprefix("chatcmpl-")
    assert (record.base, record.output["finish"]) == (record.model_digest, ["stop"])
    assert record.output["text_length"] == len("It is late.")
    assert len(record.input_hash) == 32
    assert "late" not in json.dumps(record.output)
    assert (used.calls, used.prompt_tokens, used.completion_tokens, used.cached_tokens) == (1, 7, 3, 4)
    assert (used.model, used.holder_kind) == ("base", "key")


def test_what_broke_off_is_counted_too(openai, engine, served) -> None:
    from rootstock.gateway.models import UsageDay

    engine.failure = EngineError("gone")
    with pytest.raises(client_library.InternalServerError):
        openai.chat.completions.create(model="base", messages=ASKED)
    with tenant(served.organisation):
        used = UsageDay.objects.get()
    assert used.completion_tokens == 1
    assert used.prompt_tokens > 5  # as the model's own tokenizer counts them


def test_a_spent_budget_is_refused_before_the_call(openai, served, engine) -> None:
    from rootstock.gateway.usage import budget_set

    openai.chat.completions.create(model="base", messages=ASKED)
    budget_set(organisation=served.organisation, tokens_per_day=10)
    with pytest.raises(client_library.RateLimitError) as caught:
        openai.with_options(max_retries=3).chat.completions.create(model="base", messages=ASKED)
    assert caught.value.code == "insufficient_quota"
    assert len(engine.asked) == 1


def test_answers_at_once_are_limited_and_their_places_given_back(openai, served, engine) -> None:
    from rootstock.gateway.usage import budget_set

    budget_set(organisation=served.organisation, streams=1)
    engine.gate.clear()
    first = openai.chat.completions.create(model="base", messages=ASKED, stream=True)
    with pytest.raises(client_library.RateLimitError):
        openai.chat.completions.create(model="base", messages=ASKED)
    engine.gate.set()
    list(first)
    assert openai.chat.completions.create(model="base", messages=ASKED).choices


def test_one_organisations_answers_never_keep_another_from_starting(openai, served, engine) -> None:
    from rootstock.gateway.usage import budget_set

    budget_set(organisation=served.organisation, streams=64)
    engine.gate.clear()
    model, actor = model_find(served.organisation, "base"), Actor("key", str(uuid4()))
    wanted = [Generation(model, "Hello") for _ in range(64)]
    generations_open(organisation=served.organisation, actor=actor, wanted=wanted)
    other = openai_client(served.key("models:use", "adapters:write", organisation=served.other))
    assert next(iter(other.chat.completions.create(model="base", messages=ASKED, stream=True))).choices
