"""What every engine is asked in the same SQL: all questions of ``EventStore`` that need nothing but a cursor.

Any thread; the engine gives the cursor.
"""

import math
from collections.abc import Collection
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from vxtray.core.events import Category, SecurityEvent
from vxtray.core.store import Bucket, Cursor, EventQuery, Found, Summary, Totals, alerting, queries, search
from vxtray.core.store.kinds import Kind, KindCount, SourceRecord

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Asking:
    """The questions; whoever inherits says where a cursor comes from."""

    def _reading(self) -> "AbstractContextManager[DuckDBPyConnection]":
        """Give a cursor for one answer. Raises ``StoreError``."""
        raise NotImplementedError

    def events(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        category: Category | None = None,
        limit: int = 100,
    ) -> list[SecurityEvent]:
        """Return events in [since, until), newest first; of equal times the one stored last comes first."""
        categories = frozenset({category} if category else ())
        return self.search(EventQuery(since=since, until=until, categories=categories), limit=limit)

    def search(self, query: EventQuery, *, after: Cursor | None = None, limit: int = 100) -> list[SecurityEvent]:
        """Return events, newest first (of equal times the one stored last), beginning after a cursor.

        Raises ``StoreError``, and ``ValueError`` for a time without a zone.
        """
        return self.look(query, after=after, limit=limit, seconds=math.inf).events

    def look(self, query: EventQuery, *, after: Cursor | None = None, limit: int = 100, seconds: float = 0.1) -> Found:
        """Return what is found in about so long, and where to go on; otherwise as ``search``."""
        with self._reading() as cursor:
            return search.look(cursor, query, after, limit, seconds)

    def count(self, query: EventQuery = EventQuery()) -> int:  # noqa: B008 - frozen
        """Return how many events a query has; without one, how many are stored."""
        with self._reading() as cursor:
            return search.count(cursor, query)

    def count_kinds(
        self,
        kinds: Collection[Kind],
        since: datetime,
        until: datetime,
        *,
        rule_ids: Collection[str] = (),
        networks: Collection[str] = (),
    ) -> list[KindCount]:
        """Count the events of these kinds in [since, until). Raises ``StoreError``, ``ValueError`` for no network."""
        with self._reading() as cursor:
            return alerting.count_kinds(cursor, kinds, since, until, rule_ids=rule_ids, networks=networks)

    def source_record(self, address: str, now: datetime) -> SourceRecord:
        """Return what is known of a source address up to ``now``."""
        with self._reading() as cursor:
            return alerting.source_record(cursor, address, now)

    def summarize(
        self,
        start: datetime,
        end: datetime,
        *,
        by_day: bool,
        top: int = 10,
        silent: timedelta = timedelta(0),
        now: datetime | None = None,
    ) -> Summary:
        """Count [start, end); the buckets are hours, or days of the zone of ``start`` where ``by_day``."""
        with self._reading() as cursor:
            return queries.summarize(cursor, start, end, by_day=by_day, top=top, silent=silent, now=now)

    def totals(self, start: datetime, end: datetime) -> Totals:
        """Return the figures of [start, end) alone."""
        with self._reading() as cursor:
            return queries.totals(cursor, start, end)

    def hours(self, start: datetime, end: datetime) -> tuple[Bucket, ...]:
        """Return the hours of [start, end) alone."""
        with self._reading() as cursor:
            return queries.hours(cursor, start, end)
