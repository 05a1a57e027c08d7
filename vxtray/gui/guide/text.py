"""One page of the guide as rich text: Markdown drawn by Qt, in the colours and sizes of the window. GUI thread only.

Nothing is loaded from anywhere but the guide's own folder. Qt draws Markdown plainly; ``_Dress`` gives headings, code,
tables and pictures the window's look afterwards, since a style sheet only reaches HTML.
"""

from typing import Any

from PySide6.QtCore import QByteArray, QEvent, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QDesktopServices,
    QFont,
    QFontDatabase,
    QImage,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from vxtray.core import guide, texts
from vxtray.core.guide import GuidePage
from vxtray.core.paths import resource
from vxtray.gui.theme import BODY, theme

_WIDEST = 720
_MARGIN = 14
#: Letters of a word that is marked where it was searched for, unless there are only shorter ones.
_TELLING = 3
_LINE = 138  # per cent of the font's own line height
#: px at scale 1 by level of heading, and the room above it.
_HEADINGS = {1: (22, 4), 2: (17, 20), 3: (14, 14), 4: (13, 10)}
_FEATURES = QTextDocument.MarkdownFeature.MarkdownDialectGitHub | QTextDocument.MarkdownFeature.MarkdownNoHTML
_PROPORTIONAL = QTextBlockFormat.LineHeightTypes.ProportionalHeight.value


class GuideText(QTextBrowser):
    """Shows a page of the guide.

    Signals: ``link_wanted(page, anchor)`` where a link leads to another place of the guide; ``anchor`` is that of the
    language shown.
    """

    link_wanted = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.page: GuidePage | None = None
        self._anchors: dict[str, int] = {}
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.document().setDocumentMargin(_MARGIN)
        self.anchorClicked.connect(self._follow)
        theme().changed.connect(self._draw)

    def show_page(self, page: GuidePage) -> None:
        """Show a page from its beginning."""
        self.page = page
        self._draw()
        self.verticalScrollBar().setValue(0)

    def go_to(self, anchor: str) -> None:
        """Bring a heading to the top; an empty or unknown anchor is the beginning."""
        position = self._anchors.get(anchor, 0)
        self._bring_up(position)

    def mark(self, words: str, anchor: str = "") -> None:
        """Mark every occurrence of each word but the shortest, and bring the first from a heading on into sight."""
        begin, end = self._span(anchor)
        every = words.split()
        telling = [word for word in every if len(word) >= _TELLING] or every
        found = [cursor for word in telling for cursor in self._occurrences(word)]
        self.setExtraSelections([_marked(cursor) for cursor in found])
        near = sorted(c.selectionStart() for c in found if begin <= c.selectionStart() < end)
        top = self._block_top(begin)
        if near and self._block_top(near[0]) - top > self.viewport().height() * 0.7:
            self._bring_up(near[0])

    def anchors(self) -> tuple[str, ...]:
        """Return the headings that can be gone to, in order."""
        return tuple(self._anchors)

    def _span(self, anchor: str) -> tuple[int, int]:
        begin = self._anchors.get(anchor, 0)
        later = [position for position in self._anchors.values() if position > begin]
        return begin, min(later, default=self.document().characterCount())

    def _occurrences(self, word: str) -> list[QTextCursor]:
        """Return where a word stands, without regard to case and accents."""
        wanted = guide.folded(word)
        found = []
        block = self.document().begin()
        while block.isValid():
            plain, at = _folded_in_step(block.text()), 0
            while wanted and (at := plain.find(wanted, at)) >= 0:
                cursor = QTextCursor(block)
                cursor.setPosition(block.position() + at)
                cursor.setPosition(block.position() + at + len(wanted), QTextCursor.MoveMode.KeepAnchor)
                found.append(cursor)
                at += len(wanted)
            block = block.next()
        return found

    def _block_top(self, position: int) -> float:
        block = self.document().findBlock(position)
        return self.document().documentLayout().blockBoundingRect(block).top()

    def _bring_up(self, position: int) -> None:
        self.moveCursor(QTextCursor.MoveOperation.Start)
        top = self._block_top(position) - theme().px(8) if position else 0.0
        self.verticalScrollBar().setValue(round(max(top, 0.0)))

    def _draw(self) -> None:
        if self.page is None:
            return
        at = self.verticalScrollBar().value()
        self.setExtraSelections([])
        document = self.document()
        document.setMarkdown(self.page.markdown, _FEATURES)
        self._anchors = _Dress(document).dress([one.anchor for one in self.page.sections])
        fit_pictures(document, self._text_width(), self.devicePixelRatioF())
        self.setAccessibleName(self.page.title)
        self.verticalScrollBar().setValue(at)

    def _text_width(self) -> int:
        bar = self.verticalScrollBar().sizeHint().width()
        return max(160, min(self.width() - bar, theme().px(_WIDEST)) - 2 * _MARGIN - 8)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep lines readable in a wide window, and pictures within a narrow one."""
        spare = max(0, self.width() - self.verticalScrollBar().sizeHint().width() - theme().px(_WIDEST))
        self.setViewportMargins(spare // 2, 0, spare - spare // 2, 0)
        super().resizeEvent(event)
        fit_pictures(self.document(), self._text_width(), self.devicePixelRatioF())

    def changeEvent(self, event: QEvent) -> None:
        """Draw in the new size of the font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._draw()

    def _follow(self, url: QUrl) -> None:
        if url.scheme() in {"http", "https"}:
            QDesktopServices.openUrl(url)
            return
        name = url.path().removesuffix(".md") or (self.page.name if self.page else "")
        self.link_wanted.emit(name, url.fragment(QUrl.ComponentFormattingOption.FullyDecoded))

    def loadResource(self, kind: int, name: QUrl | str) -> Any:
        """Return a picture of the guide; for all else something empty, since Qt would look elsewhere for no answer."""
        if kind != QTextDocument.ResourceType.ImageResource.value:
            return QByteArray()
        picture = QImage()
        file = QUrl(name).fileName()
        if file:
            picture = _picture(file)
        return picture


