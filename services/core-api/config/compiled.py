"""Statements that Django compiles once instead of each time: those of every authenticated request, and of a purchase.

Building a statement costs Django several times what PostgreSQL needs to answer it. Here a query set is still written as
one, and compiled by Django for whichever database there is; only its text is kept, with places for the values
(deploy/decisions/0016). Worth it where a profile says so, and nowhere else.

    @compiled
    def _wallet() -> QuerySet[Wallet]:
        return Wallet.objects.filter(pk=Parameter("id"))

    _wallet(id=wallet_id)  # a list of wallets

Not for values that change a statement's form: None, or lists of any length. Nor for what is fetched along (select_related).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, update_wrapper
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Expression, Field, Model, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery, UpdateQuery

M = TypeVar("M", bound=Model)


class Parameter(Expression):
    """A place for a value that comes with the call, by name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)


class compiled(Generic[M]):
    """Of a function that makes a query set with Parameters in it: called with their values, it gives the rows found."""

    def __init__(self, queryset: Callable[[], QuerySet[M]]) -> None:
        update_wrapper(self, queryset)
        self._queryset = queryset
        self._text: _Selection | None = None

    def __call__(self, **values: object) -> list[M]:
        if absent := [name for name, value in values.items() if value is None]:
            raise TypeError(f"{', '.join(absent)}: None is found by __isnull, not by a comparison.")
        database = connections[DEFAULT_DB_ALIAS]
        if self._text is None:  # two threads may do so at once, with the same result
            self._text = _selection(self._queryset(), database)
        model, sql, params, names, converters = self._text
        with database.cursor() as cursor:
            _execute(database, cursor, sql, _filled(database, params, values))
            rows = cursor.fetchall()
        return [model.from_db(database.alias, names, _converted(database, row, converters)) for row in rows]


class _Selection(NamedTuple):
    model: Any
    sql: str
    params: Sequence[object]
    names: list[str]
    converters: dict[int, Any]  # by a column's place


def _selection(queryset: QuerySet[Any], database: BaseDatabaseWrapper) -> _Selection:
    compiler = queryset.query.get_compiler(connection=database)
    sql, params = compiler.as_sql()
    columns = [expression for expression, _, _ in compiler.select]
    names = [column.target.attname for column in columns]
    return _Selection(queryset.model, sql, params, names, compiler.get_converters(columns))


class compiled_update:
    """Of a function that makes a query set and the new values of its rows: called with all Parameters, it counts the rows."""

    def __init__(self, update: Callable[[], tuple[QuerySet[Any], dict[str, Any]]]) -> None:
        update_wrapper(self, update)
        self._update = update
        self._text: tuple[str, Sequence[object]] | None = None

    def __call__(self, **values: object) -> int:
        database = connections[DEFAULT_DB_ALIAS]
        if self._text is None:
            queryset, changes = self._update()
            query: Any = queryset.query.chain(UpdateQuery)
            query.add_update_values(changes)
            self._text = query.get_compiler(connection=database).as_sql()
        sql, params = self._text
        with database.cursor() as cursor:
            _execute(database, cursor, sql, _filled(database, params, values))
            return int(cursor.rowcount)


def insert(row: Model, *, ignore_conflicts: bool = False) -> bool:
    """A new row whose id was made here: `save(force_insert=True)` without signals. Gives whether it was written.

    If it is there already: IntegrityError, or False with `ignore_conflicts`.
    """
    database = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insertion(type(row), ignore_conflicts)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), database) for field in fields]
    with database.cursor() as cursor:
        _execute(database, cursor, sql, values)
        written = bool(cursor.rowcount)
    row._state.adding, row._state.db = not written, database.alias
    return written


def insert_all(rows: Sequence[M]) -> None:
    """New rows of one table, as `insert` makes one. For several Django's own bulk_create is quick enough."""
    if len(rows) == 1:
        insert(rows[0])
    elif rows:
        type(rows[0])._default_manager.bulk_create(rows)


@cache
def _insertion(model: type[Model], ignore_conflicts: bool) -> tuple[str, Sequence[Field[Any, Any]]]:
    query = InsertQuery(model, on_conflict=OnConflict.IGNORE if ignore_conflicts else None)
    query.insert_values(model._meta.concrete_fields, [model()], raw=True)
    [(sql, _)] = query.get_compiler(using=DEFAULT_DB_ALIAS).as_sql()
    return sql, model._meta.concrete_fields


def _execute(database: BaseDatabaseWrapper, cursor: CursorWrapper, sql: str, values: Sequence[Any]) -> None:
    with transaction.mark_for_rollback_on_error(database.alias):
        cursor.execute(sql, values)


def _filled(database: BaseDatabaseWrapper, params: Sequence[object], values: dict[str, object]) -> list[object]:
    return [_prepared(database, values[it.name]) if isinstance(it, Parameter) else it for it in params]


def _prepared(database: BaseDatabaseWrapper, value: object) -> object:
    """As the database takes it: PostgreSQL knows ids and times, SQLite has neither."""
    if isinstance(value, uuid.UUID):
        return value if database.features.has_native_uuid_field else value.hex
    if isinstance(value, datetime):
        return database.ops.adapt_datetimefield_value(value)
    return value


def _converted(database: BaseDatabaseWrapper, row: Sequence[object], converters: dict[int, Any]) -> Sequence[object]:
    if not converters:
        return row
    values = list(row)
    for place, (functions, expression) in converters.items():
        for function in functions:
            values[place] = function(values[place], expression, database)
    return values
