"""Encrypted columns: bytes in the database, text or JSON on the object, opened when first read.

A row names its person by a foreign key to `SubjectKey`. A value is bound to table, column and row, and sealed with
the person's key: copied to another place it does not open. The keys of a query's rows come with one more query
for all of them (`PersonalModel`), or with `select_related`.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast
from uuid import UUID

import psycopg
from django.core.exceptions import FieldError
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from rootstock.accounts.tenancy import TenantModel
from rootstock.privacy.keyring import seal, unseal
from rootstock.privacy.keys import SubjectKey

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")
ROWS_AT_ONCE = 50

if TYPE_CHECKING:

    class _Field(models.Field[Any, T]):
        pass

else:

    class _Field(models.Field, Generic[T]):
        pass


class Erased(str):
    """What an encrypted text reads as after its person's key was destroyed."""

    __slots__ = ()


class ErasedDocument(dict[str, Any]):
    """What an encrypted JSON value reads as after its person's key was destroyed."""


ERASED = Erased("erased")


def is_erased(value: object) -> bool:
    """Whether a value was read from a column whose key is destroyed."""
    return isinstance(value, Erased | ErasedDocument)


class Sealed:
    """The stored form of a value: nothing of it shows."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"<sealed, {len(self.raw)} bytes>"


class EncryptedAttribute(DeferredAttribute):
    """Opens the value when it is read, and remembers it on the object. What is erased stays in its stored form."""

    field: "EncryptedField[Any]"

    def __get__(self, instance: models.Model | None, cls: type[models.Model] | None = None) -> Any:
        if instance is None:
            return self
        value = super().__get__(instance, cls)
        if not isinstance(value, Sealed):
            return value
        opened = self.field.open(instance, value)
        if not is_erased(opened):
            instance.__dict__[self.field.attname] = opened
        return opened

    def __set__(self, instance: models.Model, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedField(_Field[T]):
    """The common part. `subject` names the row's foreign key to its SubjectKey."""

    descriptor_class = EncryptedAttribute
    empty_strings_allowed = False
    erased: Any = ERASED

    def __init__(self, *args: Any, subject: str = "subject", **kwargs: Any) -> None:
        self.subject = subject
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """For migrations."""
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("editable", None)
        return name, path, args, kwargs | {"subject": self.subject}

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Bytes."""
        return "bytea"

    def get_internal_type(self) -> str:
        """Handled by Django as bytes."""
        return "BinaryField"

    def encode(self, value: T) -> bytes:
        """The plain bytes of a value."""
        raise NotImplementedError

    def decode(self, plain: bytes) -> T:
        """The inverse of `encode`."""
        raise NotImplementedError

    def binding(self, row: UUID) -> bytes:
        """The place that a value of this column is bound to."""
        return f"{self.model._meta.db_table}.{self.column}:{row}".encode()

    def sealed(self, row: UUID, key: SubjectKey, value: T | None) -> Sealed | None:
        """The stored form of a value of one row, for `update()`."""
        if value is None:
            return None
        if is_erased(value):
            raise ValueError(f"{self.model.__name__}.{self.name}: an erased value cannot be stored again")
        return Sealed(seal(key.cipher(), self.encode(value), self.binding(row)))

    def open(self, instance: models.Model, value: Sealed) -> Any:
        """The value, or the sign that it is erased."""
        key: SubjectKey = getattr(instance, self.subject)
        if key.is_destroyed:
            return self.erased
        return self.decode(unseal(key.cipher(), value.raw, self.binding(instance.pk)))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The stored form; a value that was never opened goes back as it came."""
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            return value
        return self.sealed(model_instance.pk, getattr(model_instance, self.subject), value)

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Sealed | None:
        """Closed, until somebody reads it."""
        return None if value is None else Sealed(bytes(value))

    def get_prep_value(self, value: Any) -> Any:
        """Nothing plain reaches the database."""
        if value is None or isinstance(value, Sealed):
            return value
        raise TypeError(f"{self.model.__name__}.{self.name} is encrypted: give update() a `sealed` value")

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """The bytes."""
        value = self.get_prep_value(value)
        return None if value is None else psycopg.Binary(value.raw)

    def get_lookup(self, lookup_name: str) -> Any:
        """Only whether there is a value can be asked."""
        if lookup_name == "isnull":
            return super().get_lookup(lookup_name)
        raise FieldError(
            f"{self.model.__name__}.{self.name} is encrypted and cannot be searched: keep a blind index beside it"
        )

    def get_transform(self, name: str) -> Any:
        """Nothing within a value can be asked."""
        return self.get_lookup(name)

    def formfield(self, **kwargs: Any) -> Any:
        """Not in generated forms."""
        return None


