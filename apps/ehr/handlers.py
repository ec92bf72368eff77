"""What the language worker does for records: finding what identifies people in a note.

Three detectors are joined: the tagging adapter on the shared base, pattern recognisers, and the identifiers that
the structured record already holds. Without the adapter there is no answer at all.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from models_zoo.clinical.deid.known import Known, find_known, survivors
from models_zoo.clinical.deid.labels import Label
from models_zoo.clinical.deid.scrub import Found, scrub
from models_zoo.zoo import deid
from rootstock.errors import DomainError, InternalError, Unavailable
from rootstock.registry.resolving import Chosen
from workers.engine.protocol import Call, EngineError, Span
from workers.handlers import LaneRequest
from workers.readers import Reader, Readers, grouped

if TYPE_CHECKING:
    from workers.runtime import Runtime

FOLDER = Path(deid.__file__).parent / "adapter"
SURE = 0.9


class DeidentifyHandler:
    """Payload {text, known: [{label, value}], adapter: a Chosen} -> {text, redactions, model, adapter_digest, base,
    names}. Without an adapter of the organisation's own the shipped one reads.

    `names` are those that the adapter was sure of: the caller looks for them in the person's other notes.
    """

    def load(self, runtime: "Runtime") -> None:
        """Take the recognisers and the shipped adapter. A worker without it still serves its other lanes."""
        self._runtime = runtime
        # Presidio takes seconds to import: meanwhile the worker already serves its other lanes.
        self._patterns = ThreadPoolExecutor(1, "presidio").submit(_patterns)
        self._readers = Readers(runtime, deid.NAME, FOLDER, tuple(Label))

    def run(self, batch: Sequence[LaneRequest]) -> list[dict[str, Any] | DomainError]:
        """One scrubbed text or error each; one forward for each adapter among them."""
        answers: dict[int, dict[str, Any] | DomainError] = {}
        for (owner, chosen), members in grouped(batch).items():
            part = [batch[at] for at in members]
            answers |= zip(members, self._answers(owner, chosen, part), strict=True)
        return [answers[at] for at in range(len(batch))]

    def _answers(
        self, owner: UUID | None, chosen: Chosen, part: Sequence[LaneRequest]
    ) -> Sequence[dict[str, Any] | DomainError]:
        texts, started = [str(one.payload["text"]) for one in part], time.monotonic()
        try:
            reader = self._readers.reader(owner, chosen)
            tagged = self._runtime.engine.tag(texts, reader.name)
        except EngineError as problem:
            return [Unavailable(f"de-identification: {problem}", retry_after=5) for _ in part]
        except DomainError as problem:
            return [problem for _ in part]
        took = (time.monotonic() - started) * 1000
        read = {text: _places(spans) for text, spans in zip(texts, tagged, strict=True)}
        self._readers.compare(owner, chosen, read, self._again, took)
        return [self._answer(reader, request, spans) for request, spans in zip(part, tagged, strict=True)]

    def _again(self, text: str, name: str, call: Call) -> frozenset[tuple[int, int, str]]:
        [spans] = self._runtime.engine.tag([text], name, call)
        return _places(spans)

    def _answer(
        self, reader: Reader, request: LaneRequest, spans: Sequence[Span]
    ) -> dict[str, Any] | DomainError:
        text = str(request.payload["text"])
        known = [Known(item["label"], item["value"]) for item in request.payload.get("known", ())]
        found = [Found(span.start, span.end, span.label, "adapter") for span in spans]
        found += [*self._patterns.result()(text), *find_known(text, known)]
        scrubbed = scrub(text, found)
        if survivors(scrubbed, known):
            # Cannot happen while `scrub` is right; if it ever does, the note stays withheld.
            return InternalError("an identifier of the record survived; the note stays withheld")
        redactions = [asdict(redaction) for redaction in scrubbed.redactions]
        names = sorted({word for span in spans for word in _names(text, span)})
        return {
            "text": scrubbed.text,
            "redactions": redactions,
            "model": reader.reference,
            "adapter_digest": reader.digest,
            "base": self._runtime.engine.fingerprint,
            "names": names,
        }


def _places(spans: Iterable[Span]) -> frozenset[tuple[int, int, str]]:
    """Where what was found: offsets and label."""
    return frozenset((span.start, span.end, span.label) for span in spans)


def _patterns() -> Callable[[str], Iterable[Found]]:
    from models_zoo.clinical.deid.recognisers import find_patterns, recognisers

    return partial(find_patterns, using=recognisers())


def _names(text: str, span: Span) -> list[str]:
    """Words of a name that are worth looking for elsewhere; a doubtful span may be a drug or a sign."""
    if span.label != Label.NAME or span.score < SURE:
        return []
    return [word for word in re.findall(r"[^\W\d_]{3,}", text[span.start : span.end]) if word[0].isupper()]
