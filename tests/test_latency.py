"""`firstlight latency`: what is counted of what comes, what is said of it, and the programs."""

import contextlib
import dataclasses
import io
import json
import os
import re
import signal
import socket
import tempfile
from pathlib import Path

import numpy as np
import pytest
from fakes.network import alone
from fakes.relay import Relay, opaque, whole
from rich.console import Console

from bridge import Refusal, cli, parsers
from bridge.bench import latency, rig, source, verdict
from bridge.bench.card import ROUND, Card, Reading, read
from bridge.bench.passage import Arrival, Passage, Spread, Tolerance, passage, spread
from bridge.bench.verdict import Found, faults
from bridge.control.ear import Ear

RATE = 30.0
TIGHT = Tolerance(4, 4)


# Numbers out of lists


def reading(which, **wrong):
    right = Reading(which, False, False, False, 0.0, 0.0, 0.0, 255)
    return right._replace(**wrong)


def counted(*numbers, late=0.01, sent=12, **options):
    """What is counted where cards are sent ten a second from 0.0, and these arrive in turn, each
    a little after it was sent; a number may be a whole arrival."""
    times = [n / 10 for n in range(sent)]
    arrivals = [
        n if isinstance(n, Arrival) else Arrival(times[n] + late, reading(n)) for n in numbers
    ]
    how = {"begin": 0.0, "end": 1.0, "tolerance": TIGHT} | options
    return passage(times, arrivals, how.pop("begin"), how.pop("end"), **how)


def test_what_comes_once_and_in_order_is_all_there_is():
    way = counted(*range(12))
    assert (way.sent, way.received, way.missing, way.pictures) == (10, 10, 0, 10)
    assert (way.sent_fps, way.received_fps) == (10.0, 10.0)
    faulty = {"duplicated", "held", "backwards", "unread", "torn", "flipped", "mirrored", "swapped"}
    assert not any(getattr(way, name) for name in faulty)


def test_only_cards_sent_within_the_stretch_count_whenever_they_come():
    way = counted(*range(12), late=0.35, begin=0.2, end=0.5)
    assert (way.sent, way.received, way.latency.max) == (3, 3, 350.0)


def test_cards_that_never_come_are_missing():
    way = counted(0, 1, 4, 5, 9)
    assert (way.received, way.missing, way.gone, way.lost) == (5, 5, 5, 0.5)


def test_a_card_that_cannot_be_read_is_missing_and_yet_not_gone():
    way = counted(0, 1, 2, Arrival(0.31, None), Arrival(0.41, reading(None)), *range(5, 10))
    assert (way.missing, way.unread, way.torn, way.gone) == (2, 1, 1, 0)


def test_the_time_is_from_being_sent_to_being_received():
    way = counted(*(Arrival(n / 10 + 0.001 * (n + 1), reading(n)) for n in range(10)))
    assert way.latency == Spread(6.0, 10.0, 10.0, 10.0)


def test_a_picture_is_as_old_as_it_gets_until_the_next_one_comes():
    way = counted(0, 1, 4, *range(5, 10), late=0.02)
    assert (way.age.p50, way.age.max) == (120.0, 320.0)


def test_a_number_that_came_round_is_known_by_when_it_came():
    times = [n / 1000 for n in range(ROUND + 20)]
    arrivals = [Arrival(times[n] + 0.0005, reading(n % ROUND)) for n in range(ROUND, ROUND + 20)]
    way = passage(times, arrivals, times[ROUND], times[-1] + 1, tolerance=TIGHT)
    assert (way.received, way.latency.max) == (20, 0.5)


def test_a_card_that_was_not_sent_yet_is_none():
    way = counted(0, 1, Arrival(0.11, reading(900)), 2)
    assert (way.unread, way.received) == (1, 3)


def test_the_same_card_at_once_again_is_a_duplicate():
    way = counted(0, 1, Arrival(0.12, reading(1)), 2, patience=0.15)
    assert (way.duplicated, way.held, way.received, way.pictures) == (1, 0, 3, 4)


