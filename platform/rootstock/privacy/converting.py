"""For migrations: encrypt plain columns that are there already. Plain SQL, so that later models do not change it."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from rootstock.ids import uuid7
from rootstock.privacy import keyring
from rootstock.privacy.indexes import digest, normal_form
from rootstock.privacy.keys import fingerprint_of, key_binding
from rootstock.privacy.subjects import purpose_of

BATCH = 1000
REMEMBERED = 20_000


class Subject:
    """A key that was made for a row: its id, its blind index, and what seals with it."""

    def __init__(self, id: UUID, index: bytes, cipher: AESGCM) -> None:
        self.id, self.index, self.cipher = id, index, cipher


class Converter:
    """Makes the keys of one table's rows, and seals their values."""

    def __init__(self, connection: BaseDatabaseWrapper, table: str) -> None:
        self._connection, self._table = connection, table
        self._roots: dict[UUID, bytes] = {}
        self._subjects: dict[tuple[UUID, str, str], Subject] = {}

    def each(self, columns: str, convert: Callable[..., dict[str, Any]]) -> None:
        """Go through all rows by id; `convert(id, organisation, *columns)` gives the columns to write."""
        for rows in self._batches(columns):
            changes = [(row[0], convert(*row)) for row in rows]
            names = list(changes[0][1])
            assignments = ", ".join(f'"{name}" = %s' for name in names)
            with self._connection.cursor() as cursor:
                cursor.executemany(
                    f'UPDATE "{self._table}" SET {assignments} WHERE id = %s',
                    [(*(change[name] for name in names), pk) for pk, change in changes],
                )

    def _batches(self, columns: str) -> Iterator[list[Any]]:
        after = UUID(int=0)
        query = (
            f'SELECT id, organisation_id{", " if columns else ""}{columns} FROM "{self._table}" '
            f"WHERE id > %s ORDER BY id LIMIT {BATCH}"
        )
        while True:
            with self._connection.cursor() as cursor:
                cursor.execute(query, [after])
                rows = cursor.fetchall()
            if not rows:
                return
            yield rows
            after = rows[-1][0]

    def seal(self, subject: Subject, column: str, row: UUID, plain: str) -> bytes:
        """A value as `EncryptedField` would have stored it."""
        return keyring.seal(subject.cipher, plain.encode(), f"{self._table}.{column}:{row}".encode())

    def index(self, organisation: UUID, purpose: str, value: str, *, folded: bool = False) -> bytes:
        """A blind index."""
        return digest(self._root(organisation), purpose, normal_form(value, folded=folded))

    def subject(self, organisation: UUID, type: str, reference: str) -> Subject:
        """The person's key, made on first use."""
        place = (organisation, type, reference)
        if place not in self._subjects:
            if len(self._subjects) >= REMEMBERED:
                self._subjects.clear()
            self._subjects[place] = self._find_or_make(*place)
        return self._subjects[place]

    def _find_or_make(self, organisation: UUID, type: str, reference: str) -> Subject:
        index = self.index(organisation, purpose_of(type), reference)
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, wrapped, master_key FROM privacy_subjectkey"
                " WHERE organisation_id = %s AND type = %s AND reference_index = %s",
                [organisation, type, index],
            )
            found = cursor.fetchone()
            if found:
                pk, wrapped, master = found
                secret = keyring.unwrap(
                    bytes(wrapped), master, key_binding("subject", organisation, pk, type)
                )
                return Subject(pk, index, AESGCM(secret))
            return self._make(cursor, organisation, type, index)

    def _make(self, cursor: Any, organisation: UUID, type: str, index: bytes) -> Subject:
        pk, secret = uuid7(), AESGCM.generate_key(256)
        wrapped, master = keyring.wrap(secret, key_binding("subject", organisation, pk, type))
        cursor.execute(
            "INSERT INTO privacy_subjectkey (id, organisation_id, type, reference_index, wrapped, master_key,"
            " fingerprint, created_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [pk, organisation, type, index, wrapped, master, fingerprint_of(secret), timezone.now()],
        )
        return Subject(pk, index, AESGCM(secret))

    def _root(self, organisation: UUID) -> bytes:
        if organisation not in self._roots:
            self._roots[organisation] = self._stored_root(organisation)
        return self._roots[organisation]

    def _stored_root(self, organisation: UUID) -> bytes:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, wrapped, master_key FROM privacy_indexkey WHERE organisation_id = %s",
                [organisation],
            )
            found = cursor.fetchone()
            if found:
                return keyring.unwrap(bytes(found[1]), found[2], key_binding("index", organisation, found[0]))
            pk, secret = uuid7(), AESGCM.generate_key(256)
            wrapped, master = keyring.wrap(secret, key_binding("index", organisation, pk))
            cursor.execute(
                "INSERT INTO privacy_indexkey (id, organisation_id, wrapped, master_key, created_at)"
                " VALUES (%s, %s, %s, %s, %s)",
                [pk, organisation, wrapped, master, timezone.now()],
            )
            return secret
