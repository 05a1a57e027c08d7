"""Columns in memory, handed to DuckDB as they lie there: a producer of the Arrow C data and stream interfaces.

Source: "The Arrow C data interface", "The Arrow C stream interface" and "The Arrow PyCapsule Interface",
arrow.apache.org. Row by row the same insertion costs five times as much. The consumer may call back on any thread; all
memory belongs to the ``Table``, which must live until the statement that reads it has ended.
"""

import ctypes
from collections.abc import Sequence
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p, cast
from typing import Any

#: The buffers of one column: ``(values,)`` for numbers, ``(validity, values)`` for numbers that may be missing,
#: ``(offsets, text)`` for UTF-8.
Column = Sequence[bytes]

#: Format strings of the interface, and where the buffers go: validity, offsets or values, text.
INT32, INT64, MICROSECONDS, TEXT = b"i", b"l", b"tsu:", b"u"

_NAME = b"arrow_array_stream"
_NULLABLE = 2


class _Schema(Structure):
    pass


class _Array(Structure):
    pass


class _Stream(Structure):
    pass


_Schema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_char_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(_Schema))),
    ("dictionary", POINTER(_Schema)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_Array._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(_Array))),
    ("dictionary", POINTER(_Array)),
    ("release", c_void_p),
    ("private_data", c_void_p),
]
_Stream._fields_ = [
    ("get_schema", c_void_p),
    ("get_next", c_void_p),
    ("get_last_error", c_void_p),
    ("release", c_void_p),
    ("private_data", c_void_p),
]

_NextSchema = CFUNCTYPE(c_int, c_void_p, POINTER(_Schema))
_NextArray = CFUNCTYPE(c_int, c_void_p, POINTER(_Array))

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [c_void_p, c_char_p, c_void_p]


def _released(it: Any) -> None:
    """Say that a structure is released. Nothing is freed here: the ``Table`` holds all memory."""
    it[0].release = None


def _no_error(_stream: Any) -> None:
    return None


_RELEASE_SCHEMA = CFUNCTYPE(None, POINTER(_Schema))(_released)
_RELEASE_ARRAY = CFUNCTYPE(None, POINTER(_Array))(_released)
_RELEASE_STREAM = CFUNCTYPE(None, POINTER(_Stream))(_released)
_LAST_ERROR = CFUNCTYPE(c_void_p, c_void_p)(_no_error)


class Table:
    """Batches of columns that a consumer of ``__arrow_c_stream__`` reads, from the first on each time."""

    def __init__(self, columns: Sequence[tuple[bytes, bytes]], batches: Sequence[tuple[int, Sequence[Column]]]) -> None:
        """``columns`` are names and formats, ``batches`` the number of rows and the columns' buffers."""
        self._columns = columns
        self._batches = batches
        self._held: list[object] = []

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return a capsule with a stream of all batches."""
        left = iter(self._batches)

        def get_schema(_stream: Any, out: Any) -> int:
            self._fill_schema(out[0])
            return 0

        def get_next(_stream: Any, out: Any) -> int:
            batch = next(left, None)
            if batch is None:
                out[0].release = None
            else:
                self._fill_array(out[0], *batch)
            return 0

        calls = _NextSchema(get_schema), _NextArray(get_next)
        stream = _Stream(
            get_schema=cast(calls[0], c_void_p),
            get_next=cast(calls[1], c_void_p),
            get_last_error=cast(_LAST_ERROR, c_void_p),
            release=cast(_RELEASE_STREAM, c_void_p),
        )
        self._held += (calls, stream)
        capsule: object = _new_capsule(ctypes.addressof(stream), _NAME, None)
        return capsule

    def _fill_schema(self, schema: Any) -> None:
        children = [
            _Schema(format=kind, name=name, flags=_NULLABLE, release=cast(_RELEASE_SCHEMA, c_void_p))
            for name, kind in self._columns
        ]
        pointers = (POINTER(_Schema) * len(children))(*map(ctypes.pointer, children))
        schema.format, schema.name, schema.metadata, schema.flags = b"+s", b"", None, 0
        schema.n_children, schema.children, schema.dictionary = len(children), pointers, None
        schema.release, schema.private_data = cast(_RELEASE_SCHEMA, c_void_p), None
        self._held += (children, pointers)

    def _fill_array(self, array: Any, rows: int, columns: Sequence[Column]) -> None:
        children = [
            self._array(rows, kind, column) for (_name, kind), column in zip(self._columns, columns, strict=True)
        ]
        pointers = (POINTER(_Array) * len(children))(*map(ctypes.pointer, children))
        array.length, array.null_count, array.offset, array.n_buffers = rows, 0, 0, 1
        array.buffers, array.n_children, array.children = (c_void_p * 1)(None), len(children), pointers
        array.dictionary, array.release, array.private_data = None, cast(_RELEASE_ARRAY, c_void_p), None
        self._held += (children, pointers)

    def _array(self, rows: int, kind: bytes, column: Column) -> _Array:
        missing = -1 if kind != TEXT and len(column) == 2 else 0
        parts = column if missing else (None, *column)
        buffers = (c_void_p * len(parts))(*(None if part is None else cast(c_char_p(part), c_void_p) for part in parts))
        self._held += (buffers, column)
        return _Array(
            length=rows,
            null_count=missing,
            n_buffers=len(parts),
            buffers=buffers,
            release=cast(_RELEASE_ARRAY, c_void_p),
        )