def test_the_same_card_after_a_while_is_held_where_somebody_may():
    again = (0, 1, Arrival(0.27, reading(1)), 3)
    some, nobody = counted(*again, patience=0.15), counted(*again)
    assert (some.held, some.duplicated, some.latency.max) == (1, 0, 10.0)
    assert (nobody.held, nobody.duplicated) == (0, 1)


def test_an_older_card_after_a_newer_one_is_out_of_order():
    way = counted(0, 2, Arrival(0.22, reading(1)), 3)
    assert (way.backwards, way.received) == (1, 4)


def test_what_a_receiver_replaced_is_added_up():
    way = counted(0, Arrival(0.31, reading(3), 2), Arrival(0.61, reading(6), 2))
    assert way.replaced == 4


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"flipped": True}, "flipped"),
        ({"mirrored": True}, "mirrored"),
        ({"swapped": True}, "swapped"),
        ({"grey": 5.0}, "discoloured"),
        ({"off": 5.0}, "discoloured"),
        ({"clear": 5.0}, "veiled"),
        ({"alpha": 254}, "translucent"),
        ({"number": None}, "torn"),
    ],
)
def test_each_wrong_is_counted_as_itself_alone(wrong, kind):
    way = counted(0, Arrival(0.11, reading(1, **wrong)), 2)
    kinds = set(verdict.WRONG)
    assert {k: getattr(way, k) for k in kinds} == dict.fromkeys(kinds, 0) | {kind: 1}


def test_where_all_colours_are_wrong_it_is_not_alpha_that_did_it():
    way = counted(Arrival(0.01, reading(0, off=5.0, clear=5.0)))
    assert (way.discoloured, way.veiled) == (1, 0)


def test_what_is_within_the_tolerance_is_right_and_told_all_the_same():
    way = counted(Arrival(0.01, reading(0, grey=3.0, off=4.0, clear=4.0)))
    assert (way.discoloured, way.veiled, way.grey, way.off) == (0, 0, 3.0, 4.0)


def test_nothing_is_counted_of_nothing():
    way = counted()
    assert (way.sent, way.received, way.missing, way.latency, way.age) == (10, 0, 10, None, None)
    assert (way.received_fps, counted(3).received_fps) == (0.0, 0.0)


def test_shares_of_times_are_those_of_their_order():
    assert spread([n / 1000 for n in range(100)]) == Spread(50.0, 95.0, 99.0, 99.0)
    assert spread([0.002]) == Spread(2.0, 2.0, 2.0, 2.0)
    assert spread([]) is None


# Words


def way(**other):
    good = {
        "sent": 600, "received": 600, "pictures": 600, "sent_fps": 60.0, "received_fps": 60.0,
        "latency": Spread(7.1, 9.0, 9.8, 12.0), "age": Spread(24.0, 26.0, 27.0, 30.0),
    }  # fmt: skip
    return Passage(**good | other)


def found(straight=None, through=None, **other):
    options = {"scheme": "ndi", "rate": 60.0, "net": "through"} | other
    return Found(straight=straight or way(), through=through or way(), **options)


def test_what_passed_is_told_with_what_was_allowed():
    assert verdict.verdict(found()) == (
        "It passed: 60.0 of 60 pictures a second came back through the bridge, each once, upright "
        "and in its own colours; half of them within 7.1 ms of being sent, 99 of 100 within 9.8 ms "
        "(66.7 are allowed, the time of 4 pictures)."
    )


def test_of_a_network_that_learns_no_colours_are_promised():
    assert "each once, upright; half" in verdict.verdict(found(net="tiles"))


@pytest.mark.parametrize("kind", verdict.WRONG)
def test_each_wrong_is_told_with_where_how_often_and_what_to_do(kind):
    words = verdict.WRONG[kind][0].format(off=77)
    told = verdict.verdict(found(through=way(**{kind: 3}, grey=5.0, off=77.0)))
    start = f"It failed: the picture comes {words}, through the bridge (3 of 600). "
    assert told.startswith(start)
    assert "`firstlight devices`" in told.removeprefix(start)


