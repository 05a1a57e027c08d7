"""ClickHouse's HTTP interface on loopback, with the real engine behind it (chdb) in a process of its own.

``python tests/peers/clickhouse.py FOLDER`` prints its port and serves until its standard input ends. A POST to
``/_fault`` sets what happens to the next questions: ``{"kind": "500"|"half"|"hang"|"lost", "times": n, "after": m,
"of": "INSERT"}``
(``after``: so many go well before; ``lost``: the question is carried out, and its answer never arrives).
"""

import base64
import contextlib
import gzip
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

USER, PASSWORD = "vxtray", "click horse"

#: As VIGILANCE X makes them (docker/clickhouse/init-db.sql), but for engines' settings.
TABLES = """
CREATE DATABASE IF NOT EXISTS vigilance_x;
CREATE TABLE vigilance_x.events (
    event_id UUID DEFAULT generateUUIDv4(), timestamp DateTime, log_type LowCardinality(String),
    category LowCardinality(String), sub_category LowCardinality(String), severity LowCardinality(String),
    mitre_technique LowCardinality(String), src_ip IPv4, dst_ip IPv4, src_port UInt16, dst_port UInt16,
    protocol LowCardinality(String), action LowCardinality(String), rule_id String, rule_name String,
    hostname LowCardinality(String), user_name String, url String, http_method LowCardinality(String),
    http_status UInt16, user_agent String, geo_country LowCardinality(String), geo_city String, geo_asn UInt32,
    geo_org String, message String, reason String, raw_log String, modsec_rule_ids Array(String),
    modsec_messages Array(String), sophos_id String, ingested_at DateTime DEFAULT now()
) ENGINE = MergeTree PARTITION BY toYYYYMMDD(timestamp) ORDER BY (log_type, severity, src_ip, timestamp);
CREATE TABLE vigilance_x.modsec_logs (
    id UUID DEFAULT generateUUIDv4(), timestamp DateTime64(6), unique_id String, src_ip IPv4, src_port UInt16,
    hostname String, uri String, rule_id String, rule_file String, rule_msg String, rule_severity String,
    rule_data String, crs_version String, paranoia_level UInt8, attack_type String, tags Array(String),
    anomaly_score UInt16, total_score UInt16, is_blocking UInt8, raw_log String, ingested_at DateTime DEFAULT now()
) ENGINE = MergeTree ORDER BY (timestamp, unique_id, rule_id);
CREATE TABLE vigilance_x.ip_ban_status (
    ip String, status String, ban_count UInt8, first_ban DateTime, last_ban DateTime, expires_at Nullable(DateTime),
    reason String, trigger_rule String, trigger_event_id String, synced_xgs UInt8, created_by String, version UInt64
) ENGINE = ReplacingMergeTree(version) ORDER BY ip
"""


#: A cluster of one shard, this very engine, for distributed tables. It has no keeper, hence no ``ON CLUSTER``.
CLUSTER = "alone"
_CONFIG = f"""
<clickhouse><tcp_port>9000</tcp_port><remote_servers><{CLUSTER}><shard><replica>
<host>127.0.0.1</host><port>9000</port>
</replica></shard></{CLUSTER}></remote_servers></clickhouse>
"""


def _decompressed(body: bytes, encoding: str) -> bytes:
    if encoding == "lz4":
        import lz4.frame

        whole = b""
        while body:  # each block of an insertion is a frame of its own
            frame = lz4.frame.LZ4FrameDecompressor()
            whole += frame.decompress(body)
            body = frame.unused_data or b""
        return whole
    return gzip.decompress(body) if encoding == "gzip" else body


#: What the address of a question says to the interface and not to the engine.
_OF_HTTP = {
    *("query", "database", "user", "password", "default_format", "session_id", "query_id", "role", "quota_key"),
    *("client_protocol_version", "compress", "decompress", "enable_http_compression", "send_progress_in_http_headers"),
    *("wait_end_of_query", "buffer_size", "http_headers_progress_interval_ms"),
    "cancel_http_readonly_queries_on_client_close",
}


#: For small questions, of which most are asked once: to compile them would take longer than to answer them.
_QUICKLY = "max_threads = 1, compile_expressions = 0, compile_aggregate_expressions = 0, compile_sort_description = 0"


