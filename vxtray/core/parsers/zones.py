"""The zone that a log line names: offsets (``+08``, ``-0300``) and abbreviations (``CEST``). Pure, any thread.

Abbreviations are not unique. The zone that the person gave for the log decides first: in Europe/Dublin IST is Irish
time, in Asia/Shanghai CST is Chinese time. Otherwise the meanings below hold. For those with several the one is taken
that firewalls write most: IST India (not Ireland or Israel), CST and CDT North America (not China or Cuba), BST
Britain (not Bangladesh), AST the Atlantic (not Arabia), GST the Gulf (not South Georgia), PST the American Pacific (not
the Philippines), SST Samoa, ECT Ecuador, AMT Armenia.
"""

import re
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

#: abbreviation -> minutes east of Greenwich
_MINUTES = {
    **dict.fromkeys(("UTC", "GMT", "WET", "UCT", "Z", "ZULU", "AZOST"), 0),
    **dict.fromkeys(("CET", "BST", "WEST", "WAT", "MEZ"), 60),
    **dict.fromkeys(("CEST", "EET", "CAT", "SAST", "MESZ"), 120),
    **dict.fromkeys(("EEST", "MSK", "EAT", "TRT", "IDT"), 180),
    **dict.fromkeys(("GST", "SAMT", "AZT", "GET", "MUT", "RET", "AMT"), 240),
    **dict.fromkeys(("PKT", "UZT", "YEKT", "MVT", "TMT", "TJT"), 300),
    **dict.fromkeys(("BDT", "BTT", "OMST", "ALMT", "KGT"), 360),
    **dict.fromkeys(("ICT", "WIB", "KRAT", "NOVT"), 420),
    **dict.fromkeys(("AWST", "HKT", "SGT", "MYT", "WITA", "PHT", "PHST", "IRKT", "ULAT"), 480),
    **dict.fromkeys(("JST", "KST", "WIT", "YAKT"), 540),
    **dict.fromkeys(("AEST", "VLAT", "CHST", "PGT"), 600),
    **dict.fromkeys(("AEDT", "SBT", "NCT", "MAGT"), 660),
    **dict.fromkeys(("NZST", "FJT", "PETT"), 720),
    "NZDT": 780,
    "IRST": 210,
    "IRDT": 270,
    "AFT": 270,
    "IST": 330,
    "SLST": 330,
    "NPT": 345,
    "MMT": 390,
    "ACST": 570,
    "ACDT": 630,
    "NST": -210,
    "NDT": -150,
    "AZOT": -60,
    **dict.fromkeys(("BRT", "ART", "UYT", "CLST", "ADT", "GFT"), -180),
    **dict.fromkeys(("AST", "EDT", "CLT", "BOT", "VET", "GYT", "PYT"), -240),
    **dict.fromkeys(("EST", "CDT", "COT", "PET", "ECT"), -300),
    **dict.fromkeys(("CST", "MDT"), -360),
    **dict.fromkeys(("MST", "PDT"), -420),
    **dict.fromkeys(("PST", "AKDT"), -480),
    "AKST": -540,
    "HST": -600,
    "HDT": -540,
    "SST": -660,
}

_NUMERIC = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")


@lru_cache(maxsize=2048)
def offset(name: str, hour: str, zone: tzinfo) -> timedelta | None:
    """Return how far east of UTC the clock ``name`` runs; None for an unknown one, which means ``zone`` itself.

    ``hour`` is the local hour as ``2026-01-20T18``: it tells which half of a zone's year counts.
    """
    for fold in (0, 1):
        try:
            local = datetime.fromisoformat(hour).replace(tzinfo=zone, fold=fold)
            if local.tzname() == name:
                return local.utcoffset()
        except (ValueError, OverflowError):
            return None
    name = name.upper()
    numeric = _NUMERIC.fullmatch(name)
    if numeric:
        minutes = int(numeric[2]) * 60 + int(numeric[3] or 0)
        return timedelta(minutes=-minutes if numeric[1] == "-" else minutes) if minutes < 24 * 60 else None
    known = _MINUTES.get(name)
    return None if known is None else timedelta(minutes=known)
