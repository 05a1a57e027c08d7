"""The pages of the window by their keys, each imported and made when it is first asked for. GUI thread only.

What a page shows it asks for when it comes into sight, so it is the same whether it was made early or late.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping

from vxtray.gui.actions import Actions
from vxtray.gui.at_login import AtLogin
from vxtray.gui.context import Context
from vxtray.gui.widgets import Page

#: In the order in which they stand in the sidebar.
KEYS = ("overview", "alerts", "reports", "events", "sources", "mail_server", "history", "settings", "help")


class Pages(Mapping[str, Page]):
    """All of them by key; to ask for one makes it. ``made`` are those that are there."""

    def __init__(
        self,
        context: Context,
        actions: Actions,
        at_login: AtLogin,
        in_tray: Callable[[], bool],
        placed: Callable[[str, Page], None],
    ) -> None:
        """``placed`` is called once with each page that was made, and gives it its place."""
        self._context, self._actions, self._at_login, self._in_tray = context, actions, at_login, in_tray
        self._placed = placed
        self.made: dict[str, Page] = {}

    def __getitem__(self, key: str) -> Page:
        """Return a page; KeyError where there is none of that key."""
        if key not in self.made:
            page = self.made[key] = self._make(key)
            self._placed(key, page)
        return self.made[key]

    def __iter__(self) -> Iterator[str]:
        """Go through the keys, which makes no page."""
        return iter(KEYS)

    def __len__(self) -> int:
        """Return how many there can be."""
        return len(KEYS)

    def __contains__(self, key: object) -> bool:
        """Return whether there can be one of that key, which makes none."""
        return key in KEYS

    def _make(self, key: str) -> Page:
        context, actions = self._context, self._actions
        match key:
            case "overview":
                from vxtray.gui.pages.overview import OverviewPage

                return OverviewPage(context, actions, self._in_tray)
            case "alerts":
                from vxtray.gui.pages.alerts import AlertsPage

                return AlertsPage(context, actions)
            case "reports":
                from vxtray.gui.pages.reports import ReportsPage

                return ReportsPage(context)
            case "events":
                from vxtray.gui.pages.events import EventsPage

                return EventsPage(context, actions)
            case "sources":
                from vxtray.gui.pages.sources import SourcesPage

                return SourcesPage(context, actions)
            case "mail_server":
                from vxtray.gui.pages.mail_server import MailServerPage

                return MailServerPage(context, actions)
            case "history":
                from vxtray.gui.pages.history import HistoryPage

                return HistoryPage(context, actions)
            case "settings":
                from vxtray.gui.pages.settings import SettingsPage

                return SettingsPage(context, self._at_login)
            case "help":
                from vxtray.gui.pages.help import HelpPage

                return HelpPage(context, actions)
        raise KeyError(key)


def load_all() -> None:
    """Import what all pages need, so that making one takes little. Any thread."""
    for key in KEYS:
        importlib.import_module(f"vxtray.gui.pages.{key}")