class EncryptedTextField(EncryptedField[str]):
    """A text."""

    def encode(self, value: str) -> bytes:
        """UTF-8."""
        return value.encode()

    def decode(self, plain: bytes) -> str:
        """UTF-8."""
        return plain.decode()


class EncryptedOptionalTextField(EncryptedField[str | None]):
    """A text that may be missing: give it `null=True`."""

    def encode(self, value: str | None) -> bytes:
        """UTF-8; what is missing is never sealed."""
        return (value or "").encode()

    def decode(self, plain: bytes) -> str:
        """UTF-8."""
        return plain.decode()


class EncryptedJSONField(EncryptedField[Any]):
    """A JSON value."""

    def encode(self, value: Any) -> bytes:
        """Compact JSON."""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def decode(self, plain: bytes) -> Any:
        """JSON."""
        return json.loads(plain)

    @property
    def erased(self) -> Any:
        """A new one each time: somebody might write into it."""
        return ErasedDocument(erased=True)


def encrypted_fields(model: type[models.Model]) -> list[EncryptedField[Any]]:
    """The encrypted columns of a model."""
    return [field for field in model._meta.concrete_fields if isinstance(field, EncryptedField)]


def sealed(model: type[models.Model], name: str, *, row: UUID, key: SubjectKey, value: Any) -> Sealed | None:
    """The stored form of one row's value, for `update()`."""
    return cast("EncryptedField[Any]", model._meta.get_field(name)).sealed(row, key, value)


def attach_keys(rows: Sequence[models.Model]) -> None:
    """Give rows of one model the keys of their subjects, all with one query. Call it inside `tenant()`."""
    fields = encrypted_fields(type(rows[0]))
    closed = [
        field for field in fields if any(isinstance(row.__dict__.get(field.attname), Sealed) for row in rows)
    ]
    names = {field.subject for field in closed}
    links = [cast("models.ForeignKey[Any, Any]", type(rows[0])._meta.get_field(name)) for name in names]
    wanted = [
        (row, link, getattr(row, link.attname)) for link in links for row in rows if not link.is_cached(row)
    ]
    if not wanted:
        return
    keys = SubjectKey.objects.in_bulk({pk for _, _, pk in wanted if pk is not None})
    for row, link, pk in wanted:
        if pk in keys:
            link.set_cached_value(row, keys[pk])


class PersonalQuerySet(models.QuerySet[M]):
    """Rows with encrypted columns: their keys come along, and no plain value goes to the database."""

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()
        rows = cast("list[Any]", self._result_cache)
        if fresh and rows and isinstance(rows[0], self.model):
            attach_keys(rows)

    def iterator(self, chunk_size: int | None = None) -> Iterator[M]:
        """As Django's, with the keys of a few rows at a time."""
        most = chunk_size or ROWS_AT_ONCE
        rows = super().iterator(most)
        while some := list(islice(rows, most)):
            if isinstance(some[0], self.model):
                attach_keys(some)
            yield from some

    def order_by(self, *field_names: Any) -> "PersonalQuerySet[M]":
        """Not by what is encrypted."""
        names = {str(name).lstrip("-") for name in field_names}
        for field in encrypted_fields(self.model):
            if field.name in names:
                raise FieldError(f"{self.model.__name__}.{field.name} is encrypted and has no order")
        return super().order_by(*field_names)

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        """As Django's, with the encrypted columns among `fields` sealed on the way."""
        rows, names = list(objs), list(fields)
        ours = [field for field in encrypted_fields(self.model) if field.name in names]
        opened = [(row, field, row.__dict__.get(field.attname)) for row in rows for field in ours]
        try:
            for row, field, _ in opened:
                row.__dict__[field.attname] = _Ready(field.pre_save(row, add=False), field)
            return super().bulk_update(rows, names, batch_size)
        finally:
            for row, field, value in opened:
                row.__dict__[field.attname] = value


class _Ready(models.Value):
    """A sealed value as an expression: the attribute hands it out as it is."""

    def __init__(self, value: Sealed | None, field: EncryptedField[Any]) -> None:
        super().__init__(value, output_field=field)


class PersonalManager(models.Manager[M]):
    """Gives `PersonalQuerySet`s."""

    def get_queryset(self) -> PersonalQuerySet[M]:
        """All rows."""
        return PersonalQuerySet(self.model, using=self._db)


class PersonalModel(TenantModel):
    """A tenant's row with encrypted columns."""

    objects = PersonalManager()

    class Meta:
        abstract = True
