"""A program that writes one log, from the first line on its standard input on also rotates it, and at the end of its
input prints how many records it wrote. ``python -m tests.e2e.log_writer PATH SEED JOURNAL``

Record n has the number n at the end of its rule's name. Nothing is written between copying and truncating, which no
reader could see: what a program writes there is lost with every copytruncate.
"""

import gzip
import random
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

#: Rotated parts that are kept: so many that none is deleted before a program that is being killed has read it.
_PARTS = 60
_LARGE = 6000


def day_of_records() -> datetime:
    """Return the day on which all records lie, so that a report of it counts them."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)


def record(number: int, day: datetime) -> bytes:
    """Return a log record: a Sophos line, now and then a decision of CrowdSec over several lines."""
    stamp = f"{day + timedelta(seconds=number % 80_000):%Y-%m-%dT%H:%M:%S}"
    address = f"198.51.{number // 250 % 250}.{number % 250}"
    if number % 40 == 0:
        return (
            f'{{\n "scope": "Ip",\n "value": "{address}",\n "type": "ban",\n "duration": "4h",\n'
            f' "origin": "crowdsec",\n "scenario": "crowdsecurity/n{number}",\n "created_at": "{stamp}Z"\n}}\n'
        ).encode()
    return (
        f'device_name="SFW" timestamp="{stamp}+0000" device_model="XGS2100" device_serial_id="X2100"'
        f' log_id="010102600002" log_type="Firewall" log_component="Firewall Rule" log_subtype="Denied" log_version=1'
        f' severity="Information" fw_rule_id="5" fw_rule_name="n{number}" src_ip="{address}" src_country="FRA"'
        f' dst_ip="172.16.16.30" protocol="TCP" src_port={number % 65536} dst_port=443'
        f' app_name="{"x" * (number % 90)}"\n'
    ).encode()


def records(first: int, end: int, day: datetime) -> bytes:
    """Return the records from ``first`` to before ``end``."""
    return b"".join(record(number, day) for number in range(first, end))


class Writer:
    """One log, written and rotated by turns."""

    def __init__(self, path: Path, seed: int, journal: Path) -> None:
        self.path = path
        self.count = 0
        self._chance = random.Random(seed)
        self._dated = self._chance.random() < 0.3
        self._day = day_of_records()
        self._journal = journal.open("a", buffering=1)
        self._log = path.open("ab", buffering=0)

    def turn(self) -> None:
        """Write, or rotate."""
        if self._chance.random() < 0.08:
            self._rotate()
        self.write(self._chance.choices([0, 1, 3, 20, 100, _LARGE], [1, 5, 5, 5, 3, 0.05])[0])

    def write(self, many: int) -> None:
        """Write so many records, at once or in two pieces."""
        data = records(self.count, self.count + many, self._day)
        cut = self._chance.randrange(len(data)) if data and self._chance.random() < 0.3 else len(data)
        self._put(data[:cut])
        if cut < len(data):
            time.sleep(self._chance.random() * 0.03)
            self._put(data[cut:])
        self.count += many

    def _put(self, data: bytes) -> None:
        while data:
            data = data[self._log.write(data) :]

    def end(self) -> None:
        """Close the log."""
        self._log.close()
        self._journal.close()

    def _rotate(self) -> None:
        style = self._chance.choice(["rename", "rename and wait", "copytruncate"])
        copy = self._first_place()
        self._journal.write(f"{time.time():.3f} {self.count} {style} {copy.name}\n")
        if style == "copytruncate":
            copy.write_bytes(self.path.read_bytes())
            self._log.truncate(0)
            self._log.seek(0)
        else:
            self.path.rename(copy)
            if style == "rename and wait":  # the program that writes is told only now
                time.sleep(self._chance.random() * 0.1)
            self._log.close()
            self._log = self.path.open("ab", buffering=0)
        parts = self._parts()
        for part in parts[_PARTS:]:
            part.unlink()
        if self._chance.random() < 0.5:
            self._pack(parts[self._chance.choice([0, 1]) % len(parts)])

    def _parts(self) -> list[Path]:
        """Return the rotated parts, the newest first."""
        found = [part for part in self.path.parent.iterdir() if part.name.startswith(self.path.name + ".")]
        found += [part for part in self.path.parent.iterdir() if part.name.startswith(self.path.name + "-")]
        if self._dated:
            return sorted(found, reverse=True)
        return sorted(found, key=lambda part: int(part.name.split(".")[2]))

    def _first_place(self) -> Path:
        """Return the name for the newest part; with running numbers all others move on."""
        if self._dated:
            return self.path.with_name(
                f"{self.path.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.{time.time_ns() % 10**9:09}"
            )
        for part in reversed(self._parts()):
            name, extension, number, *packed = part.name.split(".")
            part.rename(part.with_name(".".join([name, extension, str(int(number) + 1), *packed])))
        return self.path.with_name(self.path.name + ".1")

    def _pack(self, part: Path) -> None:
        """Compress as logrotate does: beside the part, which is deleted afterwards."""
        if part.suffix == ".gz":
            return
        with part.open("rb") as plain, gzip.open(f"{part}.gz", "wb") as packed:
            while block := plain.read(65536):
                packed.write(block)
                time.sleep(0.002)
        part.unlink()
        self._journal.write(f"{time.time():.3f} {self.count} packed {part.name}\n")


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    """Write until standard input ends."""
    path, seed, journal = sys.argv[1:]
    ended = threading.Event()
    writer = Writer(Path(path), int(seed), Path(journal))
    writer.write(50)
    sys.stdin.readline()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    pause = random.Random(seed)
    while not ended.wait(pause.random() * 0.05):
        writer.turn()
    writer.end()
    sys.stdout.write(f"{writer.count}\n")


if __name__ == "__main__":
    main()
