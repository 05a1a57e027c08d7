"""What the fuzzers begin with: lines and records of every family, and the pieces that mean something to a parser.

The lines are our own, with addresses for documentation; where the folder of real samples is there, its lines join them.
"""

import os
from pathlib import Path

SHARED = Path(os.environ.get("VXTRAY_SHARED") or Path(__file__).resolve().parents[3] / "shared")
#: Of a sample file.
_MOST_LINES = 100

_SOPHOS = (
    r"""<30>Jan  5 00:00:01 fw01 device_name="SFW" timestamp="2026-01-05T00:00:01+0100" device_model="XGS"
 log_id="075000617071" log_type="WAF" log_component="Web Application Firewall" severity="Information" log_version=1
 server="www.example.com:8443" src_ip="198.51.100.7" src_country="FRA" url="/a?b=c" cookie="a=1; b=" http_status="403"
 reason="WAF Anomaly" extra="Inbound Anomaly Score Exceeded (Total Score: 15, SQLi=15, XSS=): Last Matched Message: SQL
 [id \"942100\"]" user_agent="x \" y" src_port=4711""",
    r"""device="SFW" date=2026-05-18 time=14:38:58 timezone="CEST" device_name="XG210" device_id=C44313350024-P29PUA
 log_id=062511418055 log_type="Event" log_component="IPSec" log_subtype="System" status="Failed" priority=Warning
 user_name="a@example.com" remoteinterfaceip=203.0.113.250 ether_type=Unknown (0x0000) branch_name=First Last
 message="info="Reason="Logout"" gone" x="open""",
    r"""<30>device="SFW" date=2026-03-05 time=16:20:40 timezone="-03" device_id=S4000806149EE49 log_id=020803407001
 log_type="IDP" log_component="Signatures" log_subtype="Drop" priority=Alert idp_policy_name="LAN TO WAN"
 fw_rule_id=23 user_name="" signature_id=1150 signature_msg="SERVER-WEBAPP x" classification="Web" rule_priority=1
 src_ip=2001:db8::7 src_country_code=R1 dst_ip=192.0.2.9 protocol="TCP" src_port=40140 dst_port=80""",
    r"""device_name="SFW" timestamp="2026-01-20T18:48:02-0600" log_id="010101600001" log_type="Firewall"
 log_component="Firewall Rule" log_subtype="Allowed" severity="Information" fw_rule_id="5" src_ip="192.0.2.66"
 dst_ip="198.51.100.9" src_mac= src_port=514 dst_port=514 con_id="2" con_event="Start" """,
    r"""device="SFW" date=2026-01-20 time=18:48:02 timezone="IST" log_id=030906208001 log_type="Anti-Virus"
 log_component="HTTP" log_subtype="Virus" priority=Critical av_policy_name="" virus="EICAR" url="http://a.example/e"
 domainname="example.net" src_ip=192.0.2.1 src_country_code=R1 status="" destinationip=203.0.113.1""",
    r"""device="SFW" date=2026-01-20 time=18:48:02 timezone="GMT" log_id=044105413003 log_type="Anti-Spam"
 log_component="SMTP" log_subtype="Spam" priority=Warning from_email_address="a@example.net" spamaction="DROP"
 email_subject="hello" src_ip=203.0.113.9 to_email_address="b@example.com" sha1sum=00 source="mail.example" """,
)
_FAIL2BAN = (
    "2026-01-20 18:00:01,123 fail2ban.actions        [4822]: NOTICE  [sshd] Ban 192.0.2.2",
    "2026-01-20 18:00:01,123 fail2ban.filter         [4822]: INFO    [sshd] Found 2001:db8::1 - 2026-01-20 18:00:01",
    "2026-01-20 18:00:01,123 fail2ban.observer [1]: INFO [sshd] Found 192.0.2.2, bad - 2026-01-20 18:00:01, 1 # -> 2.0",
    "<29>1 2026-01-20T18:00:01+01:00 h fail2ban-server 1 - - fail2ban.actions [1]: WARN [a] 192.0.2.2 already banned",
    "mailcow-1 | 2026-01-20 18:00:01 CRIT: Banning 192.0.2.0/24 for 60 minutes",
    "2026-01-20 18:00:01 WARN: 192.0.2.2 matched rule id 3 (warning: unknown[192.0.2.2]: SASL LOGIN failed)",
)
_MODSECURITY = (
    r"""[Fri Jun 14 04:48:20.123456 2026] [:error] [pid 1:tid 2] [client 192.0.2.1:5] [client 192.0.2.1] ModSecurity:
 Access denied with code 403 (phase 2). Pattern match "\\" x" at ARGS:a. [file "/etc/a.conf"] [line "1"] [id "942100"]
 [msg "SQL"] [data "a\"]b"] [severity "CRITICAL"] [hostname "www.example.com"] [uri "/a"] [unique_id "YQ"]""",
    r"""2026/12/26 12:36:51 [error] 972#972: *18722 [client 192.0.2.1] ModSecurity: Warning. Matched x [id "949110"]
 [msg "Inbound Anomaly Score Exceeded (Total Score: 5)"] [severity "2"] [ref ""], client: 192.0.2.1, server: _,
 request: "GET /?a=<b> HTTP/1.1", host: "www.example.com" """,
    '{"ts":1767225600.5,"msg":"[client \\"192.0.2.1\\"] Coraza: Warning. x [id \\"920350\\"] [msg \\"m\\"]\\n"}',
    (
        '{"transaction":{"client_ip":"192.0.2.1","time_stamp":"Tue Jan 20 04:52:04 2026","host_port":443,'
        '"request":{"method":"GET","http_version":1.1,"uri":"/a?b","headers":{"Host":"www.example.com"}},"response":'
        '{"http_code":403},"producer":{"secrules_engine":"Enabled"},"messages":[{"message":"SQL","details":{"match":"x",'
        '"ruleId":"942100","severity":"2","tags":["a"]}},{"message":"Total Score: 5","details":{"ruleId":"949110"}}]}}'
    ),
    (
        '{"transaction":{"time":"20/Jan/2026:02:06:11.341644 --0700","transaction_id":"a","remote_address":"192.0.2.1",'
        '"remote_port":1,"local_address":"192.0.2.9"},"request":{"request_line":"GET / HTTP/1","headers":'
        '{"Host":"a.example"}},"audit_data":{"messages":["Warning. x [id \\"1\\"]"],"action":{"intercepted":true}}}'
    ),
)
_SURICATA = (
    (
        '{"timestamp":"2026-01-20T18:00:01.123456+0100","flow_id":1,"in_iface":"eth0","event_type":"alert","src_ip":'
        '"192.0.2.1","src_port":1,"dest_ip":"2001:db8::1","dest_port":443,"proto":"TCP","alert":{"action":"blocked",'
        '"gid":1,"signature_id":2019401,"rev":1,"signature":"ET x","category":"y","severity":1,"metadata":'
        '{"signature_severity":["Major"]}},"http":{"hostname":"a.example","url":"/x"},"payload":"\\u0000\\ud800\\"\\\\"}'
    ),
    (
        '<13>Jan 20 18:00:01 ids suricata[1]: @cee: {"timestamp":"2026-01-20T18:00:01Z","event_type":"drop",'
        '"drop":{"len":40,"reason":"flow drop"}}'
    ),
    '{"timestamp":"2026-01-20T18:00:01Z","event_type":"anomaly","anomaly":{"type":"stream","event":"x"}}',
    '[{"timestamp":"2026-01-20T18:00:01Z","event_type":"flow","flow":{"state":"new"}},{"event_type":"dns","timestamp":1e9}]',
)
_CROWDSEC = (
    (
        '{"capacity":5,"created_at":"2026-01-20T18:00:01Z","decisions":[{"duration":"3h59m58.5s","id":1,"origin":"crowdsec",'
        '"scenario":"crowdsecurity/ssh-bf","scope":"Ip","simulated":false,"type":"ban","value":"192.0.2.1"}],"events":[{"meta":'
        '[{"key":"target_user","value":"root"},{"key":"target_fqdn","value":"[\\"a.example\\"]"}]}],"events_count":6,'
        '"scenario":"crowdsecurity/ssh-bf","source":{"cn":"FR","ip":"192.0.2.1","scope":"Ip","value":"192.0.2.1"},'
        '"start_at":"2026-01-20T18:00:00Z","stop_at":"0001-01-01T00:00:00Z"}'
    ),
    (
        '{"deleted":[],"new":[{"duration":"-4h","id":1,"origin":"cscli","scenario":"manual","scope":"Range","type":"ban",'
        '"until":"2026-01-20T22:00:01Z","value":"192.0.2.0/24"}]}'
    ),
    (
        'time="2026-01-20T18:00:01Z" level=info msg="(crowdsec) crowdsecurity/ssh-bf by ip 192.0.2.1 (FR) : 4h ban on'
        ' Ip 192.0.2.1"'
    ),
    "INFO[20-01-2026 18:00:01] Ip 192.0.2.1 performed 'crowdsecurity/http-probing' (11 events over 1s) at x",
)
_CEF = (
    (
        r"Jan 20 18:00:01 fw CEF:0|Trend Micro|Deep \| Security|1.0|20\\|Log for TCP|7|rt=Jan 20 2026 18:00:01.123 UTC"
        r" src=192.0.2.1 spt=1 dst=2001:db8::1 dpt=443 act=blocked request=https://a.example/?y\=z msg=a b\nc\=d"
        r" cs1Label=Source Country cs1=FRA cat=IPS cn1=5 outcome=Failure"
    ),
    '<134>1 2026-01-20T18:00:01Z h CEF - - [a b="c\\"\\]"] CEF:1|v|p|1|id|name|High|end=1768928401000 act=',
    "0|v|p|1|login|User logged in|Low|duser=x src=192.0.2.1 outcome=success",
)
_OTHER = (
    '<34>1 2026-01-20T18:00:01.003Z host.example.com su 77042 ID47 [exampleSDID@32473 iut="3" x="\\]"] \ufeffhello',
    "<189>000123: host: *JAN 20 2026 18:00:01.123 CET: %SYS-5-CONFIG_I: Configured from console",
    "Jan 20 18:00:01 2026 host app[12]: words",
    "",
)

