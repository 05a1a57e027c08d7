"""What a row of the table is made of: how a reply is recognised, and what it means.

Pure data, any thread. A row holds plain phrases and no patterns, so that matching takes a time in proportion to the
text, whatever a server says.
"""

from datetime import timedelta

import msgspec

from vxtray.core import texts
from vxtray.core.mail.faults import Kind, Scope, Stage

#: Waits until another try makes sense (Microsoft "SMTP submission improvements": three connections, 30 mails a minute,
#: quotas over a sliding day, of which a part is free again each hour).
A_MOMENT = timedelta(seconds=10)
A_MINUTE = timedelta(minutes=1)
A_WHILE = timedelta(minutes=5)
A_QUARTER = timedelta(minutes=15)
HALF_AN_HOUR = timedelta(minutes=30)
AN_HOUR = timedelta(hours=1)


class Explanation(msgspec.Struct, frozen=True):
    """A server's answer in words. ``title`` and ``advice`` are message ids without values.

    ``scope`` says what the answer is about; ``wait`` how long to leave that alone (None: as long as usual); ``sign_in``
    that signing in with the provider (OAuth) is a remedy; ``asks`` (message ids) what the administrator should look at.
    """

    title: str
    advice: str
    kind: Kind
    scope: Scope
    wait: timedelta | None = None
    sign_in: bool = False
    asks: tuple[str, ...] = ()

    @property
    def admin_note(self) -> bool:
        """True where a note for the mail administrator helps."""
        return self.kind is Kind.ADMIN or bool(self.asks)

    def in_language(self, language: str) -> str:
        """Return what happened and what to do, in one line."""
        return f"{texts.translate(self.title, language)} {texts.translate(self.advice, language)}"


class Said(msgspec.Struct, frozen=True):
    """A reply made ready for comparing. ``text`` is in lower case, on one line; ``enhanced`` may be empty."""

    code: int
    enhanced: str
    text: str
    stage: Stage

    @property
    def lasting(self) -> bool:
        """True for a permanent refusal; the enhanced code decides over the basic one."""
        return self.enhanced.startswith("5.") if self.enhanced else self.code // 100 == 5


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One known reply: everything that is given must fit.

    ``enhanced`` holds whole codes or ``x.1.1`` for 4.1.1 and 5.1.1; one phrase each of ``says`` and ``and_says`` must
    occur. A temporary reply stays temporary whatever the row says, unless it is ``firm``: the server's class is wrong.
    """

    codes: tuple[int, ...] = ()
    enhanced: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    and_says: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    lasting: bool | None = None
    firm: bool = False
    means: Explanation

    def fits(self, said: Said) -> bool:
        """Return whether this row is about that reply."""
        return (
            (not self.codes or said.code in self.codes)
            and (not self.enhanced or said.enhanced in self.enhanced or f"x{said.enhanced[1:]}" in self.enhanced)
            and (not self.stages or said.stage in self.stages)
            and (self.lasting is None or said.lasting is self.lasting)
            and _occurs(self.says, said.text)
            and _occurs(self.and_says, said.text)
        )


def _occurs(phrases: tuple[str, ...], text: str) -> bool:
    return not phrases or any(phrase in text for phrase in phrases)