def test_what_is_wrong_on_both_ways_is_told_once():
    both = found(straight=way(flipped=600), through=way(flipped=600))
    (fault,) = faults(both)
    assert fault.what == (
        "the picture comes upside down, straight from the sender (all 600) and through the bridge "
        "(all 600)"
    )


def test_a_turn_that_two_passages_undo_is_explained():
    assert faults(found(straight=way(flipped=600)))[0].mend.startswith(
        "Through the bridge it passes twice and comes back right, but your own software"
    )
    assert "twice" not in faults(found(through=way(flipped=600)))[0].mend


def test_what_two_passages_do_not_undo_is_not_said_to_be_hidden():
    assert "twice" not in faults(found(straight=way(discoloured=600)))[0].mend


def test_the_senders_own_transparent_patch_is_no_fault_straight_from_it():
    assert not faults(found(straight=way(translucent=120)))
    assert faults(found(through=way(translucent=120)))


def test_what_a_network_has_not_learnt_is_no_transports_fault():
    told = faults(found(net="ghost", through=way(unread=600)))
    assert told[0].mend.startswith("ghost has not learnt it yet, or never does: try --warm 10")
    straight = faults(found(net="ghost", straight=way(unread=120), through=way(unread=600)))
    assert "learnt" not in straight[0].mend
    assert "learnt" not in faults(found(net="ghost", through=way(flipped=600)))[0].mend


@pytest.mark.parametrize("scheme", verdict.NOTHING)
def test_nothing_from_the_sender_is_told_with_what_this_transport_needs(scheme):
    nothing = Found(scheme, 60.0, "through", straight=Passage(sent=120))
    assert faults(nothing) == [
        ("no picture comes from the sender", verdict.NOTHING[scheme]),
    ]


def test_nothing_through_the_bridge_is_told_with_its_last_words():
    told = verdict.verdict(found(through=Passage(sent=600), said="it is not to be seen"))
    assert told.startswith("It failed: no picture comes back through the bridge. The bridge runs;")
    assert 'it last said: "it is not to be seen". If that does not help' in told


def test_a_sender_that_is_slow_itself_says_nothing_of_the_bridge():
    (fault,) = faults(found(through=way(sent_fps=41.26, received=380, missing=220)))
    assert fault.what == "the sender itself manages only 41.2 of 60 pictures a second"
    assert "--rate 30" in fault.mend


@pytest.mark.parametrize(
    ("skipped", "replaced", "who"),
    [
        (20, 2, "The bridge left 20 out, for it takes longer"),
        (2, 20, "The receiver was given newer ones in the place of 20."),
        (2, 3, "Between the programs 19 were lost. NDI drops"),
        (None, 0, "Between the programs 24 were lost."),
    ],
)
def test_who_lost_most_of_them_is_told(skipped, replaced, who):
    lossy = way(received=576, missing=24, replaced=replaced)
    (fault,) = faults(found(through=lossy, skipped=skipped))
    assert fault.what == (
        "4.0% of the pictures never come back, and 1% may be missing: 57.6 of 60 pictures a second "
        "come"
    )
    assert fault.mend.startswith(who)


def test_one_in_a_hundred_may_be_lost():
    assert not faults(found(through=way(received=594, missing=6)))
    assert faults(found(through=way(received=593, missing=7)))


def test_ninety_eight_in_a_hundred_of_the_rate_must_come():
    """Of a sender that keeps it by a hair, and a bridge that loses next to none."""
    lossy = {"received": 595, "missing": 5}
    assert not faults(found(through=way(sent_fps=59.4, **lossy)))
    assert faults(found(through=way(sent_fps=59.0, **lossy)))


def test_what_is_lost_straight_from_the_sender_too_is_not_the_bridges_to_mend():
    lossy = way(received=500, missing=100)
    (fault,) = faults(found(straight=lossy, through=lossy, skipped=100))
    assert fault.mend.startswith("Some are lost straight from the sender too, without the bridge. ")