def _picture(file: str) -> QImage:
    for folder in (f"docs/{texts.current()}/images", "docs/en/images"):
        try:
            return QImage(str(resource(f"{folder}/{file}")))
        except FileNotFoundError:
            continue
    return QImage()


def fit_pictures(document: QTextDocument, width: int, ratio: float) -> None:
    """Make no picture wider than the text (px), and none larger than it is; ``ratio`` is that of the screen's pixels.

    Each is scaled here: the document would draw it without smoothing.
    """
    block = document.begin()
    while block.isValid():
        for start, length, shape in _fragments(block):
            if not shape.isImageFormat():
                continue
            picture = shape.toImageFormat()
            natural = _picture(QUrl(picture.name()).fileName())
            wanted = min(width, natural.width())
            if natural.isNull() or round(picture.width()) == wanted:
                continue
            scaled = natural.scaledToWidth(round(wanted * ratio), Qt.TransformationMode.SmoothTransformation)
            scaled.setDevicePixelRatio(ratio)
            document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(picture.name()), scaled)
            picture.setWidth(wanted)
            picture.setHeight(natural.height() * wanted / natural.width())
            cursor = QTextCursor(block)
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.setCharFormat(picture)
        block = block.next()


def _fragments(block: QTextBlock) -> list[tuple[int, int, QTextCharFormat]]:
    """Return the pieces of a block: position, length and format."""
    found = []
    at = block.begin()
    while not at.atEnd():
        piece = at.fragment()
        if piece.isValid():
            found.append((piece.position(), piece.length(), piece.charFormat()))
        at += 1  # Qt's own iterator
    return found


def _marked(cursor: QTextCursor) -> QTextEdit.ExtraSelection:
    mark = QTextEdit.ExtraSelection()
    mark.cursor = cursor
    mark.format.setBackground(theme().colour("warning_soft"))
    mark.format.setForeground(theme().colour("warning"))
    return mark


