"""Starting with the session: the switch, whether it worked at the last login, and where the system differs.

GUI thread only; how it stands is read on ``vx-read``.
"""

from datetime import datetime
from typing import NamedTuple

from vxtray.core import texts
from vxtray.core.autostart import Proof, Standing, State
from vxtray.core.errors import VxtrayError
from vxtray.core.texts import _
from vxtray.gui.at_login import AtLogin
from vxtray.gui.bindings import bind_row
from vxtray.gui.context import Context
from vxtray.gui.pages.settings_rows import Saved
from vxtray.gui.trouble import words
from vxtray.gui.widgets import Banner, Card, Kind, ToggleRow


class Difference(NamedTuple):
    """Where the system is not as wished: what is so, and the button that settles it, "" where none can."""

    kind: Kind
    text: str
    action: str = ""


class LoginCard(Card):
    """The switch, and beneath it what a person should know."""

    def __init__(self, context: Context, at_login: AtLogin, saved: Saved) -> None:
        super().__init__(_("At login"))
        self._context = context
        self._at_login = at_login
        self._saved = saved
        self._refused: VxtrayError | None = None
        self.row = ToggleRow(_("Start with the session"), proof_words(None))
        self.row.toggle.setObjectName("general.autostart")
        self.difference = Banner(Kind.INFO, "")
        self.difference.hide()
        self.difference.activated.connect(self._settle)
        # connected first: when the switch is told of its save, it is known whether the system took it
        at_login.refused.connect(self._refuse)
        at_login.changed.connect(self.refresh)
        bind_row(self.row, context.model, "general.autostart", self._told)
        self.add_row(self.row)
        self.add(self.difference)

    def refresh(self) -> None:
        """Look how it stands."""
        self._context.bridge.run(
            self._at_login.autostart.standing, self._show, self._refuse_quietly, owner=self, quick=True
        )

    def _show(self, standing: Standing) -> None:
        wish = self._context.model.current.general.autostart
        self.row.set_text(proof_words(standing if wish else None))
        if self._refused is not None:
            self.row.show_trouble(words(self._refused))
        found = difference_words(standing, wish=wish)
        if found is not None:
            self.difference.show_message(*found)
        self.difference.setVisible(found is not None)

    def _settle(self) -> None:
        self._refused = None
        self._at_login.again()
        if self._refused is None:
            self._told(None)

    def _refuse(self, error: VxtrayError) -> None:
        self._refused = error
        self.row.show_trouble(words(error))

    def _refuse_quietly(self, error: Exception) -> None:
        self.row.show_trouble(words(error))

    def _told(self, error: VxtrayError | None) -> None:
        """Confirm, unless the system refused what the settings file took."""
        if error is None and self._refused is not None:
            self.row.show_trouble(words(self._refused))
            self._refused = None
            return
        self._saved(error)


def proof_words(standing: Standing | None) -> str:
    """Return what the switch does, and whether it worked; None where it is off."""
    said = [_("vxtray starts hidden in the tray when you log in.")]
    if standing is not None and standing.proof is Proof.WORKED and standing.started_at is not None:
        said.append(_("It worked at the last login: {moment}.", moment=_moment(standing.started_at)))
    elif standing is not None and standing.proof is Proof.PENDING:
        said.append(_("Your next login will show whether it works."))
    return " ".join(said)


def _moment(at: datetime) -> str:
    language, local = texts.current(), at.astimezone()
    return f"{texts.format_date(local.date(), language, 'd MMMM yyyy')}, {texts.format_time(local, language)}"


def difference_words(standing: Standing, *, wish: bool) -> Difference | None:
    """Return where the system differs from the wish, None where it does not."""
    if not wish:
        if standing.state in (State.ON, State.OTHER):
            said = _(
                "It starts with the session all the same: somebody else made an entry, {place}.", **_place(standing)
            )
            return Difference(Kind.INFO, said, _("Remove the entry"))
        return None
    if standing.state is State.ON:
        if standing.proof is not Proof.FAILED:
            return None
        said = _("It did not start at your last login, though the entry is there: {place}.", **_place(standing))
        return Difference(Kind.WARNING, said, _("Write the entry anew"))
    return _not_on(standing)


def _not_on(standing: Standing) -> Difference:
    again = _("Start with the session again")
    if standing.state is State.DISABLED:
        if standing.can_override:
            return Difference(Kind.INFO, _("It was switched off in the settings of your desktop. That holds."), again)
        said = _("It was switched off in the settings of your system. That holds; only there can it be switched on.")
        return Difference(Kind.INFO, said)
    if standing.state is State.MISSING:
        said = _("What the entry starts is not there any more: {program}.", program=standing.program or "?")
        return Difference(Kind.WARNING, said, _("Mend the entry"))
    if standing.state is State.OTHER:
        said = _("The entry starts another copy: {program}.", program=standing.program)
        return Difference(Kind.WARNING, said, _("Start this copy instead"))
    return Difference(Kind.INFO, _("The entry was taken away outside of vxtray. That holds."), again)


def _place(standing: Standing) -> dict[str, str]:
    return {"place": standing.place}
