"""D01 to D16, D22 and D23 of the catalogue: what a mail holds, from hostile text to the bytes that a server took."""

import csv
import email
import email.policy
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.core.mail import hostile as h
from tests.core.mail.office import PEOPLE, Post
from tests.core.mail.test_message import shown_sender
from tests.core.mail.wire import DATA, SENDER, Inbox, aiosmtpd, settings
from vxtray.core import export
from vxtray.core.alerts.document import alert_document
from vxtray.core.alerts.rules import Alert, Rule
from vxtray.core.errors import SettingsInvalid
from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.mail.faults import MessageRefused
from vxtray.core.mail.lighter import LIMIT, estimated_size, fitted
from vxtray.core.mail.message import Attachment, Image, Mail, compose
from vxtray.core.mail.posting import mail_of, outgoing
from vxtray.core.mail.protocol import dot_stuffed
from vxtray.core.mail.render import Document
from vxtray.core.mail.smtp import Session
from vxtray.core.settings.tree import check_value

MAIL = Mail(
    subject="Daily report",
    text="Good morning\n",
    html="",
    from_address=SENDER,
    from_name="vxtray",
    recipients=PEOPLE[:1],
    message_id="<k@example.com>",
    date=datetime(2026, 11, 23, 7, 0, tzinfo=UTC),
)

Making = Callable[..., Post]


def carried(post: Making, **changes: Any) -> EmailMessage:
    """Send a mail with these parts to a server that keeps what it gets, and read it as a mail program does.

    Nothing is lost or added on the way, and what stands on the wire is CR LF, 7-bit and short.
    """
    inbox = Inbox()
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add_mail("k", msgspec.structs.replace(MAIL, **changes))
        assert one.send() == [("k", "sent")]
    ((sender, people, data),) = inbox.taken
    assert (sender, data) == (SENDER, one.outbox.entry(1)[3])
    assert set(people) == set(changes.get("recipients", PEOPLE[:1]))
    assert data.isascii()
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
    assert max(map(len, data.split(b"\r\n"))) <= 78
    return read(data)


def read(data: bytes) -> EmailMessage:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


# --- lines and dots --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [".\n", "..\n", ".leads\nmiddle\n.ends\n", ".\n..\n...\n....\n", "\n.\n\n.\n", "x\n" * 3 + "." * 400 + "\n"],
    ids=["D01 one dot", "D01 two dots", "D01 leading", "D01 only dots", "D01 among blanks", "D01 long"],
)
def test_dots(text: str, post: Making) -> None:
    assert text_of(carried(post, text=text)) == text


SMUGGLED = [
    "a\rb",
    "a\nb",
    "a\r.\r\nb",
    "a\n.\nb",
    "a\n.\r\nb",
    "a\r\n.\rb",
    "a\r\n.\r\nMAIL FROM:<x@y>\r\nb",
    "a\n.\rb",
]


@pytest.mark.parametrize("text", SMUGGLED, ids=[f"D02 {position}" for position in range(len(SMUGGLED))])
def test_line_ends_smuggle_nothing(text: str, post: Making) -> None:
    """One mail arrives (``carried``); its text has the same lines."""
    message = carried(
        post, text=text, html=f"<p>{text}</p>", attachments=(Attachment("x.csv", "text/csv", text.encode()),)
    )
    assert text_of(message).rstrip("\n").splitlines() == re.split(r"\r\n|\r|\n", text)
    (attached,) = message.iter_attachments()
    assert attached.get_payload(decode=True) == text.encode()


@pytest.mark.parametrize(
    "data",
    [
        DATA.replace(b"hello", bare)
        for bare in (b"a\rb", b"a\nb", b"a\r.\r\n", b"a\n.\r\n", b"a\r\n.\n", b"a\r\n.\r", b"\0", b"x" * 999, b"\xe9")
    ],
)
def test_d02_the_last_check_refuses_what_no_compose_makes(data: bytes) -> None:
    with h.hostile(h.script()) as server:
        with Session(settings(server.port), None) as session, pytest.raises(MessageRefused):
            session.deliver(SENDER, PEOPLE[:1], data)
        assert b"MAIL" not in server.heard


def test_d03_a_server_that_refuses_bare_line_feeds_finds_none(post: Making) -> None:
    """Exchange's 5.6.11: this server looks at the raw bytes, before any unstuffing."""

    def strict(talk: h.Talk) -> None:
        talk.say(b"354 go on\r\n")
        mail = talk.until(b"\r\n.\r\n") + b"\r\n"
        bare = re.search(rb"(?<!\r)\n|\r(?!\n)", mail)
        talk.say(b"550 5.6.11 SMTPSEND.BareLinefeedsAreIllegal\r\n" if bare else b"250 2.0.0 taken\r\n")
        talk.server.mail = mail

    with h.hostile(h.script(DATA=strict)) as server:
        one = post(settings(server.port))
        one.add_mail("k", msgspec.structs.replace(MAIL, text="a\nb\rc\r\n.\n", html="<pre>\n.\r.\n</pre>"))
        assert one.send() == [("k", "sent")]
        assert server.mail == dot_stuffed(one.outbox.entry(1)[3])