#: Records of several lines.
_RECORDS = (
    """--68a39c63-A--
[20/Jan/2026:02:06:11.341644 +0000] aRj 192.0.2.7 4711 198.51.100.1 443
--68a39c63-B--
POST /login?a=b HTTP/1.1
Host: www.example.com:8443

--68a39c63-C--
a=--c2578d7b-A--
--68a39c63-F--
HTTP/1.1 403 Forbidden
--68a39c63-H--
Message: Access denied with code 403 (phase 2). Operator GE matched 5 at TX. [id "949110"] [msg "Total Score: 5"]
Action: Intercepted (phase 2)
--68a39c63-Z--""",
    """---uhBr3CdI---A--
[20/Jan/2026:02:06:11 +0000] 1 192.0.2.7 4711 198.51.100.1 443
---uhBr3CdI---H--
ModSecurity: Warning. x [id "1"] [msg "m"] [severity "2"]
---uhBr3CdI---Z--""",
    """[
  {
    "timestamp": "2026-01-20T18:00:01Z",
    "event_type": "alert",
    "alert": {"severity": 2, "signature": "} ] \\" {"}
  },
  {
    "scope": "Ip", "type": "ban", "value": "192.0.2.1", "created_at": "2026-01-20T18:00:01Z"
  }
]""",
)

