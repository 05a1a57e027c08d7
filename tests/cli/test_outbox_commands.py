"""``outbox`` and ``history``, with and without a running program."""

import csv
import json
from pathlib import Path

from tests.cli.conftest import Command
from vxtray.core.credentials import MemoryStore
from vxtray.core.mail.fingerprint import last_change
from vxtray.core.mail.outbox import Outbox, Outcome, Outgoing, Verdict
from vxtray.core.paths import Profile
from vxtray.core.service import utc_now


def filled(profile: Profile) -> None:
    box = Outbox(profile.outbox_file)
    for key, subject in (("a", "=cmd|'x'"), ("b", "Second")):
        queued = Outgoing(
            key=key,
            kind="report",
            subject=subject,
            message_id=f"<{key}@x>",
            mail_from="f@example.com",
            recipients=("a@example.org", "b@example.org"),
            data=b"Date: x\r\nMessage-ID: <y@x>\r\nSubject: x\r\n\r\nbody\r\n",
        )
        box.add(queued, utc_now())
    sent = Outcome(verdict=Verdict.SENT, reply="250 kept", accepted=("a@example.org", "b@example.org"))
    list(box.deliver_due(lambda _parcel: sent, utc_now))
    box.close()


def test_export_is_a_table_without_formulas(vxtray: Command, profile: Profile, tmp_path: Path) -> None:
    filled(profile)
    file = tmp_path / "mails.csv"
    said = vxtray("outbox", "export", str(file), "--json")
    assert (said.code, said.json) == (0, {"mails": 2})
    rows = list(csv.DictReader(file.read_text("utf-8-sig").splitlines()))
    assert [row["subject"] for row in rows] == ["Second", "'=cmd|'x'"]
    assert rows[0]["recipients"] == "a@example.org: sent 250 kept; b@example.org: sent 250 kept"
    assert vxtray("outbox", "export", str(tmp_path / "no" / "folder.csv")).code == 1


def test_resend_queues_a_mail_of_its_own(vxtray: Command, profile: Profile, memory: MemoryStore) -> None:
    filled(profile)
    said = vxtray("outbox", "resend", "1", "--json")
    assert (said.code, said.json["id"], said.json["resend_of"], said.json["state"]) == (0, 3, 1, "queued")
    assert vxtray("outbox", "resend", "3").code == 2, "that one is still waiting"
    assert vxtray("outbox", "resend", "99").code == 2


def test_history_lists_mails_and_what_was_done(vxtray: Command, profile: Profile) -> None:
    filled(profile)
    said = vxtray("history", "--json")
    assert [(line["what"], line["mail"]) for line in said.json] == [("mail", 2), ("mail", 1)]
    assert "Second" in vxtray("history").out
    assert vxtray("history", "--text", "second", "--json").json[0]["mail"] == 2
    assert vxtray("history", "--since", "2099-01-01", "--json").json == []
    assert json.loads(vxtray("history", "--limit", "1", "--json").out)[0]["mail"] == 2


def test_a_changed_secret_is_put_on_record_without_the_secret(
    vxtray: Command, profile: Profile, memory: MemoryStore
) -> None:
    vxtray("smtp", "set", "host=mail.example.com", "username=u", "from_address=f@example.com")
    assert vxtray("secret", "set", "smtp-password", stdin=b"correct horse").code == 0
    change = last_change(profile.state)
    assert (change.count, change.name) == (1, "smtp-password")
    vxtray("secret", "forget", "smtp-password")
    assert last_change(profile.state).count == 2
    assert b"horse" not in b"".join(path.read_bytes() for path in profile.state.iterdir() if path.is_file())