def test_no_more_are_said_to_be_lost_than_were():
    lossy = way(received=597, missing=3, replaced=50)
    assert verdict.shares(found(through=lossy, skipped=2)) == (2, 1, 0)
    assert verdict.shares(found(through=lossy, skipped=90)) == (3, 0, 0)


def test_a_picture_that_comes_late_is_told_with_what_is_allowed():
    (fault,) = faults(found(through=way(latency=Spread(20.0, 60.0, 66.7, 90.0))))
    assert fault.what == (
        "the picture comes late: 99 of 100 within 67 ms, and 67 are allowed, the time of 4 pictures"
    )
    assert not faults(found(through=way(latency=Spread(20.0, 60.0, 66.6, 90.0))))


def test_all_that_is_wrong_is_told_the_worst_first():
    late = way(swapped=600, latency=Spread(90.0, 90.0, 90.0, 90.0))
    first, second = verdict.verdict(found(through=late)).splitlines()
    assert first.startswith("It failed: the picture comes with red and blue swapped")
    assert second.startswith("Also: the picture comes late")


def test_ndi_may_be_off_by_what_it_is_off_by_and_others_by_a_rounding():
    assert verdict.tolerance("spout") == verdict.tolerance("syphon") == Tolerance(4, 4)
    assert verdict.tolerance("ndi") == Tolerance(12, 30)
    assert verdict.tolerance("spout", "tiles") == Tolerance(96, 96)


# A whole measurement, on a fake stage


def flips(_number, pixels):
    return [pixels[::-1]]


def mirrors(_number, pixels):
    return [np.ascontiguousarray(pixels[:, ::-1])]


def swaps(_number, pixels):
    return [np.ascontiguousarray(pixels[..., [2, 1, 0, 3]])]


