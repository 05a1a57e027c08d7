"""Colours by purpose, for light and dark and from the system's palette, and how well they are told apart. Pure."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PySide6.QtGui import QPalette


class Tokens(NamedTuple):
    """Colours by purpose, each ``#rrggbb``. ``x_soft`` is the ground on which ``x`` is written."""

    accent: str
    accent_soft: str
    accent_hover: str
    on_accent: str
    good: str
    good_soft: str
    warning: str
    warning_soft: str
    danger: str
    danger_soft: str
    on_danger: str
    text: str
    secondary: str
    window: str
    sidebar: str
    card: str
    line: str
    hover: str
    button_line: str  # only an ornament: a button is known by its words
    control: str  # outlines of fields, and toggles that are off

    @classmethod
    def from_palette(cls, palette: "QPalette") -> "Tokens":
        """Return the system's own colours, for high contrast: no soft tones, every line at full strength."""
        from PySide6.QtGui import QPalette

        role = QPalette.ColorRole
        wanted = (role.Text, role.Base, role.Highlight, role.HighlightedText, role.Window, role.WindowText)
        text, base, accent, on_accent, window, window_text = (palette.color(which).name() for which in wanted)
        return cls(
            accent=accent,
            accent_soft=base,
            accent_hover=accent,
            on_accent=on_accent,
            good=text,
            good_soft=base,
            warning=text,
            warning_soft=base,
            danger=text,
            danger_soft=base,
            on_danger=base,
            text=window_text,
            secondary=window_text,
            window=window,
            sidebar=window,
            card=base,
            line=window_text,
            hover=base,
            button_line=window_text,
            control=window_text,
        )


LIGHT = Tokens(
    accent="#0b5fa5",
    accent_soft="#cfe0ef",
    accent_hover="#094f8a",
    on_accent="#ffffff",
    good="#146c43",
    good_soft="#e3f4ea",
    warning="#8a5a00",
    warning_soft="#fff1d6",
    danger="#b3261e",
    danger_soft="#fde7e5",
    on_danger="#ffffff",
    text="#1b2430",
    secondary="#5d6a79",
    window="#f5f7f9",
    sidebar="#ecf0f3",
    card="#ffffff",
    line="#e1e6eb",
    hover="#f0f4f8",
    button_line="#c3ccd5",
    control="#87929e",
)

DARK = Tokens(
    accent="#6cb2f0",
    accent_soft="#24405a",
    accent_hover="#8ec5f5",
    on_accent="#0f1a24",
    good="#7bd3a4",
    good_soft="#143626",
    warning="#f0c26a",
    warning_soft="#3d2e0c",
    danger="#ff9a92",
    danger_soft="#45191a",
    on_danger="#2a0d0c",
    text="#e7ecf1",
    secondary="#a3afbc",
    window="#171c22",
    sidebar="#12171c",
    card="#1f262e",
    line="#303a45",
    hover="#28313b",
    button_line="#47535f",
    control="#717e8c",
)

#: (foreground, background, least contrast): WCAG 2.2 AA, 4.5 for text (1.4.3) and 3 for parts of controls (1.4.11).
PAIRS: tuple[tuple[str, str, float], ...] = (
    *((ink, ground, 4.5) for ink in ("text", "secondary", "accent") for ground in ("window", "card", "hover")),
    *((ink, "sidebar", 4.5) for ink in ("text", "secondary")),
    *((ink, ground, 4.5) for ink in ("good", "warning", "danger") for ground in ("window", "card")),
    *((ink, f"{ink}_soft", 4.5) for ink in ("accent", "good", "warning", "danger")),
    *(("text", f"{kind}_soft", 4.5) for kind in ("accent", "good", "warning", "danger")),
    ("on_accent", "accent", 4.5),
    ("on_accent", "accent_hover", 4.5),
    ("on_danger", "danger", 4.5),
    ("control", "card", 3.0),
)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two ``#rrggbb`` colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