def test_d04_long_lines(post: Making) -> None:
    line = "x" * 10_000 + " é" * 2000
    message = carried(post, text=line + "\n", html=f"<p>{line}</p>")
    assert (text_of(message), text_of(message, "html").strip()) == (line + "\n", f"<p>{line}</p>")


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "subject",
    ["x" * 3000, "\U0001f511" * 3000, "\u05d0\u202b\u05d1\u202e" * 700, "word " * 600, "é" + "x" * 2999],
    ids=["D05 no blanks", "D05 emoji", "D05 right to left", "D05 words", "D05 accent"],
)
def test_subject_of_3000_characters(subject: str, post: Making) -> None:
    shown = carried(post, subject=subject)["Subject"]
    assert len(shown) == 200
    assert shown[:10] == subject[:10].replace("\u202b", " ").replace("\u202e", " ")
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e")


def test_d06_500_recipients(post: Making) -> None:
    """All in To, folded; asked for in portions of fifty, and each exactly once."""
    people = tuple(f"person{number}@example.org" for number in range(500))
    inbox = Inbox()
    with aiosmtpd(inbox):
        one = post(settings(inbox.port))
        one.add_mail("k", msgspec.structs.replace(MAIL, recipients=people))
        assert one.send()[-1] == ("k", "sent")
    assert sorted(address for _, asked, _ in inbox.taken for address in asked) == sorted(people)
    assert [len(asked) for _, asked, _ in inbox.taken] == [50] * 10
    assert {data for _, _, data in inbox.taken} == {one.outbox.entry(1)[3]}
    assert max(map(len, inbox.taken[0][2].split(b"\r\n"))) <= 78
    assert [address.addr_spec for address in read(inbox.taken[0][2])["To"].addresses] == list(people)


BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]
CONTROLS = ["\0", "\x01", "\x1b", "\x7f", "\x80", "\x9f"]


@pytest.mark.parametrize(
    "mark",
    [*BREAKS, *CONTROLS],
    ids=[f"D07 {ord(mark[-1]):x}" for mark in BREAKS] + [f"D08 {ord(mark):x}" for mark in CONTROLS],
)
def test_no_line_of_its_own_and_no_control(mark: str, post: Making) -> None:
    forged = f"a{mark}Bcc: evil@example.net{mark}{mark}<p>body"
    message = carried(post, subject=forged, from_name=forged)
    assert message["Subject"] == "a Bcc: evil@example.net <p>body"
    assert (message["Bcc"], text_of(message)) == (None, "Good morning\n")
    assert len(message.keys()) == len(set(message.keys())) == 10


def test_d09_every_other_place_of_a_line_end(post: Making) -> None:
    mark = "\r\nBcc: evil@example.net\r\n\r\n"
    message = carried(
        post, from_name=f"a{mark}b", text=f"x{mark}", attachments=(Attachment(f"a{mark}.csv", "text/csv", b"x"),)
    )
    assert shown_sender(bytes(message)) == [("a Bcc: evil@example.net b", SENDER)]
    (attached,) = message.iter_attachments()
    assert re.fullmatch(r"[A-Za-z0-9 ._()+-]+", attached.get_filename() or "")
    assert message["Bcc"] is None
    for changes in (
        {"message_id": f"<a@b>{mark}"},
        {"html": "x", "images": (Image(f"a{mark}", "image/png", b""),)},
        {"attachments": (Attachment("x", f"text/plain{mark}", b""),)},
    ):
        with pytest.raises(ValueError, match="not a"):
            compose(msgspec.structs.replace(MAIL, **changes))
    for key in ("smtp.from_name", "smtp.from_address", "smtp.host"):
        with pytest.raises(SettingsInvalid):
            check_value(key, f"a{mark}b")


NAMES = ["=?utf-8?q?evil=40y=2C?= <u@x>", "boss@example.com, other@example.com", 'Müller, "Bob" <b@x>', "a <b@c> (d)"]


@pytest.mark.parametrize("name", NAMES, ids=[f"D10 {position}" for position in range(len(NAMES))])
def test_a_name_is_no_address(name: str, post: Making) -> None:
    assert shown_sender(bytes(carried(post, from_name=name))) == [(name, SENDER)]