def multiplies(_number, pixels):
    pixels[..., :3] = pixels[..., :3] * (pixels[..., 3:] // 255)
    return [pixels]


def fades(_number, pixels):
    pixels[..., :3] = pixels[..., :3] // 2 + 64
    return [pixels]


def drops(number, pixels):
    return [pixels] if number % 5 else []


def doubles(number, pixels):
    return [pixels] * (1 if number % 5 else 2)


def nothing(_number, _pixels):
    return []


def blackens(_number, pixels):
    return [np.zeros_like(pixels)]


def at_last(_number, pixels):
    """What begins with grey, as the bridge does."""
    return [pixels] if _number > 60 else [np.full_like(pixels, 128)]


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(latency, "STRAIGHT", 0.6)
    monkeypatch.setattr(latency, "SETTLE", 0.1)
    monkeypatch.setattr(latency, "GRACE", 0.2)


PLAN = latency.Plan("ndi", (160, 160), RATE, 1.0, 0.0, "through", ())


def measured(*hops, plan=PLAN, **how):
    relay, said = Relay(*hops, rate=RATE, **how), []
    result, stats = latency.perform(plan, relay, said.append)
    return result, stats, relay, said


def test_what_goes_through_whole_passes():
    result, stats, relay, said = measured()
    assert not faults(result)
    assert (result.straight.pictures, result.through.pictures) == (18, 30)
    assert (result.straight.latency.p50, result.through.latency.p50) == (4.0, 12.0)
    assert result.straight.sent_fps == result.through.received_fps == RATE
    assert relay.opened == ["fake:card", "fake:bridge"]
    assert (stats["/stats/route"], result.route) == ("by hand", "by hand")
    assert said == [
        "cards go out as fake:card, 160x160 at 30 a second",
        "they are seen; the bridge starts",
        "the bridge sends fake:bridge; 1 seconds are measured",
    ]


@pytest.mark.parametrize(
    ("hops", "sentence"),
    [
        ((flips, opaque, flips), r"upside down, straight from the sender \(all 18\)\. Through the"),
        ((whole, opaque, flips), r"upside down, through the bridge \(all 30\)\. Until"),
        ((flips, opaque, whole), r"down, straight from the sender \(all 18\) and through the br"),
        ((mirrors, opaque, mirrors), r"left for right, straight from the sender \(all 18\)\. Thro"),
        ((swaps, opaque, swaps), r"red and blue swapped, straight from the sender \(all 18\)\. Th"),
        ((whole, opaque, swaps), r"red and blue swapped, through the bridge \(all 30\)"),
        ((multiplies,), r"with its transparent part darkened, straight from the sender \(all 18\)"),
        ((whole, whole), r"with alpha below 255, through the bridge \(all 30\)"),
        ((fades,), r"in wrong colours, off by up to 64 of 255 levels, straight"),
        ((whole, fades), r"in wrong colours, off by up to 64 of 255 levels, through"),
        ((doubles,), r"more than once, straight from the sender \(\d of 2\d\)"),
        ((blackens,), r"as something that was not sent, straight from the sender \(all 1\d\)"),
        ((drops,), r"20\.0% of the pictures never come back, .* 24\.0 of 30 pictures a second"),
        ((whole, nothing), r"no picture comes back through the bridge\."),
        ((nothing,), r"no picture comes from the sender\. Look whether a firewall"),
    ],
)
def test_each_fault_of_a_transport_is_told(hops, sentence):
    result, *_ = measured(*hops)
    told = verdict.verdict(result)
    assert told.startswith("It failed: ")
    assert re.search(sentence, told.splitlines()[0]), told


def test_pictures_that_the_bridge_sends_before_it_sees_any_do_not_count():
    result, *_ = measured(whole, at_last)
    assert not result.through.unread


def test_what_happens_while_it_warms_up_does_not_count():
    def settles(number, pixels):
        return opaque(number, pixels if number > 75 else pixels[::-1])

    assert faults(measured(whole, settles)[0])
    warm = dataclasses.replace(PLAN, warm=2.0)
    assert not faults(measured(whole, settles, plan=warm)[0])


def test_a_network_that_learns_may_be_off_by_more():
    def paints(number, pixels):
        return fades(number, *opaque(number, pixels))

    assert faults(measured(whole, paints)[0])
    assert not faults(measured(whole, paints, plan=dataclasses.replace(PLAN, net="tiles"))[0])


def test_what_the_bridge_shows_again_for_want_of_a_new_one_is_no_duplicate():
    def waits(number, pixels):
        return {0: [pixels, pixels], 1: []}.get(number % 5, [pixels])

    result, *_ = measured(whole, opaque, waits, late=0.045)
    assert (result.through.held, result.through.duplicated) == (6, 0)


@pytest.mark.parametrize(("rate", "seconds"), [(120.0, 0.02), (60.0, 0.02), (15.0, 0.08)])
def test_the_bridge_shows_nothing_again_before_two_frames_or_a_thirtieth(rate, seconds):
    """Less what its picture may have been late, and that one again early."""
    patience = dataclasses.replace(PLAN, rate=rate).patience
    assert patience == pytest.approx(seconds)


def test_what_comes_later_than_four_pictures_is_late():
    result, *_ = measured(late=0.05)
    assert [fault.what for fault in faults(result)] == [
        "the picture comes late: 99 of 100 within 150 ms, and 133 are allowed, the time of 4 "
        "pictures"
    ]


def test_what_the_bridge_left_out_is_what_it_counted_meanwhile():
    result, *_ = measured(skipped=3)
    assert result.skipped == 3


def test_where_nothing_is_seen_the_bridge_is_not_started():
    result, _, relay, _ = measured(nothing)
    assert relay.opened == ["fake:card"]
    assert result.through is None


def test_where_nothing_comes_both_ends_say_what_is_wrong_with_them():
    told = verdict.verdict(measured(nothing, error="out of paper")[0])
    assert told.endswith('It says: "out of paper" It says: "it is dark"')
    told = verdict.verdict(measured(whole, nothing)[0])
    assert 'it last said: "waiting". The receiver says: "it is dark" If that' in told


def test_a_program_that_ends_ends_the_measurement():
    with pytest.raises(Refusal, match="the bridge has ended; it last said: out of memory"):
        measured(nothing, dies=True)


# The command


def run(monkeypatch, capsys, *words, hops=(), **how):
    """The command on a fake stage: its exit code, and what it printed."""
    relay = Relay(*hops, rate=RATE, **how)
    relay.close = lambda: None
    monkeypatch.setattr(rig, "Rig", lambda *_: relay)
    monkeypatch.setattr(rig, "needed", lambda _: None)
    monkeypatch.setattr(latency, "Console", lambda: Console(width=200))
    code = cli.main(["latency", "ndi", "--rate", "30", "--seconds", "1", "--warm", "0", *words])
    return code, capsys.readouterr()


def test_it_answers_nought_for_passed_and_says_what_it_does_not_see(monkeypatch, capsys):
    code, told = run(monkeypatch, capsys)
    assert code == 0
    assert "It passed: 30.0 of 30 pictures a second" in told.out
    assert "do wrong alike cannot be seen so" in told.out
    assert "The bridge's pictures: by hand." in told.out
    assert "cards go out" in told.err
    assert "lost through the bridge" not in told.out


def test_it_answers_one_for_failed(monkeypatch, capsys):
    code, told = run(monkeypatch, capsys, hops=(drops,), skipped=6)
    assert code == 1
    assert "it left out 6 itself, 0 were replaced" in told.out
    assert "It failed: 20.0% of the pictures" in told.out
    assert "alike" not in told.out


def test_it_answers_two_where_it_could_not_be_run(monkeypatch, capsys):
    code, told = run(monkeypatch, capsys, hops=(nothing,), dies=True)
    assert code == 2
    assert "firstlight: the bridge has ended" in told.err


def test_all_that_was_measured_can_be_written(monkeypatch, capsys, tmp_path):
    code, told = run(monkeypatch, capsys, "--json", str(tmp_path / "it.json"), hops=(flips,))
    written = json.loads((tmp_path / "it.json").read_text())
    assert (code, written["passed"]) == (1, False)
    assert written["verdict"] in told.out
    assert written["through"]["flipped"] == 30
    assert written["straight"]["latency"]["p50"] == 4.0
    assert written["bridge"]["/stats/route"] == "by hand"
    assert written["plan"]["size"] == [640, 360]


def test_a_file_that_cannot_be_written_is_told(monkeypatch, capsys, tmp_path):
    code, told = run(monkeypatch, capsys, "--json", str(tmp_path / "no" / "it.json"))
    assert code == 2
    assert "could not be written" in told.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["file"], r"choose what two programs share pictures by: spout \(Windows\), syphon \(mac"),
        (["pattern"], "nothing to measure there"),
        (["ndi", "--rate", "0"], "--rate 0: choose 1 to 240"),
        (["ndi", "--seconds", "0"], "--seconds 0: choose 1 to 3600"),
        (["ndi", "--warm", "-1"], "--warm -1: choose 0 to 600"),
        (["ndi", "--size", "640"], "--size 640: write width x height"),
        (["ndi", "--size", "641x360"], "even sides"),
        (["ndi", "--size", "64x64"], "from 160"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_what_can(words, reason, capsys):
    assert cli.main(["latency", *words]) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_options_of_the_bridges_are_handed_on():
    words = ["ndi", "--lines", "96", "--out-size", "320x192", "--device", "cpu"]
    words += ["--set", "/see/gray=1", "--set", "/learn/on=off"]
    plan = latency.planned(parsers.latency_parser().parse_args(words))
    assert plan.words == (
        "--set=/see/gray=1", "--set=/learn/on=off", "--lines", "96", "--size", "320x192",
        "--device", "cpu",
    )  # fmt: skip
    parsers.run_parser().parse_args(plan.words)


def test_what_would_end_it_at_once_ends_it_in_order_and_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), latency._interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


