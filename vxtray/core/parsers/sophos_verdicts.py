"""What the words of a Sophos line say: which category, and what was done. Pure functions and tables, any thread.

Sophos's own event lines (log type ``Event``) are about the firewall itself: a new pattern file for its Anti-Virus is no
malware, an update of its Web Application Firewall no attack. Signing in to the administration counts as ``auth``, as
any other sign-in; a change made there as ``system``.
"""

from functools import lru_cache

import msgspec

from vxtray.core.events import Action, Category


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Category and action; ``words`` say the same to a person; ``refine`` that other fields have a say too."""

    category: Category
    action: Action
    words: str
    refine: bool = False


_CATEGORIES = {
    "firewall": Category.FIREWALL,
    "waf": Category.WAF,
    "web application firewall": Category.WAF,
    "idp": Category.IPS,
    "ips": Category.IPS,
    "atp": Category.ATP,
    "active threat response": Category.ATP,
    "anti-virus": Category.MALWARE,
    "sandbox": Category.MALWARE,
    "zero day protection": Category.MALWARE,
    "zero-day protection": Category.MALWARE,
    "content filtering": Category.WEB,
    "ssl": Category.WEB,
    "ssl/tls inspection": Category.WEB,
    "anti-spam": Category.EMAIL,
    "heartbeat": Category.SYSTEM,
    "system health": Category.SYSTEM,
    "wireless protection": Category.SYSTEM,
    "sd-wan": Category.SYSTEM,
}

#: Components of log type Event that are about tunnels; so is every one with "VPN" in its name.
_TUNNELS = frozenset({"ipsec", "l2tp", "pptp", "red"})

#: log_subtype or, where that is silent, status.
_ACTIONS = {
    **dict.fromkeys(("denied", "deny", "drop", "dropped", "reject", "rejected", "virus", "pua"), Action.BLOCKED),
    **dict.fromkeys(("blocked", "block", "dlp", "dos"), Action.BLOCKED),
    **dict.fromkeys(("allowed", "allow", "clean", "cleaned", "accept", "accepted"), Action.ALLOWED),
    **dict.fromkeys(("decrypt", "do not decrypt"), Action.ALLOWED),
    **dict.fromkeys(("detect", "detected", "alert", "warned", "warn"), Action.DETECTED),
    **dict.fromkeys(("spam", "probable spam", "outbound spam", "outbound probable spam"), Action.DETECTED),
    **dict.fromkeys(("error", "failed"), Action.FAILED),
}

#: status of an Event line that is no sign-in. A session that begins or ends is no verdict.
_EVENT_ACTIONS = {"failed": Action.FAILED, "deny session": Action.BLOCKED}
_SIGN_IN_ACTIONS = {
    **dict.fromkeys(("successful", "success"), Action.ALLOWED),  # the second since SFOS 21
    **dict.fromkeys(("failed", "failure"), Action.FAILED),
}

#: spamaction: what became of a mail.
_MAIL_ACTIONS = {
    **dict.fromkeys(("reject", "drop", "quarantine", "tmpreject", "deny"), Action.BLOCKED),
    **dict.fromkeys(("accept", "deliver", "none"), Action.ALLOWED),
}

_MAIL_COMPONENTS = ("smtp", "pop", "imap", "mail")

#: The fields that ``refine`` looks at.
REFINING = ("virus", "malware", "spamaction", "ep_health")


@lru_cache(maxsize=1024)
def classify(log_type: str, component: str, subtype: str, status: str) -> Verdict:
    """Return what the four words say."""
    kind = log_type.lower()
    words = ", ".join(word for word in (log_type, component, subtype) if word)
    if kind == "event":
        return _classify_event(component.lower(), subtype.lower(), status.lower(), words)
    category = _CATEGORIES.get(kind, Category.OTHER)
    action = _ACTIONS.get(subtype.lower()) or _ACTIONS.get(status.lower()) or Action.INFO
    if category is Category.MALWARE and action is Action.ALLOWED and kind == "anti-virus":
        # Checked and found clean: a transfer, no malware, unless a name is given all the same.
        mail = component.lower().startswith(_MAIL_COMPONENTS)
        category = Category.EMAIL if mail else Category.WEB
        return Verdict(category=category, action=action, words=words, refine=True)
    refine = category is Category.EMAIL or kind == "heartbeat"
    return Verdict(category=category, action=action, words=words, refine=refine)


def _classify_event(component: str, subtype: str, status: str, words: str) -> Verdict:
    sign_in = subtype in {"authentication", "admin"}
    if "vpn" in component or component in _TUNNELS:
        category = Category.VPN
    elif sign_in:
        category = Category.AUTH
    else:
        category = Category.SYSTEM
    action = (_SIGN_IN_ACTIONS if sign_in else _EVENT_ACTIONS).get(status, Action.INFO)
    # A refused sign-in stays one; a successful one may turn out to be a sign-out or a change of the settings.
    return Verdict(category=category, action=action, words=words, refine=sign_in and action is Action.ALLOWED)


def refine(verdict: Verdict, message: str, fields: dict[str, str]) -> Verdict:
    """Return the verdict after a look at the message and the fields of ``REFINING``."""
    category, action = verdict.category, verdict.action
    if category in {Category.AUTH, Category.VPN}:
        category, action = _refine_sign_in(verdict, message.lower())
    elif "virus" in fields or "malware" in fields:
        if fields.get("virus") or fields.get("malware"):
            category, action = Category.MALWARE, Action.DETECTED
    elif category is Category.EMAIL:
        action = _refine_mail(action, fields.get("spamaction", "").lower())
    elif fields.get("ep_health", "").lower() in {"red", "yellow", "missing"}:
        action = Action.DETECTED
    if category is verdict.category and action is verdict.action:
        return verdict
    return Verdict(category=category, action=action, words=verdict.words)


def _refine_sign_in(verdict: Verdict, message: str) -> tuple[Category, Action]:
    if "logged out" in message or "logged off" in message:
        return verdict.category, Action.INFO
    if verdict.category is Category.AUTH and verdict.words.endswith("Admin"):
        signing_in = not message or "log" in message or "sign" in message or "authentic" in message
        return (Category.AUTH, Action.ALLOWED) if signing_in else (Category.SYSTEM, Action.INFO)
    return verdict.category, verdict.action


def _refine_mail(action: Action, done: str) -> Action:
    """Spam that was delivered has been detected, not allowed."""
    became = _MAIL_ACTIONS.get(done)
    if became is Action.BLOCKED or (became and action is not Action.DETECTED):
        return became
    return action