FILES = {
    "../../etc/passwd": "passwd",
    "C:\\x\\report.pdf": "report.pdf",
    "CON": "_CON",
    "aux.csv": "_aux.csv",
    "y" * 300 + ".pdf": "y" * 96 + ".pdf",
    "invoice\u202efdp.exe": "invoicefdp.exe",
    "report.pdf.": "report.pdf",
    "..": "attachment",
}


@pytest.mark.parametrize(
    ("name", "safe"), list(FILES.items()), ids=[f"D11 {position}" for position in range(len(FILES))]
)
def test_attachment_names(name: str, safe: str, post: Making) -> None:
    (attached,) = carried(post, attachments=(Attachment(name, "text/csv", b"x"),)).iter_attachments()
    assert attached.get_filename() == safe


# --- parts -----------------------------------------------------------------------------------------------------------


def test_d12_a_boundary_in_the_data_parts_nothing(post: Making) -> None:
    parts: dict[str, Any] = {"html": "<p>x</p>", "attachments": (Attachment("a.csv", "text/csv", b"x"),)}
    known = re.findall(rb'boundary="([^"]+)"', compose(msgspec.structs.replace(MAIL, **parts)))
    again = re.findall(rb'boundary="([^"]+)"', compose(msgspec.structs.replace(MAIL, **parts)))
    assert (len({*known, *again}), len(known)) == (4, 2)
    hostile = "".join(
        f"--{boundary.decode()}--\n--{boundary.decode()}\nContent-Type: text/html\n\n" for boundary in known
    )
    message = carried(
        post, text=hostile, html=hostile, attachments=(Attachment("a.csv", "text/csv", hostile.encode()),)
    )
    assert [part.get_content_type() for part in message.walk()] == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html", "text/csv"),
    ]
    assert text_of(message) == hostile


def test_d13_undecodable_bytes_of_a_log(post: Making) -> None:
    text = b"caf\xe9 \xff".decode("utf-8", "surrogateescape")
    message = carried(post, subject=text, from_name=text, text=text + "\n", html=f"<p>{text}</p>")
    assert (message["Subject"], text_of(message)) == ("caf\ufffd \ufffd", "caf\ufffd \ufffd\n")