# The sender


class Slow:
    """A clock, and a sender that takes its time on it."""

    def __init__(self, takes=()):
        self.now, self.takes, self.numbers, self.slept = 50.0, dict(takes), [], []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def send(self, frame):
        number = read(frame.pixels).number
        self.numbers.append(number)
        self.now += self.takes.get(number, 0.0)


def sent(slow, count):
    ended = lambda: len(slow.numbers) == count  # noqa: E731
    return source.send(slow, Card(160, 160), 10.0, ended, clock=slow.clock, sleep=slow.sleep)


def test_cards_are_sent_in_order_and_on_time():
    slow = Slow()
    assert sent(slow, 5) == pytest.approx([50.0, 50.1, 50.2, 50.3, 50.4])
    assert slow.numbers == [0, 1, 2, 3, 4]


def test_one_that_is_late_makes_none_after_it_late():
    assert sent(Slow({1: 0.15}), 5) == pytest.approx([50.0, 50.1, 50.25, 50.3, 50.4])


def test_no_card_makes_up_for_a_turn_that_was_missed():
    slow = Slow({1: 0.43})
    assert sent(slow, 5) == pytest.approx([50.0, 50.1, 50.53, 50.6, 50.7])
    assert slow.numbers == [0, 1, 2, 3, 4]