def _folded_in_step(text: str) -> str:
    """Return a text folded for comparing, each sign in its own place."""
    return "".join((guide.folded(sign) or " ")[:1] for sign in text)


def _is_code(block: QTextBlock) -> bool:
    shape = block.blockFormat()
    marks = (QTextFormat.Property.BlockCodeFence, QTextFormat.Property.BlockCodeLanguage)
    return block.isValid() and any(shape.hasProperty(mark) for mark in marks)


class _Dress:
    """Gives a document that was made from Markdown the look of the window."""

    def __init__(self, document: QTextDocument) -> None:
        self._document = document
        self._mono = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()

    def dress(self, anchors: list[str]) -> dict[str, int]:
        """Do it, and return where the headings are, by their anchors."""
        self._document.setIndentWidth(theme().px(22))
        self._tables()
        places = {}
        waiting = list(anchors)
        block = self._document.begin()
        while block.isValid():
            level = block.blockFormat().headingLevel()
            if level and waiting:
                places[waiting.pop(0)] = block.position()
            self._dress_block(block, level)
            block = block.next()
        return places

    def _dress_block(self, block: QTextBlock, level: int) -> None:
        px = theme().px
        shape = block.blockFormat()
        cursor = QTextCursor(block)
        code = _is_code(block)
        in_table = cursor.currentTable() is not None
        if code:
            shape.setNonBreakableLines(False)
            shape.setBackground(theme().colour("window"))
            shape.setLeftMargin(px(8))
            shape.setTopMargin(0)
            shape.setBottomMargin(0 if _is_code(block.next()) else px(8))
        elif level:
            _size, above = _HEADINGS.get(level, _HEADINGS[4])
            shape.setTopMargin(px(above))
            shape.setBottomMargin(px(4))
        elif in_table:
            shape.setTopMargin(0)
            shape.setBottomMargin(0)
        else:
            listed = block.textList() is not None
            shape.setTopMargin(px(2) if listed else px(4))
            shape.setBottomMargin(px(2) if listed else px(6))
        pictures = any(one.isImageFormat() for _start, _length, one in _fragments(block))
        if not (code or pictures):  # else the ground would show through, or a gap beneath the picture
            shape.setLineHeight(_LINE, _PROPORTIONAL)
        cursor.setBlockFormat(shape)
        self._dress_pieces(block, level, code=code)

    def _dress_pieces(self, block: QTextBlock, level: int, *, code: bool) -> None:
        for start, length, shape in _fragments(block):
            if shape.isImageFormat():
                continue
            cursor = QTextCursor(block)
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            look = shape
            if level:
                look.clearProperty(QTextFormat.Property.FontSizeAdjustment)
                look.setProperty(QTextFormat.Property.FontPixelSize, theme().px(_HEADINGS.get(level, _HEADINGS[4])[0]))
                look.setFontWeight(QFont.Weight.DemiBold)
            elif code or shape.fontFixedPitch():
                look.setFontFamilies([self._mono])
                look.setProperty(QTextFormat.Property.FontPixelSize, theme().px(BODY - 1))
                if not code:
                    look.setBackground(theme().colour("window"))
            elif shape.fontItalic():  # the text of a control
                look.setFontItalic(False)
                look.setFontWeight(QFont.Weight.DemiBold)
            if shape.isAnchor():
                look.setForeground(theme().colour("accent"))
                look.setFontUnderline(True)
            cursor.setCharFormat(look)

    def _tables(self) -> None:
        px = theme().px
        for frame in self._document.rootFrame().childFrames():
            if not isinstance(frame, QTextTable):
                continue
            shape = frame.format()
            shape.setBorderCollapse(True)
            shape.setBorder(1)
            shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
            shape.setBorderBrush(QColor(theme().colour("line")))
            shape.setCellPadding(px(5))
            shape.setCellSpacing(0)
            shape.setTopMargin(px(6))
            shape.setBottomMargin(px(10))
            shape.setWidth(QTextLength(QTextLength.Type.PercentageLength, 100))
            shape.setAlignment(Qt.AlignmentFlag.AlignLeft)
            frame.setFormat(shape)
