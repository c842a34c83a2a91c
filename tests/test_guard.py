"""Who is let in: addresses, Host and Origin, the token."""

import socket

import pytest

from bridge import Refusal
from bridge.control.guard import Guard

HERE = {"Host": "127.0.0.1:9180"}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:9180",
        "localhost",
        "LOCALHOST:9180",
        "10.0.0.5:9180",
        "[::1]:9180",
        "[fe80::1%25eth0]:9180",
        socket.gethostname(),
        f"{socket.gethostname().split('.')[0]}.local:9180",
        f"{socket.gethostname().split('.')[0]}.",
    ],
)
def test_numbers_and_this_machines_own_names_are_here(host):
    assert Guard().objection({"Host": host}, "/") == (0, "")


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:9180", "127.0.0.1.evil.example", "localhost.evil.example",
        "127.0.0.1:9180, evil.example", "127.0.0.1:port", "a@127.0.0.1", "[::1", "127.0.0.1/evil",
    ],
)  # fmt: skip
def test_a_foreign_name_that_leads_here_is_turned_away(host):
    assert Guard().objection({"Host": host}, "/")[0] == 403


def test_a_request_without_a_host_is_turned_away():
    assert Guard().objection({}, "/")[0] == 403


def test_our_own_page_may_play():
    assert Guard().objection(HERE | {"Origin": "http://127.0.0.1:9180"}, "/") == (0, "")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "https://127.0.0.1:9180", "http://127.0.0.1:80", "null", "",
        "http://127.0.0.1:9180.evil.example", "file://",
    ],
)  # fmt: skip
def test_a_page_from_elsewhere_may_not_play(origin):
    status, reason = Guard().objection(HERE | {"Origin": origin}, "/")
    assert (status, "own page" in reason) == (403, True)


# The token


@pytest.mark.parametrize("target", ["/?token=sesame", "/learn?VALUE&token=sesame"])
def test_the_token_opens(target):
    assert Guard(token="sesame").objection(HERE, target) == (0, "")


def test_the_token_may_come_as_a_bearers():
    guard = Guard(token="sesame")
    assert guard.objection(HERE | {"Authorization": "Bearer sesame"}, "/") == (0, "")


@pytest.mark.parametrize(
    "target", ["/", "/?token=", "/?token=Sesame", "/?token=sesame2", "/?token=é"]
)
def test_without_the_token_it_stays_shut(target):
    assert Guard(token="sesame").objection(HERE, target)[0] == 401


# The allow-list


@pytest.mark.parametrize("sender", [("10.0.0.5", 1), ("fe80::1", 1, 0, 0)])
def test_without_a_list_everybody_is_let_in(sender):
    assert Guard().lets(sender)


@pytest.mark.parametrize(
    ("host", "let"),
    [
        ("10.0.0.5", True), ("::ffff:10.0.0.5", True), ("192.168.1.77", True), ("127.0.0.1", True),
        ("::1", True), ("10.0.0.6", False), ("192.168.2.1", False), ("fe80::1%eth0", False),
    ],
)  # fmt: skip
def test_a_list_lets_in_whom_it_names_and_this_machine(host, let):
    guard = Guard(["10.0.0.5", "192.168.1.0/24"])
    assert guard.lets((host, 5000)) is let
    assert guard.lets((host, 5001)) is let


def test_a_flood_of_forged_senders_does_not_fill_the_memory():
    guard = Guard(["10.0.0.5"])
    for number in range(10_000):
        guard.lets((f"10.1.{number >> 8}.{number & 255}", 5000))
    assert len(guard._known) <= 4097


@pytest.mark.parametrize("place", ["", "tablet", "10.0.0.300", "10.0.0.0/40"])
def test_a_place_that_is_no_address_is_refused_with_what_to_write(place):
    with pytest.raises(Refusal, match=r"10\.0\.0\.5"):
        Guard([place])