def test_what_is_told_is_the_moment_before_it_was_handed_over():
    assert sent(Slow({0: 0.05, 1: 0.05}), 3) == pytest.approx([50.0, 50.1, 50.2])


def test_a_sender_that_cannot_be_opened_says_why():
    said = io.StringIO()
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        words = ["nowhere", "name", "160", "160", "60"]
        assert source.main(words, io.StringIO(), said) == 2
    finally:
        for one, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(one, handler)
    assert "--out nowhere:name: no such transport" in said.getvalue()


# The programs


def program(code, what="the sender"):
    return contextlib.closing(rig.Program(what, ["-c", code]))


def test_what_a_program_says_is_heard():
    with program("print('one', flush=True); print('two: 2', flush=True); input()") as one:
        assert one.heard(r"two: (\d)", 10)[1] == "2"
        one.check()


def test_a_program_that_ends_before_it_says_so_is_told_with_its_last_line():
    with (
        program("import sys; print('firstlight: no card', file=sys.stderr); sys.exit(2)") as one,
        pytest.raises(Refusal, match=r"^the sender has ended; it last said: no card$"),
    ):
        one.heard("opened", 10)


def test_a_program_that_says_nothing_for_too_long_is_told():
    with program("print('hm', flush=True); input()") as one:
        one.heard("hm", 10)
        with pytest.raises(Refusal, match="the sender does not start; it last said: hm"):
            one.heard("opened", 0.01)


def test_a_program_is_ended_whether_or_not_it_listens(monkeypatch):
    monkeypatch.setattr(rig, "ENDS", 0.2)
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    deaf += "print('up', flush=True)\ntime.sleep(600)"
    with program(deaf) as one:
        one.heard("up", 10)
    assert one._process.poll() is not None
    assert not one._reader.is_alive()


def test_the_sender_ends_with_its_input_and_tells_when_each_card_was_sent():
    stage = rig.Rig("none", (160, 160), 240.0, "through", (), "")
    with contextlib.closing(stage):
        begun = stage.clock()
        assert stage.source() == f"none:First Light card {os.getpid()}"
        stage._source.heard("opened", 10)
        times = stage.sent().times
        assert all(begun < time < stage.clock() for time in times)
        stage._source._process.wait(10)
        with pytest.raises(Refusal, match="the sender has ended"):
            stage.check()


def test_the_bridge_is_asked_what_it_has_counted():
    stage = rig.Rig("none", (160, 160), 60.0, "through", (), "")
    with contextlib.closing(stage), Ear(port=0, feedback=["none"]) as ear:
        stage._osc = ear.port
        ear.stats.skipped, ear.stats.route = 5, "on the card"
        ear.complete()
        told = stage.stats()
    assert (told["/stats/skipped"], told["/stats/route"]) == (5, "on the card")
    assert all(address.startswith(("/stats/", "/net/")) for address in told)


