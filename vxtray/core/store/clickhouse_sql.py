"""Lets the SQL of the embedded store run on ClickHouse: translated by sqlglot, and a cursor of the same shape.

One text serves both engines, so that no figure can mean two things. On the thread that asks; a cursor is not shared.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from vxtray.core.errors import N_, StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from sqlglot import exp

#: How both engines come to the same answer: NULL where a join or a grouping set has no value, and names of columns
#: before those given in the same SELECT, as the standard has it. On a cluster, a question within a question is answered
#: once for all shards.
_AS_STANDARD = {
    "join_use_nulls": 1,
    "group_by_use_nulls": 1,
    "prefer_column_name_to_alias": 1,
    "aggregate_functions_null_for_empty": 0,
    "use_query_cache": 0,
    "distributed_product_mode": "global",
}
#: Lets a part that a query names several times (``AS MATERIALIZED``) be worked out once; older servers lack it.
_ONCE = "enable_materialized_cte"
#: Functions of DuckDB that sqlglot leaves as they are.
_FUNCTIONS = {
    "epoch_us": "toUnixTimestamp64Micro",
    "row": "tuple",
    "list_contains": "has",
    "starts_with": "startsWith",
    "array_to_string": "arrayStringConcat",
}
#: What ``DateTime64`` holds; times before and after are brought to its ends.
EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, 23, 59, 59, tzinfo=UTC)
_PARAMETER = re.compile(r"(?<![\w$])\$(\w+)")
_PLACE = re.compile(r"\{(\w+): ?\}")


@lru_cache(maxsize=256)
def translate(sql: str) -> str:
    """Return a query of DuckDB's, with ``$name`` for values, as one of ClickHouse's, with ``{name: }``."""
    import sqlglot

    tree = sqlglot.parse_one(_PARAMETER.sub(r":\1", sql), read="duckdb")
    for node in reversed(list(tree.walk(bfs=False))):
        new = _translated(node)
        if new is not node:
            node.replace(new)
    return tree.sql(dialect="clickhouse")


def _translated(node: "exp.Expr") -> "exp.Expr":
    """Return what stands for a part of a query, itself where both engines mean the same."""
    from sqlglot import exp

    if (make := _rules().get(type(node))) is not None:
        return make(node)
    if isinstance(node, exp.Anonymous) and node.name.lower() in _FUNCTIONS:
        return _call(_FUNCTIONS[node.name.lower()], *node.expressions)
    return node


@lru_cache(maxsize=1)
def _rules() -> "dict[type[exp.Expr], Callable[[Any], exp.Expr]]":
    """Return how to say what sqlglot does not say as ClickHouse means it, by the kind of the part."""
    from sqlglot import exp

    return {
        exp.IntDiv: lambda node: _call("intDiv", node.this, node.expression),
        exp.Lower: lambda node: _call("lowerUTF8", node.this),
        exp.ArrayToString: lambda node: _call("arrayStringConcat", node.this, node.expression),
        exp.SplitPart: lambda node: _call(
            "arrayElement", _call("splitByString", node.args["delimiter"], node.this), node.args["part_index"]
        ),
        exp.TryCast: lambda node: _call("toInt32OrNull", node.this),
        exp.StartsWith: lambda node: _call("startsWith", node.this, node.expression),
        exp.Contains: lambda node: exp.GT(
            this=_call("position", node.this, node.expression), expression=exp.Literal.number(0)
        ),
        exp.RegexpLike: _match,
        exp.Bracket: _beginning,
        exp.ArrayAgg: _list,
        exp.Min: lambda node: _call("minOrNull", node.this),
        exp.Max: lambda node: _call("maxOrNull", node.this),
    }


def _match(node: Any) -> "exp.Expr":
    from sqlglot import exp

    pattern, flag = node.expression, node.args.get("flag")
    return _call("match", node.this, exp.Literal.string(f"(?{flag.name}){pattern.name}") if flag else pattern)


def _beginning(node: Any) -> "exp.Expr":
    """Return the first characters of a text (``text[:100]``); an element of a list stays as it is."""
    from sqlglot import exp

    if not isinstance(node.expressions[0], exp.Slice):
        return cast("exp.Expr", node)
    return _call("substringUTF8", node.this, exp.Literal.number(1), node.expressions[0].expression)


def _list(node: Any) -> "exp.Expr":
    from sqlglot import exp

    return _ordered_list(node.this) if isinstance(node.this, exp.Order) else cast("exp.Expr", node)


def _ordered_list(order: "exp.Order") -> "exp.Expr":
    """Return a list in some order: ClickHouse sorts tuples, of which the last part is what the list holds."""
    from sqlglot import exp

    parts = [exp.Neg(this=key.this) if key.args.get("desc") else key.this for key in order.expressions]
    collected = _call("groupArray", _call("tuple", *parts, order.this))
    last = _call("tupleElement", exp.column("t"), exp.Literal.number(len(parts) + 1))
    return _call("arrayMap", exp.Lambda(this=last, expressions=[exp.to_identifier("t")]), _call("arraySort", collected))


def _call(name: str, *arguments: "exp.Expr | None") -> "exp.Expr":
    from sqlglot import exp

    return exp.Anonymous(this=name, expressions=[one.copy() for one in arguments if one is not None])


class ClickHouseCursor:
    """Runs queries of the embedded store's and gives their rows; times are naive and in UTC, as there."""

    def __init__(
        self,
        client: "Client",
        table: str,
        failed: Callable[[Exception, StoreError], None] = lambda _error, _fault: None,
    ) -> None:
        """``table`` stands for ``events`` in the queries; ``failed`` is told of faults before they are raised."""
        self._client = client
        self._table = table
        self._failed = failed
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, sql: str, values: Mapping[str, object] | Sequence[object] = ()) -> "ClickHouseCursor":
        """Run a query; the beginning and the end of a transaction mean nothing here. Raises ``StoreError``."""
        if sql.startswith(("BEGIN", "ROLLBACK", "COMMIT")):
            return self
        if not isinstance(values, Mapping):
            sql, values = _named(sql, values)
        bound = {name: value for name, value in values.items() if f"${name}" in sql}
        text = _PLACE.sub(lambda place: f"{{{place[1]}:{_type_of(bound[place[1]])}}}", translate(sql))
        parameters = {name: _bound(value) for name, value in bound.items()}
        self._rows = self._ask(_from_table(text, self._table), parameters)
        return self

    def _ask(self, text: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        from clickhouse_connect.driver.exceptions import ClickHouseError

        try:
            settings = _AS_STANDARD | {_ONCE: 1} if _ONCE in self._client.server_settings else _AS_STANDARD
            answer = self._client.query(text, parameters=parameters, settings=settings, tz_mode="naive_utc")
            return [tuple(row) for row in answer.result_rows]
        except (ClickHouseError, OSError) as error:
            fault = away(error)
            self._failed(error, fault)
            raise fault from error

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        rows, self._rows = self._rows, []
        return rows

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, None at the end."""
        return self._rows.pop(0) if self._rows else None

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """Return the next rows."""
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None:
        """Forget the rows."""
        self._rows = []


def away(error: Exception) -> StoreError:
    """Return a fault of the server as one of the store; it may pass."""
    fault = StoreError(
        N_("The ClickHouse server cannot be used: {reason}."),
        N_("Events wait on this machine until it can; check the server and its address."),
        reason=" ".join(str(error).split())[:200] or type(error).__name__,
    )
    fault.transient = True
    return fault


def again(fault: StoreError) -> StoreError:
    """Return the same fault, to be raised once more."""
    copy = type(fault)(fault.title_id, fault.advice_id, **fault.values)
    copy.transient = fault.transient
    return copy


def is_lost(error: Exception) -> bool:
    """Return whether the server did not answer, or broke off; otherwise it did not like the question."""
    from clickhouse_connect.driver.exceptions import OperationalError

    return isinstance(error, OperationalError | OSError)


def held(moment: datetime) -> datetime:
    """Return the time (aware) that the engine can hold instead, almost always the same."""
    return min(max(moment, EARLIEST), LATEST)


def _from_table(text: str, table: str) -> str:
    return re.sub(r"\b(FROM|JOIN) events\b", rf"\1 {table}", text)


def _named(sql: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    """Return a query with named values for one with question marks."""
    names = iter(range(len(values)))
    return re.sub(r"\?", lambda _mark: f"$v{next(names)}", sql), {f"v{n}": value for n, value in enumerate(values)}


def _type_of(value: object) -> str:
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, int):
        return "Int64"
    if isinstance(value, datetime):
        return "DateTime64(6, 'UTC')"
    return "Array(String)" if isinstance(value, list) else "String"


def _bound(value: object) -> object:
    """Return a value as the driver is to send it; a naive time would be taken for one of this machine's zone."""
    return held(value.replace(tzinfo=UTC)) if isinstance(value, datetime) else value
