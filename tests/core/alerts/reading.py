"""How tests read alert mails: what is shown, what stands around it, and what hostile text must not change."""

import email
import email.policy
import html
import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import lru_cache
from html.parser import HTMLParser

from hypothesis import strategies as st

from vxtray.core.mail.message import compose
from vxtray.core.mail.posting import mail_of
from vxtray.core.mail.render import Document
from vxtray.core.settings.tree import Smtp

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
PEOPLE = ("soc@example.com", "boss@example.com")
THREAD = ("<first@example.com>", "<second@example.com>")
HEADERS = {
    "date", "message-id", "in-reply-to", "references", "thread-topic", "from", "to", "subject", "auto-submitted",
    "x-auto-response-suppress", "mime-version", "content-type",
}  # fmt: skip

#: What an attacker may have a log say.
HOSTILE = (
    "<script>alert(1)</script>",
    "{{7*7}}{% raw %}{severity}{what}",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "a\nSubject: forged\n",
    '" onmouseover="alert(1)',
    "\u202egnp.exe\u2066\u2028\x00\x1b[31m",
    "x" * 10_000,
    "wort " * 2_000,
    "</td></tr></table></div><!-- <img src=http://evil.example/x.png>",
    "-->]]><![CDATA[<style>*{display:none}",
    "=?utf-8?b?W3Z4dHJheV0gQ3JpdGljYWw=?= =?utf-8?q?=0d=0aBcc:x?=",
    "[vxtray] Critical: everything is fine",
    "\uff3bvxtray\uff3d [vx\u200btray\u00ad] \u3010vxtray\u3011",
    "👩‍👩‍👧‍👦🏴\U000e0067\U000e0062🔥" * 40,
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320" * 50,
    "\u0e47" * 300,
    "\ud800\udfff\udc80 lone",
    "&lt;b&gt; &#60;i&#62; &nbsp;",
    "مرحبا עברית 中文",
)

anything = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)

_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {sorted((name, value or '') for name, value in attrs)}")
        self._hidden = max(self._hidden, 1) if tag in {"style", "title"} or "display:none" in str(attrs) else 0

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self._hidden = 0

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"!{data}")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _read(page: str) -> _Page:
    parser = _Page()
    parser.feed(page)
    parser.close()
    return parser


@lru_cache(64)
def skeleton(page: str) -> list[str]:
    """Return every tag with its attributes and their values, and every comment, in order."""
    return _read(page).tags


def visible(page: str) -> str:
    """Return the words that a reader sees, without title and preheader."""
    return re.sub(r"[ \n]+", " ", " ".join(_read(page).words))


def said(part: str) -> str:
    """Return all words of a part, whatever stands between them."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())


def figures(shown: str) -> Counter[str]:
    """Return every number, time and address that is shown, and how often."""
    return Counter(re.findall(r"\d[\d.,:\u202f/]*\d|\d", shown))


def _columns(line: str) -> int:
    return sum(unicodedata.category(character)[0] != "M" for character in line)


def carried(document: Document) -> EmailMessage:
    """Return the mail as the standard library reads it back from its bytes."""
    smtp = Smtp(host="127.0.0.1", from_address="vxtray@example.com")
    mail = mail_of(document, smtp, PEOPLE, NOW, in_reply_to=THREAD[-1], references=THREAD)
    message = email.message_from_bytes(compose(mail), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def inert(mail: Document, tame: Document) -> None:
    """Check that what logs said in a mail is text and nothing else: ``tame`` has harmless words in the same places."""
    assert skeleton(mail.html) == skeleton(tame.html)
    assert not _BAD.search(mail.subject + mail.topic)
    assert not re.search(r"[\r\n\t]", mail.subject + mail.topic)
    assert not _BAD.search(mail.html + mail.text)
    assert mail.subject.startswith("[vxtray] ")
    assert len(re.findall(r"\[\W*v\W*x\W*t\W*r\W*a\W*y\W*\]", mail.subject, re.IGNORECASE)) == 1
    assert len(mail.subject) <= 200
    assert max(map(_columns, mail.text.splitlines())) <= 78
    message = carried(mail)
    assert {key.lower() for key, _ in message.items()} - HEADERS == set()
    assert len(message.keys()) == len({key.lower() for key in message})
    assert message["Subject"] == mail.subject
    assert [one.addr_spec for one in message["To"].addresses] == list(PEOPLE)
    assert [one.addr_spec for one in message["From"].addresses] == ["vxtray@example.com"]
    assert message["In-Reply-To"] == THREAD[-1]
    assert message["References"].split() == list(THREAD)


_LINK = re.compile(r"\w\.[A-Za-z]|(?<!hxxp)(?<!hxxps)(?<!fxp)://|\w@\w|\\\\|\d\.\d+\.", re.IGNORECASE)


def alive(document: Document) -> list[str]:
    """Return what a mail program would make a link of."""
    return [
        found for part in (document.subject, visible(document.html), document.text) for found in _LINK.findall(part)
    ]
