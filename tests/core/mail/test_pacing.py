"""How fast mails may leave."""

import pytest

from vxtray.core.mail.pacing import Bucket, Pace, pace_of


class Seconds:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def departures(bucket: Bucket, seconds: Seconds, until: float) -> list[float]:
    left: list[float] = []
    end = seconds.now + until
    while True:
        wait = bucket.seconds()
        if seconds.now + wait > end:
            return left
        seconds.now += wait
        bucket.take()
        left.append(seconds.now)


@pytest.mark.parametrize(
    ("host", "most"), [("smtp.office365.com", 30), ("smtp-mail.outlook.com", 30), ("smtp.gmail.com", 20)]
)
def test_no_minute_has_more_than_the_provider_allows(host: str, most: int) -> None:
    seconds = Seconds()
    left = departures(Bucket(pace_of(host), seconds), seconds, 600)
    assert max(sum(1 for other in left if at <= other < at + 60) for at in left) <= most
    assert len(left) >= 600 / 60 * most * 0.6


def test_another_host_has_a_burst_and_then_twenty_a_minute() -> None:
    seconds = Seconds()
    left = departures(Bucket(pace_of("mail.example.com"), seconds), seconds, 120)
    assert len([at for at in left if at == 1000.0]) == 30
    assert len(left) == 30 + 40
    seconds.now += 3600
    assert len(departures(Bucket(pace_of("mail.example.com"), seconds), seconds, 0)) == 30


def test_a_fresh_token_is_at_most_three_seconds_away() -> None:
    seconds = Seconds()
    bucket = Bucket(pace_of("mail.example.com"), seconds)
    departures(bucket, seconds, 100)
    assert bucket.seconds() <= 3


@pytest.mark.parametrize(
    ("host", "peer", "free"),
    [
        ("localhost", "127.0.0.1", True),
        ("mail.example.com", "192.168.1.4", True),
        ("mail.example.com", "fd00::1", True),
        ("mail.example.com", "fe80::1%eth0", True),
        ("10.0.0.1", "", True),
        ("mail.example.com", "", False),
        ("mail.example.com", "8.8.8.8", False),
        ("notoffice365.com", "", False),
    ],
)
def test_ones_own_network_is_free(host: str, peer: str, free: bool) -> None:
    bucket = Bucket(pace_of(host, peer), Seconds())
    for _ in range(1000):
        bucket.take()
    assert (bucket.seconds() == 0) is free


def test_recipients_and_a_clock_that_stands_still() -> None:
    assert (pace_of("SMTP.Gmail.com.").recipients, pace_of("x.example").recipients) == (100, 50)
    bucket = Bucket(Pace(1, 60), Seconds())
    bucket.take()
    assert bucket.seconds() == 1