def test_a_bridge_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(rig, "ANSWERS", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        stage = rig.Rig("none", (160, 160), 60.0, "through", (), "")
        stage._osc = deaf.getsockname()[1]
        with contextlib.closing(stage):
            assert stage.stats() == {}


def test_a_port_is_taken_while_somebody_listens_on_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert rig.is_taken(port)
    assert not rig.is_taken(port)


def test_an_ndi_sender_is_found_by_the_port_that_it_opened(monkeypatch):
    stage = rig.Rig("ndi", (160, 160), 60.0, "through", (), "", sleep=lambda _: taken.append(5963))
    taken = [5961]
    monkeypatch.setattr(rig, "is_taken", lambda port: port in taken)
    assert stage._address("it", stage._taken()) == "ndi:@127.0.0.1:5963"


def test_an_ndi_sender_that_opens_no_port_is_told(monkeypatch):
    monkeypatch.setattr(rig, "is_taken", lambda _: False)
    monkeypatch.setattr(rig, "SAYS", 0.01)
    stage = rig.Rig("ndi", (160, 160), 60.0, "through", (), "", sleep=lambda _: None)
    with pytest.raises(Refusal, match="no port from 5961 to 5999 was opened"):
        stage._address("it", set())


def test_an_ndi_sender_that_ends_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(rig, "is_taken", lambda _: False)
    stage = rig.Rig("ndi", (160, 160), 60.0, "through", (), "", sleep=lambda _: None)
    with program("pass") as stage._source:
        stage._source._process.wait(10)
        with pytest.raises(Refusal, match="the sender has ended"):
            stage._address("it", set())


def test_what_is_shared_by_name_is_found_by_name():
    stage = rig.Rig("spout", (160, 160), 60.0, "through", (), "")
    assert stage._address("First Light card 7", set()) == "spout:First Light card 7"


def test_the_bridge_keeps_nothing_among_the_users_own(monkeypatch):
    started = []
    stage = rig.Rig("spout", (160, 160), 60.0, "tiles", ("--lines", "96"), "/a/folder")

    class Bridge:
        def heard(self, pattern, _seconds):
            return pattern.search("12:00:00 bridge: tiles; OSC on 127.0.0.1:4711")

    monkeypatch.setattr(stage, "_started", lambda _, words: started.append(words) or Bridge())
    assert stage.bridge("spout:It") == f"spout:First Light latency {os.getpid()}"
    options = parsers.run_parser().parse_args(started[0][3:])
    assert (options.source, options.sinks, options.net) == ("spout:It", ["spout:"], "tiles")
    assert (options.brains, options.presets) == ("/a/folder", "/a/folder")
    assert (options.osc, options.page, options.feedback) == (0, -1, ["none"])
    assert (options.name, options.lines) == (f"First Light latency {os.getpid()}", 96)
    assert stage._osc == 4711


# For real


@pytest.mark.clients
@alone
def test_ndi_passes_from_one_program_through_the_bridge_into_another():
    """Three programs; whether they are quick enough depends on who else runs, and is not asked."""
    os.sched_setaffinity(0, range(os.cpu_count()))  # a test has one core, and these need more
    words = ["latency", "ndi", "--size", "320x180", "--rate", "30", "--seconds", "2", "--warm", "1"]
    with tempfile.TemporaryDirectory() as folder:
        code = cli.main([*words, "--json", f"{folder}/it.json"])
        told = json.loads(Path(folder, "it.json").read_text())
    assert code == (0 if told["passed"] else 1)
    for way, least in (("straight", 40), ("through", 40)):
        assert told[way]["received"] > least, told
        assert 0 < told[way]["latency"]["p50"] < 1000
        assert not any(told[way][kind] for kind in verdict.WRONG if kind != "translucent"), told
    assert not told["through"]["translucent"]
    assert told["bridge"]["/stats/frames"] > 60
