"""What the words of a CEF line say: which category, and what was done. Pure functions and tables, any thread.

CEF has no field for either that products agree on. The category comes from the first entry of the list of which a word
is found: in the class id, the name and the category that the line gives, then in ArcSight's device group, then in
product and vendor. The action comes from ``act``, then from the name, then from the message and the outcome.
"""

import re

import msgspec

from vxtray.core.events import Action, Category

_ATTACKS = frozenset({Category.WAF, Category.IPS, Category.MALWARE, Category.ATP})


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Category and action."""

    category: Category
    action: Action


def _words(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z])(?:{text})", re.ASCII)


#: In this order: the particular before the general.
_CATEGORIES = (
    (Category.WEB, _words("nss(?:web|dns)log")),
    (Category.FIREWALL, _words("nssfwlog")),
    (Category.WAF, _words("waf|appfw|web application|sql.?injection|sql signature|cross.?site|xss|web correlation")),
    (Category.EMAIL, _words("e-?mail|spam|phish|esa_|smtp|mail ?server")),
    (Category.MALWARE, _words("malware|virus|anti-?virus|trojan|ransom|spyware|worm|sandbox")),
    (
        Category.IPS,
        _words(
            "intrusion|ips(?![a-z])|ids(?![a-z])|exploit|portscan|port scan|brute|lateral|attack|threat detected"
            "|vulnerab|anomaly|flood|scan threat|tamper|integrity"
        ),
    ),
    (Category.WEB, _words("url threat|threat url|browsing|web ?(?:content|traffic)")),
    (Category.ATP, _words("c&c|command.and.control|botnet|blacklist|threat|beacon")),
    (Category.VPN, _words("vpn(?!-1)|ipsec|ssl ?vpn|tunnel")),
    (
        Category.AUTH,
        _words("authenticat|log(?:ged)?.?(?:on|in|off|out)\\b|sign(?:ed)?.?(?:in|on|out)\\b|admin acc|lockdown"),
    ),
    (Category.WEB, _words("web ?reputation|web ?filter|url ?filter|web request|proxy|dns")),
    (
        Category.FIREWALL,
        _words(
            "firewall|connection(?! up| down)|access.?list|acl|packet filter|network log|traffic|drop$|deny$|accept$"
        ),
    ),
    (Category.SYSTEM, _words("system|device|policy|license|update|configuration|setting|agent|acquisition|audit")),
)
_PRODUCTS = (
    (Category.WAF, _words("waf|securesphere|incapsula|web application firewall|asm(?![a-z])|modsecurity")),
    (Category.EMAIL, _words("email|mail")),
    (Category.MALWARE, _words("anti-?virus|malware|endpoint|edr(?![a-z])|threatmanager")),
    (Category.ATP, _words("cybertrace")),
    (Category.FIREWALL, _words("firewall|asa(?![a-z])|vpn-1|ngfw|fortigate|pan-os|netscreen|srx|sonicwall")),
    (Category.IPS, _words("ips(?![a-z])|ids(?![a-z])|intrusion|threat")),
    (Category.VPN, _words("vpn")),
    (Category.WEB, _words("proxy|web")),
)

_NOT_STOPPED = _words("not.?blocked|un-?blocked|learn|detect.?only|simulat|alert|log(?:ged)?$|monitor|detected$")
_STOPPED = _words(
    "block|drop|den[iy]|reject|prevent(?!ion)|reset|clear_session|quarantin|ids:reset|terminat|kill|cleaned|stopped"
)
_LET_PASS = _words("allow|accept|permit|pass(?:ed)?$|deliver|forward")
_FAILED = _words("fail|/failure|error|unsuccess|denied|invalid|lockdown")
_SUCCEEDED = _words("success|/success|true$|ok$|signed.?in|logged.?(?:in|on)|accessed|log(?:in|on)")
_ENDED = _words("logged.?(?:off|out)|log.?(?:off|out)|sign(?:ed)?.?(?:off|out)")

#: What becomes of malware.
_REMOVED = _words("delet|remov|disinfect")

_REFUSED = _words("audit_failure|failed to log|log(?:on|in) fail|authentication fail")

#: Characters of a text that are looked at, and of a message for what was done.
_LENGTH = 256
_SENTENCE = 80


def _said(*texts: str) -> str:
    return " ".join(text[:_LENGTH] for text in texts if text).lower()


def _category(vendor: str, product: str, class_id: str, name: str, keys: dict[str, str]) -> Category:
    # Zscaler's names are reasons; only the product tells which of its logs a line is of.
    log = product if product.lower().startswith("nss") else ""
    own = _said(log, class_id, name, keys.get("cat", ""), keys.get("UNIFIsubCategory", ""))
    group = _said(keys.get("categoryDeviceGroup", ""), keys.get("catdt", ""))
    for said, table in ((own, _CATEGORIES), (group, _CATEGORIES), (_said(product, vendor), _PRODUCTS)):
        for category, words in table:
            if words.search(said):
                return category
    return Category.AUTH if _REFUSED.search(_said(keys.get("msg", ""))) else Category.OTHER


def classify(vendor: str, product: str, class_id: str, name: str, keys: dict[str, str]) -> Verdict:
    """Return what the words of the header and of the extension's keys (as they stand) say."""
    category = _category(vendor, product, class_id, name, keys)
    outcome = _said(keys.get("outcome", ""), keys.get("categoryOutcome", ""))
    act = _said(keys.get("act", keys.get("deviceAction", keys.get("fw_action", "")))).strip().strip("\"'")
    if category in {Category.AUTH, Category.VPN}:
        return Verdict(category=category, action=_sign_in(_said(name, act, keys.get("msg", "")), outcome))
    action = _done(act) or _done(_said(name, class_id))
    if category is Category.WAF and action is not Action.BLOCKED and _is_access(vendor, name, keys):
        return Verdict(category=category, action=Action.ALLOWED)
    if category is Category.MALWARE and action is None and _REMOVED.search(_said(act, name, class_id)):
        action = Action.BLOCKED
    if action is None and _done(_said(keys.get("msg", ""))[:_SENTENCE]) is Action.BLOCKED:
        action = Action.BLOCKED
    if category in _ATTACKS:
        action = Action.BLOCKED if action is Action.BLOCKED else Action.DETECTED
    elif action is Action.DETECTED:
        action = None
    if action is None and _FAILED.search(outcome):
        action = Action.FAILED
    return Verdict(category=category, action=action or Action.INFO)


def _is_access(vendor: str, name: str, keys: dict[str, str]) -> bool:
    """Return whether a WAF's line is of its access log, in which nothing was found: F5's, Imperva's, Barracuda's."""
    if name.lower() in {"successful request", "normal"}:
        return True
    return vendor.lower().startswith("barracuda") and keys.get("cat", "").strip() == "TR"


def _done(said: str) -> Action | None:
    if said.startswith("not ") or (_NOT_STOPPED.search(said) and not said.endswith("blocked")):
        return Action.DETECTED
    if _STOPPED.search(said):
        return Action.BLOCKED
    return Action.ALLOWED if _LET_PASS.search(said) else None


def _sign_in(said: str, outcome: str) -> Action:
    if _ENDED.search(said):
        return Action.INFO
    if _FAILED.search(outcome) or _FAILED.search(said):
        return Action.FAILED
    return Action.ALLOWED if _SUCCEEDED.search(outcome) or _SUCCEEDED.search(said) else Action.INFO
