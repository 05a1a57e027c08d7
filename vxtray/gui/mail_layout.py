"""A mail's HTML as Qt lays it out well and fast. Pure, any thread.

Mails stand in tables within tables, for the sake of Outlook. Qt's rich text measures each of them several times for
every table around it (a tenth of a second for a report), and does not know ``inline-block``, so that figures that stand
beside each other in a mail would stand among each other. Tables that are nothing but a frame are taken away here, and
what stands side by side becomes a table row. See https://doc.qt.io/qt-6/richtext-html-subset.html.
"""

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import msgspec

from vxtray.core.mail.opened import OpenedMail

_EMPTY = frozenset({"br", "hr", "img", "col", "wbr"})
_SIDE_BY_SIDE = re.compile(r"display\s*:\s*inline-block", re.IGNORECASE)
#: Frames have it at their sides; the page itself has a margin instead.
_PADDING = re.compile(r"padding(-left|-right)?\s*:[^;]*;?", re.IGNORECASE)
#: Deeper than any mail; what is deeper stays as it is.
_DEEPEST = 150


class _Node:
    """An element with what is in it; ``tag`` is empty for the whole."""

    __slots__ = ("attributes", "inside", "tag")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.inside: list[_Node | str] = []

    def elements(self, *tags: str) -> "list[_Node]":
        """Return the elements right in it, those of some kinds."""
        return [one for one in self.inside if isinstance(one, _Node) and one.tag in tags]

    def holds(self, tag: str) -> bool:
        """Return whether such an element is anywhere in it."""
        return any(isinstance(one, _Node) and (one.tag == tag or one.holds(tag)) for one in self.inside)


class _TooDeep(Exception):
    pass


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [_Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = _Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in _EMPTY:
            self.open.append(node)
            if len(self.open) > _DEEPEST:
                raise _TooDeep

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self.open) - 1, 0, -1):
            if self.open[at].tag == tag:
                del self.open[at:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def laid_out(mail: OpenedMail) -> OpenedMail:
    """Return a mail whose HTML says the same to Qt, with fewer tables."""
    reader = _Reader()
    try:
        reader.feed(mail.html)
        reader.close()
    except _TooDeep:
        return mail
    return msgspec.structs.replace(mail, html="".join(_written(_unframed(reader.open[0]))))


def _unframed(node: _Node) -> _Node:
    made = _Node(node.tag, {} if node.tag == "body" else node.attributes)  # the colour around the card
    beside: list[_Node] = []
    for one in node.inside:
        if isinstance(one, str):
            if beside and not one.strip():
                continue
            _put_row(made, beside)
            made.inside.append(one)
        elif one.tag in {"div", "span"} and _SIDE_BY_SIDE.search(one.attributes.get("style", "")):
            beside.append(_unframed(one))
        else:
            _put_row(made, beside)
            made.inside += _frame(one) if _is_frame(one) else [_unframed(one)]
    _put_row(made, beside)
    return made


def _is_frame(node: _Node) -> bool:
    """Return whether it is a table of one column with other tables in it."""
    rows = _rows(node)
    return node.tag == "table" and node.holds("table") and all(len(row.elements("td", "th")) == 1 for row in rows)


def _frame(table: _Node) -> "list[_Node | str]":
    """Return what stands in a frame, each cell as a part of its own."""
    parts: list[_Node | str] = []
    for row in _rows(table):
        for cell in row.elements("td", "th"):
            style = _PADDING.sub("", cell.attributes.get("style", ""))
            part = _Node("div", {"style": style, **_kept(cell, "align")})
            part.inside = _unframed(cell).inside
            parts += [part, _gap()]
    return parts


def _gap() -> _Node:
    gap = _Node("div", {"style": "font-size:6px"})
    gap.inside.append("\N{NO-BREAK SPACE}")
    return gap


def _rows(table: _Node) -> list[_Node]:
    parts = table.elements("tbody", "thead", "tfoot")
    return [*table.elements("tr"), *(row for part in parts for row in part.elements("tr"))]


def _put_row(into: _Node, beside: list[_Node]) -> None:
    """Put what stands side by side into a row of cells, once there is no more of it."""
    if not beside:
        return
    table, row = _Node("table", {"width": "100%", "cellspacing": "0", "cellpadding": "0"}), _Node("tr", {})
    share = f"{100 // len(beside)}%"
    for one in beside:
        cell = _Node("td", {"valign": "top", "width": share, "style": one.attributes.get("style", "")})
        cell.inside = one.inside
        row.inside.append(cell)
    table.inside.append(row)
    into.inside.append(table)
    beside.clear()


def _kept(node: _Node, *names: str) -> dict[str, str]:
    return {name: node.attributes[name] for name in names if name in node.attributes}


def _written(node: _Node) -> Iterator[str]:
    if node.tag:
        attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in node.attributes.items())
        yield f"<{node.tag}{attributes}>"
    for one in node.inside:
        if isinstance(one, str):
            yield html.escape(one)
        else:
            yield from _written(one)
    if node.tag and node.tag not in _EMPTY:
        yield f"</{node.tag}>"