class Seen(HTMLParser):
    """Remembers tags, and the attributes that load or lead somewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.leads: list[tuple[str, str | None]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.leads += [
            (name, value) for name, value in attrs if name in {"href", "src", "background"} or name[:2] == "on"
        ]


_FIELDS = ("source", "src_ip", "target_host", "target_url", "user", "rule_id", "rule_name", "message")
ATTACKS = (
    "<script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "x onmouseover=alert(1) y",
    '"><style>*{background:url(http://evil.example/x)}</style>',
    "<img src=http://evil.example/pixel.png>",
    "</td></table><iframe src=//evil.example>",
    "{{ 7*7 }}{% raw %}",
)


@pytest.mark.parametrize("attack", ATTACKS, ids=[f"D14 {position}" for position in range(len(ATTACKS))])
def test_html_of_a_log_field_stays_text(attack: str, post: Making) -> None:
    shown = []
    for said in (attack, "harmless"):
        fields: dict[str, Any] = dict.fromkeys(_FIELDS, said)
        event = SecurityEvent(
            at=MAIL.date, category=Category.WAF, action=Action.BLOCKED, severity=Severity.CRITICAL, **fields
        )
        alert = Alert(rule=Rule.CRITICAL, event=event, matched=(Rule.CRITICAL,))
        document = alert_document(alert, "en", UTC, line=said, host=said, version="1")
        shown.append(carried(post, subject=document.subject, text=document.text, html=document.html))
    hostile, harmless = (Seen(text_of(message, "html")) for message in shown)
    assert (hostile.tags, hostile.leads) == (harmless.tags, [])
    assert "".join(attack.split())[:12] in "".join(text_of(shown[0]).split())


FORMULAS = ['=HYPERLINK("http://evil")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n+1", " =1"]


@pytest.mark.parametrize("cell", FORMULAS, ids=[f"D15 {position}" for position in range(len(FORMULAS))])
def test_a_cell_is_no_formula(cell: str, post: Making, tmp_path: Path) -> None:
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        one.outbox.add(outgoing("k", "alert", msgspec.structs.replace(MAIL, subject=cell)), one.clock())
        one.outbox.add(msgspec.structs.replace(outgoing("l", "alert", MAIL), subject=cell), one.clock())
        assert export.export_mails(one.outbox, tmp_path / "mails.csv") == 2
    with (tmp_path / "mails.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            assert row["subject"] == "'" + cell.strip()
            assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for value in row.values())


# --- too much --------------------------------------------------------------------------------------------------------


def made(text: str = "Good morning\n", html: str = "", *sizes: int) -> Mail:
    files = tuple(Attachment(f"file{number}.csv", "text/csv", bytes(size)) for number, size in enumerate(sizes))
    return mail_of(Document(subject="s", html=html, text=text), settings(1), (), MAIL.date, files)


def test_d16_sixty_megabytes_are_estimated_and_left_out_before_a_mail_is_built(post: Making) -> None:
    page = '<html lang="fr"><body><p>Bonjour</p></body></html>'
    mail = made("Good morning\n", page, 60_000_000, 1_000_000, 5_000_000, 2_000_000)
    assert [one.name for one in mail.attachments] == ["file1.csv", "file3.csv"]
    message = carried(post, text=mail.text, html=mail.html, attachments=mail.attachments)
    for name in ("file0.csv", "file2.csv"):
        assert name in text_of(message)
        assert name in text_of(message, "html")
    assert text_of(message).endswith("Good morning\n")


def test_d16_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    mail = made("line é\n" * 9_000_000, "<p>" + "x" * 60_000_000)
    assert (mail.html, mail.text.startswith("line é\nline é\n")) == ("", True)
    assert mail.text.endswith("\nThe rest was left out: the mail would have been too large.\n")
    assert len(compose(mail)) < 2_000_000


@pytest.mark.parametrize(
    ("text", "html", "size"),
    [
        ("x\n", "", 0),
        ("=é\n" * 20_000, "<p>✓ \U0001f511</p>" * 9000, 0),
        ("x" * 500_000, "y", 700_000),
        ("\n" * 99_000, "", 1),
    ],
)
def test_d16_the_estimate_is_never_less_than_the_mail_and_not_far_from_it(text: str, html: str, size: int) -> None:
    mail = made(text, html, *([size] if size else []))
    real = len(compose(mail))
    assert real <= estimated_size(mail) <= real * 1.15 + 70_000
    assert fitted(mail) is mail
    assert real < LIMIT


# --- identity --------------------------------------------------------------------------------------------------------


def test_d22_the_same_bytes_message_id_and_date_on_every_retry(post: Making) -> None:
    """Through every kind of failure, over two days."""
    seen: list[bytes] = []

    def keep(answer: h.Answer) -> Callable[[h.Talk], None]:
        def take(talk: h.Talk) -> None:
            h.take_mail(answer)(talk)

        def remember(talk: h.Talk) -> None:
            try:
                take(talk)
            finally:
                seen.append(talk.server.mail)

        return remember

    tries: list[h.Answer] = [keep(b"451 4.3.0 x\r\n"), keep(h.close), keep(b"421 4.3.2 bye\r\n"), keep(h.reset)]
    tries += [keep(b"garbage\r\n"), keep(b"450 4.7.1 try again in 3600 s\r\n"), keep(b"250 2.0.0 taken\r\n")]
    with h.hostile(h.script(DATA=tries, MAIL=[b"451 4.3.0 x\r\n", *[b"250 ok\r\n"] * 7])) as server:
        one = post(settings(server.port))
        one.add("k", attachments=(Attachment("a.csv", "text/csv", b".\n" * 50),))
        queued = one.outbox.entry(1)
        for _ in range(7):
            assert one.send() == [("k", "queued")]
            one.clock.now = (one.outbox.next_due() or one.clock()) + timedelta(hours=6)
        assert one.send() == [("k", "sent")]
    entry, _, attempts, data = one.outbox.entry(1)
    assert (len(seen), set(seen)) == (7, {dot_stuffed(data)})
    assert (entry.message_id, data) == (queued[0].message_id, queued[3])
    assert read(data)["Date"].datetime == MAIL.date
    assert [attempt["outcome"] for attempt in attempts] == [
        *("server", "server", "doubt", "server", "doubt", "doubt", "later", "sent"),
    ]
    assert one.clock() - MAIL.date > timedelta(hours=36)


def test_d23_no_name_of_this_computer(post: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "secret-host-7")
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "secret-host-7.lan")
    ids = set()
    with h.hostile(h.script()) as server:
        one = post(settings(server.port))
        for number in range(20):
            mail = mail_of(Document(subject="s", html="", text="x"), settings(1), PEOPLE[:1], one.clock())
            ids.add(mail.message_id)
            one.outbox.add(outgoing(f"k{number}", "report", mail), one.clock())
        assert [state for _, state in one.send()] == ["sent"] * 20
        assert b"secret-host" not in server.heard
        assert b"EHLO [127.0.0.1]\r\n" in server.heard
    assert len(ids) == 20
    assert all(re.fullmatch(r"<[0-9a-f]{32}@example\.com>", one) for one in ids)
