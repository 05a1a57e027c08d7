"""What ModSecurity and Coraza say of a rule that matched, and the event that the matches of one request make.

Pure functions, any thread. The wording is the same in audit logs (``Message: ...``) and in the error logs of Apache and
nginx: a verdict (``Warning.``, ``Access denied with code 403 (phase 2).``), what matched, and ``[name "value"]`` parts,
whose order varies. Sources: "ModSecurity 2 Data Formats", ModSecurity 3 (``rule_message.cc``), OWASP Core Rule Set.
"""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec

from vxtray.core.events import Action, Category, SecurityEvent, Severity
from vxtray.core.parsers import severity
from vxtray.core.parsers.fields import MAX_MESSAGE, MAX_NAME, MAX_URL, printable

SOURCE = "modsecurity"

#: More matches of one request are not looked at; the strongest and the total score come among the first.
MAX_MATCHES = 500

_PART = re.compile(
    r'\[(id|msg|severity|data|hostname|uri|client|file|line|ver|tag|rev|unique_id|ref|maturity|accuracy) "'
)
_READ = frozenset({"id", "msg", "severity", "data", "hostname", "uri", "client"})
_SCORE = re.compile(
    r"Total (?:Inbound |Outbound )?Score: ?(\d{1,6})|(?:Inbound|Outbound) Scores: blocking=(\d{1,6})"
    r"|ANOMALY_SCORE' \(Value: `(\d{1,6})'",
    re.ASCII,
)
_VERDICT = re.compile(r"(?:ModSecurity|Coraza): ?")
#: Coraza also says dropped and redirected.
_DENIED = re.compile(r"Access (?:denied|dropped|redirected)\b(?:[^.]{0,80}\.(?: |\Z))?")
_WARNING = re.compile(r"Warning\. ?")

#: Beginnings of messages that are about no attack.
_NO_MATCH = ("Rule ", "Access allowed", "Access to phase allowed")

_WORDS = {
    **{
        word: severity.WORDS[word] for word in ("emergency", "alert", "critical", "error", "warning", "notice", "debug")
    },
    "info": Severity.INFO,
}


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that matched. ``words`` say what matched where; ``severity`` is None where the rule has none."""

    rule_id: str = ""
    name: str = ""
    words: str = ""
    severity: Severity | None = None
    denied: bool = False
    score: int | None = None
    host: str = ""
    url: str = ""
    client: str = ""

    @property
    def weighs(self) -> bool:
        """True for a rule that only adds up what others found, and says the score."""
        return self.rule_id.startswith(("949", "959", "980")) or self.rule_id in _OLD_WEIGHING


#: The same in version 2 of the Core Rule Set.
_OLD_WEIGHING = frozenset({"981174", "981175", "981176", *(f"98120{n}" for n in range(6))})


def rule_severity(text: str) -> Severity | None:
    """Return what a rule's severity means, a digit (nginx, JSON) or a word (Apache); None for none."""
    return severity.DIGITS.get(text) or _WORDS.get(text.lower())


def score_of(text: str) -> int | None:
    """Return the highest anomaly score that a text tells."""
    scores = [int(a or b or c) for a, b, c in _SCORE.findall(text)]
    return max(scores, default=None)


def tells_of_a_rule(text: str) -> bool:
    """Return whether a message is about a rule that matched: not about trouble of ModSecurity's own, such as ``Rule
    7f0c [id "1"] - Execution error - PCRE limits exceeded``, nor about a request that a rule let pass."""
    if text.startswith(_NO_MATCH):
        return False
    return '[id "' in text or _WARNING.match(text) is not None or _DENIED.match(text) is not None


def read_match(text: str) -> Match:
    """Read one message; whatever is missing stays empty. ``text`` is printable."""
    parts, words = _take_apart(text)
    denied, said = False, ""
    for piece in words:
        verdict = _DENIED.match(piece)
        denied = denied or verdict is not None
        verdict = verdict or _WARNING.match(piece)
        said = said or (piece[verdict.end() :] if verdict else piece).strip()
    name = parts.get("msg", "")
    return Match(
        rule_id=parts.get("id", "")[:64],
        name=name,
        words=said[:MAX_MESSAGE],
        severity=rule_severity(parts.get("severity", "")),
        denied=denied,
        score=score_of(f"{name} {said[:MAX_MESSAGE]}"),
        host=parts.get("hostname", ""),
        url=parts.get("uri", ""),
        client=parts.get("client", ""),
    )


def _take_apart(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the first value of each named part, and the words between the parts.

    A quote that a visitor sent has a backslash in front. What a cut line leaves open is the value up to its end.
    """
    parts: dict[str, str] = {}
    words: list[str] = []
    position = 0
    for opening in _PART.finditer(text):
        if opening.start() < position:
            continue
        _add_words(words, text[position : opening.start()])
        end = text.find('"]', opening.end())
        while end > 0 and text[end - 1] == "\\" and text[end - 2] != "\\":
            end = text.find('"]', end + 1)
        if end < 0:
            end = len(text)
        if opening[1] in _READ:
            parts.setdefault(opening[1], text[opening.end() : end][:MAX_URL])
        position = end + 2
    _add_words(words, text[position:])
    return parts, words


def _add_words(words: list[str], piece: str) -> None:
    piece = piece.strip()
    product = _VERDICT.match(piece)
    piece = piece[product.end() :] if product else piece
    if piece:
        words.append(piece)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The request that the rules looked at. ``stopped`` tells that it was, apart from what the matches say."""

    at: datetime
    src_ip: str = ""
    src_port: int = 0
    dst_ip: str = ""
    dst_port: int = 0
    host: str = ""
    url: str = ""
    stopped: bool = False
    words: str = ""


def strongest(matches: Sequence[Match]) -> Match:
    """Return the rule that counts: never one that only weighs where there are others, then the one that denied, then
    the most severe, then the first."""
    return max(
        matches,
        key=lambda match: (not match.weighs, match.denied, -1 if match.severity is None else match.severity.rank),
    )


def event(request: Request, matches: Sequence[Match]) -> SecurityEvent:
    """Return the one event of a request. Without a severity or score, an attack is medium when stopped, else low."""
    matches = matches[:MAX_MATCHES] or (Match(),)
    rule = strongest(matches)
    stopped = request.stopped or any(match.denied for match in matches)
    score = max((match.score for match in matches if match.score is not None), default=None)
    known = [match.severity for match in matches if match.severity is not None]
    if score is not None:
        known.append(severity.of_score(score))
    if not known:
        known.append(Severity.MEDIUM if stopped else Severity.LOW)
    return SecurityEvent(
        at=request.at,
        source=SOURCE,
        category=Category.WAF,
        action=Action.BLOCKED if stopped else Action.DETECTED,
        severity=severity.highest(*known),
        src_ip=request.src_ip,
        src_port=request.src_port,
        dst_ip=request.dst_ip,
        dst_port=request.dst_port,
        target_host=request.host,
        target_url=printable(request.url[:MAX_URL]),
        rule_id=printable(rule.rule_id),
        rule_name=printable(rule.name[:MAX_NAME]),
        message=printable((rule.words or rule.name or request.words)[:MAX_MESSAGE]),
        score=score,
    )
