"""The free text in a Bundle, and the identifiers of people that its structured part gives away."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.ehr.fhir.bundle import Entry
from apps.ehr.fhir.timeline import TIMES, WITHDRAWN
from apps.ehr.fhir.values import Json, code_of, names_of, when
from rootstock.errors import FieldProblem

MAX_NOTE = 100_000
TEXT_TYPES = ("text/plain", "text/markdown")


@dataclass(slots=True, frozen=True)
class FreeText:
    """A text as the sender wrote it. `part` tells texts of one resource apart."""

    part: str
    title: str
    time: datetime | None
    text: str


@dataclass(slots=True, frozen=True)
class Identifier:
    """An identifier known from structured data, by the labels of the de-identification adapter."""

    label: str
    value: str


def free_texts(resource: Json) -> list[FreeText]:
    """The texts of one resource. Attachments that are not text are left out; `unread` names them."""
    if resource.get("status") in WITHDRAWN:
        return []
    title = code_of(resource.get("type") or resource.get("code")).display
    time = when(resource, "date", *TIMES)
    texts = [(part, _decoded(attachment)) for part, attachment in _attachments(resource)]
    if resource["resourceType"] in ("Observation", "DiagnosticReport"):
        texts += [(name, resource[name]) for name in ("valueString", "conclusion") if resource.get(name)]
    texts += [(f"note[{i}]", note.get("text")) for i, note in enumerate(resource.get("note") or ())]
    return [
        FreeText(part, title, time, text) for part, text in texts if isinstance(text, str) and text.strip()
    ]


def text_problems(entry: Entry) -> Iterator[FieldProblem]:
    """Attachments that say they are text and are not, and texts that are too long."""
    for part, attachment in _attachments(entry.resource):
        place = f"{entry.path}.resource.{part}"
        if _is_text(attachment) and attachment.get("data") is not None:
            try:
                length = len(base64.b64decode(attachment["data"], validate=True).decode("utf-8"))
            except (binascii.Error, ValueError, TypeError):
                yield FieldProblem(f"{place}.data", "must be base64 of UTF-8 text")
                continue
            if length > MAX_NOTE:
                yield FieldProblem(f"{place}.data", f"has {length} characters; at most {MAX_NOTE} are taken")


def unread(entry: Entry) -> Iterator[tuple[str, str]]:
    """(path, why) of attachments that are stored with their resource and not read as notes."""
    for part, attachment in _attachments(entry.resource):
        if not _is_text(attachment):
            yield f"{entry.path}.resource.{part}", f"{attachment.get('contentType') or 'no type'} is not read"
        elif attachment.get("data") is None:
            yield f"{entry.path}.resource.{part}", "has no data; addresses are not followed"


def identifiers(patient: Json, others: Iterator[Json] | list[Json]) -> list[Identifier]:
    """Everything that names the patient, and the names of the other people and places in the Bundle."""
    found = [Identifier("NAME", name) for name in names_of(patient)]
    found += [Identifier("ID", str(i["value"])) for i in patient.get("identifier") or () if i.get("value")]
    found += [Identifier("CONTACT", str(t["value"])) for t in patient.get("telecom") or () if t.get("value")]
    if isinstance(patient.get("birthDate"), str):
        found.append(Identifier("DATE", patient["birthDate"]))
    for address in patient.get("address") or ():
        found += [Identifier("LOCATION", part) for part in _address(address)]
    for contact in patient.get("contact") or ():
        found += [Identifier("NAME", name) for name in names_of({"name": [contact.get("name")]})]
        found += [
            Identifier("CONTACT", str(t["value"])) for t in contact.get("telecom") or () if t.get("value")
        ]
    for other in others:
        found += _of_other(other)
    return list(dict.fromkeys(found))


def _of_other(resource: Json) -> list[Identifier]:
    telecom = [
        Identifier("CONTACT", str(t["value"])) for t in resource.get("telecom") or () if t.get("value")
    ]
    if resource["resourceType"] == "Organization":
        name = resource.get("name")
        return [*telecom, *([Identifier("ORGANISATION", str(name))] if name else [])]
    return [*telecom, *(Identifier("NAME", name) for name in names_of(resource))]


def _address(address: Json) -> Iterator[str]:
    for line in address.get("line") or ():
        yield str(line)
    for name in ("city", "postalCode", "text"):
        if address.get(name):
            yield str(address[name])


def _attachments(resource: Json) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, content in enumerate(resource.get("content") or ()):
        if isinstance(content, Mapping) and isinstance(content.get("attachment"), Mapping):
            yield f"content[{index}].attachment", content["attachment"]
    for index, form in enumerate(resource.get("presentedForm") or ()):
        if isinstance(form, Mapping):
            yield f"presentedForm[{index}]", form


def _is_text(attachment: Json) -> bool:
    return str(attachment.get("contentType") or "").split(";")[0].strip() in TEXT_TYPES


def _decoded(attachment: Json) -> str | None:
    if not _is_text(attachment) or attachment.get("data") is None:
        return None
    return base64.b64decode(attachment["data"]).decode("utf-8").replace("\r\n", "\n")
