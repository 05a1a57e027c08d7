"""The window's own controls, made once and used by every page. GUI thread only.

They hold no words of their own: every text comes in already translated, and is shown as plain text.
"""

from vxtray.gui.widgets.access import label_for, read_in_order
from vxtray.gui.widgets.arranged import Beside, FlowRow, Tiles
from vxtray.gui.widgets.bars import Bar, Bars, Sample
from vxtray.gui.widgets.buttons import Button, button, link_button, primary_button
from vxtray.gui.widgets.card import Card, EmptyState, Figure, separator
from vxtray.gui.widgets.facts import Facts, align_facts
from vxtray.gui.widgets.fields import ChoiceField, MomentField, NumberField, TimeField, mark
from vxtray.gui.widgets.labels import PlainLabel, plain_label
from vxtray.gui.widgets.page import Page, PageHeading
from vxtray.gui.widgets.scrolling import scrolled
from vxtray.gui.widgets.status import Banner, Kind, Pill, QuietNote
from vxtray.gui.widgets.toggle import Toggle, ToggleRow

__all__ = [
    "Banner",
    "Bar",
    "Bars",
    "Beside",
    "Button",
    "Card",
    "ChoiceField",
    "EmptyState",
    "Facts",
    "Figure",
    "FlowRow",
    "Kind",
    "MomentField",
    "NumberField",
    "Page",
    "PageHeading",
    "Pill",
    "PlainLabel",
    "QuietNote",
    "Sample",
    "Tiles",
    "TimeField",
    "Toggle",
    "ToggleRow",
    "align_facts",
    "button",
    "label_for",
    "link_button",
    "mark",
    "plain_label",
    "primary_button",
    "read_in_order",
    "scrolled",
    "separator",
]