#: Pieces that a parser looks for, or trips over.
TOKENS = tuple(
    piece.encode("utf-8", "surrogatepass")
    for piece in (
        *('"', "\\", '\\"', "=", '="', '" ', "'", "|", "\\|", "\\=", " ", "  ", "\t", "[", "]", '"]', '\\"]', "{", "}"),
        *(
            "[{",
            "}]",
            ",",
            ":",
            "-",
            "--",
            "-A--",
            "-Z--",
            "--a-A--",
            "\0",
            "\r",
            "\x1b[0m",
            "\x85",
            "\u2028",
            "\ufeff",
        ),
        *(
            "\ud800",
            "\u202e",
            "é",
            "٣",
            "²",
            "９",
            "ſ",
            "İ",
            "\U0001f600",
            "CEF:0|",
            "CEF:",
            "log_type=",
            'log_type="WAF"',
        ),
        *('device="x" ', 'timestamp="', "date=", "time=", 'timezone="', "fail2ban", "ModSecurity: ", "Coraza: "),
        *('[id "', '[msg "', "Access denied with code 403", "Warning. ", ", client: ", '"event_type":', '"timestamp":'),
        *('"transaction":', '"messages":', '"details":', '"decisions":', '"scope":', '"deleted":', "@cee: ", "<13>"),
        *("<999>1 ", "[a b=", "Jan 20 18:00:01 ", "2026-01-20T18:00:01Z ", "0001-01-01", "9999-12-31T23:59:59-14:00"),
        *("2026-02-30", "24:61:61", "-1", "0", "65536", "9" * 30, "9" * 400, "1e999", "-0.0", "NaN", "null", "true"),
        *("192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "0x7f.1", "999.1.1.1", "\\u0000", "\\ud800", "%00", "%s"),
    )
)


def own_lines() -> list[bytes]:
    """Return the lines of our own, without line ends."""
    joined = (line.replace("\n", "") for line in (*_SOPHOS, *_MODSECURITY))
    return [line.encode() for line in (*joined, *_FAIL2BAN, *_SURICATA, *_CROWDSEC, *_CEF, *_OTHER)]


def own_records() -> list[bytes]:
    """Return the records of several lines."""
    return [record.encode() for record in _RECORDS]


def sample_lines() -> list[bytes]:
    """Return lines of the real samples, as far as they are there."""
    found: list[bytes] = []
    for path in sorted((SHARED / "samples").glob("*/*/*")):
        if path.suffix in {".log", ".json"}:
            found += path.read_bytes().splitlines()[:_MOST_LINES]
    return found