class _Fault:
    kind = ""
    times = 0
    after = 0
    of = ""

    @classmethod
    def next(cls, question: str) -> str:
        """Return the fault of this question, "" for none."""
        if not question.startswith(cls.of):
            return ""
        if cls.after > 0:
            cls.after -= 1
            return ""
        cls.times -= 1
        return cls.kind if cls.times >= 0 else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    session: Any
    lock = threading.Lock()
    known: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        asked = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if parts.path == "/_fault":
            wanted = json.loads(body)
            _Fault.kind, _Fault.times, _Fault.after = wanted["kind"], wanted["times"], wanted["after"]
            _Fault.of = wanted["of"]
            return self._say(200, b"ok")
        if parts.path == "/ping":
            return self._say(200, b"Ok.\n")
        if not self._is_allowed(asked):
            return self._say(403, b"Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
        body = _decompressed(body, self.headers.get("Content-Encoding", ""))
        fault = _Fault.next(asked.get("query", "") or body[:100].decode("utf-8", "replace"))
        if fault == "500":
            return self._say(500, b"Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)")
        if fault == "hang":
            time.sleep(3600)
        status, answer = self._run(asked, body)
        if fault == "lost":
            self.close_connection = True
            return None
        return self._say(status, answer, cut=fault == "half")

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _is_allowed(self, asked: dict[str, str]) -> bool:
        header = self.headers.get("Authorization", "")
        given = base64.b64decode(header.removeprefix("Basic ")).decode() if header.startswith("Basic ") else ""
        user = self.headers.get("X-ClickHouse-User") or asked.get("user") or given.partition(":")[0]
        password = self.headers.get("X-ClickHouse-Key") or asked.get("password") or given.partition(":")[2]
        return (user, password) == (USER, PASSWORD)

    def _run(self, asked: dict[str, str], body: bytes) -> tuple[int, bytes]:
        sql = asked.get("query", "")
        if body.startswith(b"INSERT") and b" FORMAT Native\n" in body[:4096]:
            said, _line_end, rows = body.partition(b" FORMAT Native\n")
            return self._insert(said.decode(), rows, asked)
        sql = "\n".join(filter(None, (sql, body.decode("utf-8", "replace"))))
        with self.lock:
            try:
                if database := asked.get("database"):
                    self.session.query(f"USE {database}")
                self._set({name: value for name, value in asked.items() if name not in _OF_HTTP})
                return 200, self.session.query(sql, asked.get("default_format", "TabSeparated")).bytes()
            except Exception as error:  # noqa: BLE001 - as the engine says it
                return 500, str(error).encode()

    def _set(self, values: dict[str, str]) -> None:
        """Set settings, and the values of parameters, where they are not so already."""
        new = {name: value for name, value in values.items() if self.known.get(name) != value}
        if new:
            quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in new.items()}
            self.session.query("SET " + ", ".join(f"{name} = '{value}'" for name, value in quoted.items()))
            self.known.update(new)

    def _insert(self, target: str, rows: bytes, asked: dict[str, str]) -> tuple[int, bytes]:
        """Carry an insertion out whose rows come in the body; the engine in process takes them from a file."""
        names = (
            "insert_deduplication_token",
            "async_insert",
            "max_partitions_per_insert_block",
            "insert_distributed_sync",
        )
        said = ", ".join(f"{name} = '{asked[name]}'" for name in names if name in asked)
        with tempfile.NamedTemporaryFile(suffix=".rows") as file, self.lock:
            file.write(rows)
            file.flush()
            select = f"{target} SELECT * FROM file('{file.name}', 'Native')"
            try:
                self.session.query(f"{select} SETTINGS {said}" if said else select)
            except Exception as error:  # noqa: BLE001 - as the engine says it
                return 500, str(error).encode()
        return 200, b""

    def _say(self, status: int, answer: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer) + (1000 if cut else 0)))
        self.end_headers()
        self.wfile.write(answer)
        if cut:
            self.close_connection = True

    def log_message(self, *_said: Any) -> None:
        """Stay silent."""


def main(folder: str, port: int = 0) -> None:
    """Serve the engine until standard input ends, on any port where none is given."""
    from chdb.session import Session

    config = Path(folder).with_name(f"{Path(folder).name}.xml")
    config.write_text(_CONFIG)
    _Handler.session = Session(f"{folder}?config-file={config}")
    config.unlink()
    _Handler.session.query(f"SET {_QUICKLY}")
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


class ClickHousePeer:
    """A running one: ``run`` carries SQL out, ``fail`` sets a fault."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def run(self, sql: str) -> str:
        """Carry out statements, each ended by a semicolon, and return what the last one answers."""
        answer = ""
        for statement in filter(str.strip, sql.split(";\n")):
            answer = self._post("/", statement.rstrip().rstrip(";").encode())
        return answer

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows as they would be written in JSON."""
        self.run(f"INSERT INTO {table} FORMAT JSONEachRow {' '.join(map(json.dumps, rows))}")

    def fail(self, kind: str, times: int = 1, *, after: int = 0, of: str = "") -> None:
        """Let some questions that begin with ``of`` fail, after some that go well."""
        self._post("/_fault", json.dumps({"kind": kind, "times": times, "after": after, "of": of}).encode())

    def _post(self, path: str, body: bytes) -> str:
        headers = {"X-ClickHouse-User": USER, "X-ClickHouse-Key": PASSWORD}
        request = urllib.request.Request(self.url + path, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(answer.read().decode())


@contextlib.contextmanager
def clickhouse_server(folder: Path, port: int = 0) -> Iterator[ClickHousePeer]:
    """Serve the engine until the end of the block, which kills it; skips where chdb is not installed."""
    pytest.importorskip("chdb", reason="chdb is not installed")
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield ClickHousePeer(int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
