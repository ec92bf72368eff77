"""What of a conversation is learned, whoever speaks first and however often."""

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training import TrainSpec
from models_zoo.llm.training.data import NO_TARGET, encode_examples
from tests.models_zoo.llm.tiny import TinyBase

TURNS = st.lists(
    st.tuples(
        st.sampled_from(["system", "user", "assistant"]), st.text("ab c", min_size=1).filter(str.strip)
    ),
    min_size=1,
    max_size=5,
)


def test_it_works(base: TinyBase) -> None:
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @example(turns=[("assistant", "b"), ("user", "a")])  # a greeting answers nothing
    @given(turns=TURNS)
    def learns_the_answers(turns: list[tuple[str, str]]) -> None:
        told = [{"role": role, "content": text} for role, text in [*turns, ("assistant", "the end")]]
        wanted = TrainSpec(base.folder, Path(), "mine", "chat", Path(), max_tokens=500)
        (learned,) = encode_examples(Path("data"), [{"messages": told}], wanted, (), tokenizer)
        assert len(learned.targets) == len(learned.ids)
        pairs = [
            pair for pair in zip(learned.targets, [*learned.ids[1:], 0], strict=True) if pair[0] != NO_TARGET
        ]
        assert all(target == following for target, following in pairs)
        said = tokenizer.decode([target for target, _ in pairs if target != end])
        answers = [one["content"].strip() for one in told[1:] if one["role"] == "assistant"]
        assert said == "".join(f"{answer}\n" for answer in answers)  # the template ends a turn's line

    tokenizer = ChatTokenizer(base.folder)
    end = base.card.end_token
    learns_the_answers()
