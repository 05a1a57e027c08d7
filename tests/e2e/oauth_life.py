"""A profile's life with a sign-in: every command and the program, beside a real keyring. Prints what came of it.

A program of its own, for it must run in the keyring's session; the provider and the mail server live in it.
"""

import json
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

import keyring
import trustme

from tests.e2e.vxtray_process import Vxtray
from tests.peers.desktop import until
from tests.peers.oauth_mail import OAuthMail, running
from tests.peers.oauth_server import ACCOUNT, BROWSER, OAuthServer
from vxtray.core.control import Call, call_running
from vxtray.core.paths import Profile

OTHER = "anna@example.com"
SECONDS = 60


class Life:
    """What is done, step by step, and what is kept of it for the test."""

    def __init__(self, folder: Path, server: OAuthServer, mail: OAuthMail) -> None:
        self.server = server
        self.mail = mail
        self.vxtray = Vxtray(folder / "profile", BROWSER=BROWSER)
        self.result: dict[str, Any] = {}

    def set_up(self) -> None:
        smtp = self.mail.settings()
        words = [f"{name}={getattr(smtp, name)}" for name in ("host", "port", "ca_file", "timeout_seconds")]
        names = ("authorize_url", "token_url", "device_url", "client_id")
        words += [f"oauth.{name}={getattr(smtp.oauth, name)}" for name in names]
        scopes = ",".join(smtp.oauth.scopes)
        self.vxtray.run("smtp", "set", *words, f"oauth.scopes={scopes}", "recipients=a@example.org")
        self.vxtray.run("settings", "set", "reports.language=en", "reports.attach_pdf=false")

    def alone(self) -> None:
        """Commands while no program runs."""
        vxtray = self.vxtray
        self.server.account = OTHER
        vxtray.run("smtp", "set", f"username={ACCOUNT}")
        vxtray.run("--log-level", "DEBUG", "smtp", "sign-in", "custom", status=2)
        self.result["after the wrong account"] = vxtray.json("smtp", "show")["auth"]
        self.server.account = ACCOUNT
        self.result["sign-in"] = vxtray.json("--log-level", "DEBUG", "smtp", "sign-in", "custom")
        self.result["check"] = vxtray.json("--log-level", "DEBUG", "smtp", "test")["ok"]
        self.result["test mail"] = vxtray.json("--log-level", "DEBUG", "smtp", "send-test")["ok"]

    def ask(self, *words: str) -> str:
        """Have the running program do a command, without a process for it, and return what it printed."""
        call = Call(argv=list(words), cwd="/", language="en")
        answers = list(call_running(Profile.under(self.vxtray.profile), call) or ())
        self.vxtray.said += "".join(answer.out + answer.err for answer in answers)
        return "".join(answer.out for answer in answers)

    def report(self, cadence: str = "daily") -> None:
        self.ask("report", cadence, "--send")

    def arrives(self, count: int) -> None:
        until(lambda: len(self.mail.box.mails) >= count, f"{count} mails", SECONDS)

    def status(self, wanted: str, queued: int) -> dict[str, Any]:
        """Wait until the sign-in is in this state and so many mails wait for it, and return what is told."""
        found: dict[str, Any] = {}

        def looks() -> bool:
            found.update(json.loads(self.ask("status")))
            settled = (found["waiting"] is None) == (queued == 0) == (not found["trouble"])
            return settled and (found["sign_in"]["state"], found["queue"]["queued"]) == (wanted, queued)

        until(looks, f"the sign-in is {wanted} and {queued} mails wait", SECONDS)
        return found

    def in_the_program(self) -> None:
        """The queue of the running program: a token ends, the sign-in is revoked, the provider is away."""
        server, mail, vxtray = self.server, self.mail, self.vxtray
        mail.wants_again = "530 5.7.57 Client not authenticated to send mail"
        with vxtray.serve("--log-level", "DEBUG") as process:
            self.report()
            self.arrives(2)
            before = server.refreshes()
            server.expire_access_tokens()
            self.report("weekly")
            self.arrives(3)
            self.result["renewed in between"] = server.refreshes() - before
            server.revoke_everything()
            for cadence in ("daily", "weekly", "monthly"):
                self.report(cadence)
            told = self.status("needs-sign-in", 3)
            self.result["revoked"] = [[one["what"] for one in told["trouble"]], told["queue"]["queued"]]
            self.result["while revoked"] = len(mail.box.mails)
            vxtray.run("--log-level", "DEBUG", "smtp", "sign-in", "custom")
            self.arrives(6)
            told = self.status("ok", 0)
            self.result["signed in again"] = [told["trouble"], told["queue"]["queued"]]
            self.result["history"] = [one["what"] for one in json.loads(self.ask("history", "--json"))]
            self._without_the_provider()
            self.ask("quit")
            self.result["ended"] = process.wait(SECONDS)

    def _without_the_provider(self) -> None:
        self.server.token_faults = deque(["500"] * 1000)
        self.server.expire_access_tokens()
        self.report()
        told = self.status("unreachable", 1)
        self.result["unreachable"] = [told["queue"]["queued"], told["waiting"]["cause"]]
        self.server.token_faults.clear()
        self.ask("outbox", "retry", str(json.loads(self.ask("outbox", "list", "--json"))[0]["id"]))
        self.arrives(7)

    def after_a_restart(self) -> None:
        with self.vxtray.serve("--log-level", "DEBUG"):
            self.report()
            self.arrives(8)
        self.result["reused"] = self.server.reused
        self._by_a_code()
        self.result["kept"] = self._kept()
        self.result["signed out"] = self.vxtray.json("smtp", "sign-out")
        self.result["left"] = self._kept()
        self.vxtray.run("smtp", "send-test", status=1)
        for words in (["settings", "show"], ["smtp", "show"], ["outbox", "show", 1], ["history"], ["outbox"]):
            self.vxtray.run(*words)
        self.vxtray.run("settings", "export", self.vxtray.profile / "exported.toml")

    def _by_a_code(self) -> None:
        server = self.server

        def person() -> None:
            until(lambda: bool(server._devices), "a code was asked for", SECONDS)
            with server._lock:
                (device,) = server._devices.values()
            server.type_code(device.user_code)

        thread = threading.Thread(target=person, name="person")
        thread.start()
        self.result["by a code"] = self.vxtray.json("smtp", "sign-in", "custom", "--device-code")["ok"]
        thread.join()

    def _kept(self) -> bool:
        """Tell whether the keyring holds the newest refresh token."""
        host = self.server.url.partition("//")[2]
        kept = keyring.get_password("vxtray", f"oauth-token:{ACCOUNT}@{host}")
        return kept is not None and self.server.is_alive(kept)


def main() -> None:
    folder = Path(sys.argv[1])
    server = OAuthServer()
    try:
        with running(server, trustme.CA(), folder) as mail:
            life = Life(folder, server, mail)
            for step in (life.set_up, life.alone, life.in_the_program, life.after_a_restart):
                step()
            keys = [one.message["Message-ID"] for one in mail.box.mails]
            life.result |= {"mails": len(keys), "twice": len(keys) - len(set(keys)), "refused": mail.refused()}
            life.result |= {"said": life.vxtray.said, "issued": server.issued}
            json.dump(life.result, sys.stdout)
    finally:
        server.close()


if __name__ == "__main__":
    main()
