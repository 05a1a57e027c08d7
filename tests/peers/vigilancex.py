"""A VIGILANCE X server on loopback, as its interface is documented, with the faults that it is known for.

``license`` open or not, row ids of the ModSecurity table that change at each look, alerts without order, whole seconds,
newest first, pages of at most 1,000, and ``faults``: by path, what is answered instead, once each.
"""

import json
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

USER, PASSWORD = "vxtray", "correct horse"


def moment(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class VigilanceX:
    """What the server holds, and what it was asked (``asked``: paths with their parameters)."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.alert_rows: list[dict[str, Any]] = []
        self.bans: list[dict[str, Any]] = []
        #: What further paths say.
        self.said: dict[str, Any] = {"/status/syslog": {"is_receiving": True, "seconds_since_last": 1}}
        self.licensed = True
        self.paths_with_licence = {"/bans", "/modsec/logs/grouped"}
        self.clock_ahead = timedelta()
        self.faults: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        self.sessions: set[str] = set()
        self.session_seconds = 86_400
        self.logins = 0
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    # --- what it holds -----------------------------------------------------------------------------------------------

    def event(self, at: datetime, **fields: Any) -> dict[str, Any]:
        """Add an event as its pipeline would have written it."""
        row = {
            "event_id": str(uuid.uuid4()),
            "timestamp": moment(at),
            "log_type": "Firewall",
            "category": "Blocked",
            "sub_category": "",
            "severity": "info",
            "src_ip": "203.0.113.7",
            "dst_ip": "192.0.2.1",
            "src_port": 0,
            "dst_port": 443,
            "protocol": "TCP",
            "action": "drop",
            "rule_id": "5",
            "rule_name": "WAN in",
            "hostname": "WAN in",
            "user_name": "",
            "url": "",
            "geo_country": "",
            "message": "Denied by rule",
            "reason": "",
            "sophos_id": "010102600002",
            "ingested_at": moment(at),
        }
        self.events.append(row | fields)
        return self.events[-1]

    def request(self, at: datetime, **fields: Any) -> dict[str, Any]:
        """Add a request that matched rules of the WAF."""
        row = {
            "unique_id": uuid.uuid4().hex,
            "timestamp": moment(at),
            "src_ip": "203.0.113.9",
            "hostname": "shop.example.com",
            "uri": "/login",
            "total_score": 15,
            "is_blocked": True,
            "rule_count": 2,
            "rules": [
                {"rule_id": "949110", "rule_msg": "Inbound Anomaly Score Exceeded", "rule_severity": "CRITICAL"},
                {"rule_id": "942100", "rule_msg": "SQL Injection Attack", "rule_severity": "CRITICAL",
                 "attack_type": "sqli"},
            ],
            "geo_country": "CHN",
        }  # fmt: skip
        self.requests.append(row | fields)
        return self.requests[-1]

    def alert_row(self, at: datetime, **fields: Any) -> dict[str, Any]:
        """Add a row of the ModSecurity table that shows among the critical alerts."""
        row = {
            "timestamp": moment(at),
            "log_type": "WAF",
            "category": "SQL Injection",
            "severity": "critical",
            "src_ip": "203.0.113.9",
            "dst_ip": "",
            "hostname": "shop.example.com",
            "rule_id": "942100",
            "rule_name": "sqli",
            "message": "SQL Injection Attack",
            "action": "blocked",
            "country": "CN",
        }
        self.alert_rows.append(row | fields)
        return self.alert_rows[-1]

    def ban(self, at: datetime, address: str, **fields: Any) -> dict[str, Any]:
        """Add a ban."""
        row = {
            "ip": address,
            "status": "active",
            "ban_count": 1,
            "first_ban": moment(at),
            "last_ban": moment(at),
            "expires_at": moment(at + timedelta(days=1)),
            "reason": "too many attacks",
            "source": "manual",
            "trigger_rule": "",
            "country": "FR",
        }
        self.bans.append(row | fields)
        return self.bans[-1]

    # --- what it answers ----------------------------------------------------------------------------------------------

    def answer(self, path: str, asked: dict[str, str], token: str) -> tuple[int, Any]:
        """Return status and document of a question with a sign-in."""
        if token not in self.sessions:
            return 401, {"error": "invalid token"}
        if path == "/events":
            return self._events(asked)
        if path in self.paths_with_licence and not self.licensed:
            return 402, {"error": "license_invalid", "message": "no licence", "status": "not_activated"}
        if path in self.said:
            return 200, self.said[path]
        if path == "/alerts/critical":
            return self._alerts(int(asked.get("limit", "20")))
        if path not in self.paths_with_licence:
            return 404, {"error": "not found"}
        if path == "/bans":
            return 200, {"data": self.bans or None}
        since = asked.get("start_time", "")
        return 200, {"data": [one for one in self.requests if one["timestamp"] >= since] or None}

    def _events(self, asked: dict[str, str]) -> tuple[int, Any]:
        limit = int(asked.get("limit", "50"))
        limit = limit if limit <= 1000 else 50
        offset = int(asked.get("offset", "0"))
        start, end = asked.get("start_time", ""), asked.get("end_time", "9999")
        found = [one for one in self.events if start <= one["timestamp"] <= end]
        found.sort(key=lambda one: one["timestamp"], reverse=True)
        page = found[offset : offset + limit]
        more = offset + limit < len(found)
        return 200, {"data": page, "pagination": {"total": len(found), "limit": limit, "has_more": more}}

    def _alerts(self, limit: int) -> tuple[int, Any]:
        """ModSecurity rows first, each under a new id and many times, then events; cut without a look at the time."""
        rows = [row | {"event_id": str(uuid.uuid4())} for row in self.alert_rows for _ in range(2)]
        rows += [one for one in self.events if one["severity"] == "critical"]
        return 200, {"data": rows[:limit], "count": len(rows[:limit])}

    def sign_in(self, said: Any) -> tuple[int, Any]:
        """Begin a session."""
        self.logins += 1
        if said != {"username": USER, "password": PASSWORD}:
            return 401, {"error": "invalid credentials", "success": False}
        token = f"jwt-{uuid.uuid4().hex}"
        self.sessions.add(token)
        ends = datetime.now(UTC) + self.clock_ahead + timedelta(seconds=self.session_seconds)
        return 200, {"token": token, "expires_at": int(ends.timestamp()), "user": {"username": USER}}


class _Handler(BaseHTTPRequestHandler):
    """Answers for ``held``."""

    held: VigilanceX
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"
    timeout = 10

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(datetime.now(UTC) + self.held.clock_ahead, usegmt=True)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v1")
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.held.asked.append((path, asked))
        if not self._fault(path):
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self._say(*self.held.answer(path, asked, token))

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._fault("/auth/login"):
            self._say(*self.held.sign_in(said))

    def _fault(self, path: str) -> bool:
        if not self.held.faults[path]:
            return False
        status, body = self.held.faults[path].pop(0)
        if status:
            self._send(status, body)
        else:  # half an answer, then silence
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True
        return True

    def _say(self, status: int, document: Any) -> None:
        self._send(status, json.dumps(document).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: Any) -> None:
        """Stay silent."""


@contextmanager
def vigilancex_server() -> Iterator[VigilanceX]:
    """Serve until the end of the block; ``url`` says where."""
    held = VigilanceX()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"held": held}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
