"""What is there, and the choice among it while the picture goes on."""

import threading

import pytest
from fakes.stage import frame

from bridge import Refusal, video
from bridge.space import AddressSpace
from bridge.video import Sink, Source, auto
from bridge.video import lookout as lookout_module
from bridge.video.lookout import EVERY, Lookout

PATIENCE = 10.0  # seconds after which what was waited for has not come


class Tape:
    """A receiver that gives frames while it is `on`, and tells that it was closed, and where."""

    def __init__(self, address: str) -> None:
        self.address, self.on, self.number = address, True, 0
        self.opened_by, self.closed_by = threading.current_thread(), None
        self.closed = threading.Event()
        self.error = ""

    def receive(self, timeout):
        self.timeout = timeout
        self.number += 1
        return frame(seed=self.number) if self.on else None

    def status(self):
        return Source(self.on, self.address, (64, 48), 30.0, error=self.error)

    def close(self):
        self.closed_by = threading.current_thread()
        self.closed.set()


class Place:
    """What can be opened: the addresses seen, and a tape for each that was opened."""

    def __init__(self, **seen: list[str]) -> None:
        self.seen, self.tapes, self.broken = seen, {}, {}
        self.now = 0.0
        self.opened = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()

    def discover(self, scheme, _timeout):
        found = self.seen.get(scheme, ImportError(f"{scheme}: is not for this system"))
        if isinstance(found, Exception):
            raise found
        return found

    def open(self, address, **_how):
        assert self.gate.wait(PATIENCE)
        if address in self.broken:
            with self.opened:
                self.tapes[address] = None
                self.opened.notify_all()
            raise self.broken[address]
        tape = Tape(address)
        with self.opened:
            self.tapes[address] = tape
            self.opened.notify_all()
        return tape

    def wait_for(self, address):
        with self.opened:
            assert self.opened.wait_for(lambda: address in self.tapes, PATIENCE)
        return self.tapes[address]

    def later(self, seconds=EVERY):
        self.now += seconds


@pytest.fixture
def begin(monkeypatch):
    """Begin with an address; the lookout asks on this thread alone."""
    opened = []

    def begun(place, rest=""):
        monkeypatch.setattr(video, "open_receiver", place.open)
        lookout = Lookout(("spout", "syphon", "ndi", "camera", "pattern"), place.discover)
        monkeypatch.setattr(lookout, "watch", lambda: None)
        receiver = auto.Receiver(rest, live=True, lookout=lookout, clock=lambda: place.now)
        opened.append(receiver)
        return receiver

    yield begun
    for receiver in opened:
        receiver.close()


def look(receiver, *schemes):
    """What the lookout's own thread would do."""
    for scheme in schemes:
        receiver._lookout._ask(scheme, 0.0)


def until_it_plays(receiver, address):
    turns = 0
    while receiver.status().name != address:
        assert receiver.receive(0.0) is not None, "the picture stopped"
        turns += 1
        assert turns < 1_000_000, receiver.status()


# Which is the first


@pytest.mark.parametrize(
    ("seen", "first"),
    [
        ({"spout": ["spout:Arena", "spout:TD"], "ndi": ["ndi:A (b)"]}, "spout:Arena"),
        ({"syphon": ["syphon:Arena"], "ndi": ["ndi:A (b)"]}, "syphon:Arena"),
        ({"spout": [], "ndi": ["ndi:A (b)"], "camera": ["camera:0"]}, "ndi:A (b)"),
        ({"spout": [], "ndi": [], "camera": ["camera:0"], "pattern": ["pattern:"]}, "pattern:"),
        ({}, "pattern:"),
    ],
)
def test_it_begins_with_spout_or_syphon_then_ndi_then_the_built_in_scene(begin, seen, first):
    receiver = begin(Place(**seen))
    assert (receiver.source, receiver.status().name) == (first, first)


def test_what_is_there_but_cannot_be_opened_is_passed_over(begin, caplog):
    place = Place(spout=["spout:Arena"], ndi=["ndi:A (b)"])
    place.broken["spout:Arena"] = Refusal("--in spout:Arena: its adapter is gone; look again.")
    assert begin(place).source == "ndi:A (b)"
    assert "its adapter is gone" in caplog.text


def test_it_begins_with_what_is_asked_for_whatever_is_there(begin):
    assert begin(Place(spout=["spout:Arena"]), "file:clip.mp4").source == "file:clip.mp4"


def test_what_is_asked_for_and_cannot_be_opened_is_refused(begin):
    place = Place(pattern=["pattern:"])
    place.broken["file:a.mp4"] = Refusal("--in file:a.mp4: there is no such file; check the path.")
    with pytest.raises(Refusal, match="no such file"):
        begin(place, "file:a.mp4")


def test_the_network_is_not_touched_unless_it_is_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(video, "open_receiver", Place().open)
    monkeypatch.setattr(video, "discover", lambda scheme, _: asked.append(scheme) or [])
    for rest in ("pattern:", "file:a.mp4", "camera:"):
        receiver = auto.Receiver(rest, live=True)
        assert list(receiver._lookout.first(0.0)) == []
        receiver.close()
    assert "ndi" not in asked
    assert "camera" in asked


def test_when_a_sender_comes_the_built_in_scene_makes_way(begin):
    place = Place(spout=[], ndi=[], pattern=["pattern:"])
    receiver = begin(place)
    place.seen["spout"] = ["spout:Arena"]
    receiver.receive(0.0)
    assert receiver.source == "pattern:"  # it has not looked again yet
    place.later()
    receiver.receive(0.0)
    assert receiver.status().name == "spout:Arena"


class Dark(Tape):
    """There, and without a picture; it takes the time that it is given."""

    place: Place

    def receive(self, timeout):
        self.place.now += timeout
        return super().receive(timeout) if self.on and self.address in self.place.lit else None

    def status(self):
        size = (64, 48) if self.address in self.place.lit else None
        return Source(True, self.address, size, 30.0, error=self.error)


def dark(place, *lit):
    """All senders of this place show nothing, but these."""
    place.lit, Dark.place = {"pattern:", *lit}, place

    def opened(address, **_how):
        place.tapes[address] = Dark(address)
        return place.tapes[address]

    place.open = opened
    return place


def test_a_sender_that_shows_nothing_does_not_keep_the_others_from_playing(begin, caplog):
    place = dark(Place(spout=["spout:Idle", "spout:Arena"]), "spout:Arena")
    receiver = begin(place)
    assert receiver.source == "spout:Arena"
    assert place.tapes["spout:Idle"].closed.is_set()
    assert "spout:Idle is there and shows nothing" in caplog.text


def test_where_all_show_nothing_the_built_in_scene_plays_on_and_each_is_tried_in_turn(begin):
    place = dark(Place(spout=["spout:Idle"], pattern=["pattern:"]))
    receiver = begin(place)
    assert receiver.source == "pattern:"
    place.seen["spout"] = ["spout:Idle", "spout:Idler", "spout:Arena"]
    place.lit.add("spout:Arena")
    tried = set()
    while receiver.status().name != "spout:Arena":
        place.later(0.5)
        assert receiver.receive(0.0) is not None, "the picture stopped"
        tried.add(receiver.source)
        assert place.now < 20.0
    assert tried == {"pattern:", "spout:Idler", "spout:Arena"}  # Idle has had its turn


def test_one_that_was_tried_in_vain_is_tried_again_after_a_while(begin):
    place = dark(Place(spout=["spout:Arena"], pattern=["pattern:"]))
    receiver = begin(place)
    place.lit.add("spout:Arena")
    until = place.now + auto.IN_VAIN
    while place.now < until - EVERY:
        place.later()
        receiver.receive(0.0)
        assert receiver.source == "pattern:"
    place.later(2 * EVERY)
    receiver.receive(0.0)
    assert receiver.status().name == "spout:Arena"


def test_one_that_cannot_be_opened_is_not_tried_again_with_every_look(begin):
    place = Place(spout=[], pattern=["pattern:"])
    receiver = begin(place)
    place.seen["spout"] = ["spout:A"]
    place.broken["spout:A"] = Refusal("--in spout:A: its format is not read; set it to 8 bit.")
    place.later()
    receiver.receive(0.0)
    del place.broken["spout:A"]
    place.later()
    receiver.receive(0.0)
    assert receiver.source == "pattern:"


def test_who_asked_for_the_built_in_scene_keeps_it(begin):
    place = Place(spout=[], pattern=["pattern:"])
    receiver = begin(place, "pattern:")
    place.seen["spout"] = ["spout:Arena"]
    place.later()
    receiver.receive(0.0)
    assert receiver.source == "pattern:"


def test_it_makes_way_once(begin):
    place = Place(spout=[], pattern=["pattern:"])
    receiver = begin(place)
    place.seen["spout"] = ["spout:Arena"]
    place.later()
    receiver.receive(0.0)
    place.seen["spout"] = ["spout:TD"]
    place.later()
    receiver.receive(0.0)
    assert receiver.source == "spout:Arena"


def test_it_looks_around_every_other_second_and_not_with_every_frame(begin):
    asked = []
    place = Place(spout=["spout:Arena"])
    receiver = begin(place)
    receiver._lookout._discover = lambda scheme, _: asked.append(scheme) or []
    for _ in range(100):
        place.later(EVERY / 20)
        receiver.receive(0.0)
    assert set(asked) == {"spout"}
    assert 4 <= len(asked) <= 5


def test_once_it_plays_it_never_jumps_to_another_by_itself(begin):
    place = Place(spout=["spout:Arena"])
    receiver = begin(place)
    place.tapes["spout:Arena"].on = False
    place.seen["spout"] = ["spout:TD"]
    for _ in range(3):
        place.later()
        assert receiver.receive(0.0) is None
    assert receiver.source == "spout:Arena"


def test_a_hand_that_chooses_the_built_in_scene_keeps_it(begin):
    place = Place(spout=[], camera=["camera:0"], pattern=["pattern:"])
    receiver = begin(place)
    look(receiver, "camera", "pattern")
    receiver.source = "camera:0"
    until_it_plays(receiver, "camera:0")
    receiver.source = "pattern:"
    until_it_plays(receiver, "pattern:")
    place.seen["spout"] = ["spout:Arena"]
    place.later()
    receiver.receive(0.0)
    assert receiver.source == "pattern:"


def test_who_tells_its_size_with_its_first_frame_is_given_time_for_it_and_that_frame_is_played(
    begin, monkeypatch
):
    size = [None]

    class Late(Tape):
        def receive(self, timeout):
            place.now += timeout
            if place.now < 0.3:
                return None
            size[0] = (64, 48)
            return super().receive(timeout)

        def status(self):
            return Source(True, self.address, size[0], 30.0)

    place = Place(spout=["spout:A"])
    monkeypatch.setattr(place, "open", lambda address, **_: Late(address))
    receiver = begin(place)
    assert receiver.status().size == (64, 48)
    pixels = [receiver.receive(0.0).pixels for _ in range(2)]
    assert [(p == frame(seed=n).pixels).all() for n, p in enumerate(pixels, 1)] == [True, True]


def test_who_shows_nothing_is_not_waited_for_long(begin):
    place = dark(Place(spout=["spout:A"]))
    begin(place, "spout:A")
    assert auto.SHAPE <= place.now < auto.SHAPE + 0.1


def test_the_first_frame_is_as_old_as_the_moment_it_is_played(begin):
    place = dark(Place(spout=["spout:A"]), "spout:A")
    receiver = begin(place)
    receiver._shown = frame(time=place.now)  # kept while torch was made ready
    place.later(3.0)
    assert receiver.receive(0.0).time == place.now


# Another, while it plays


def test_another_source_takes_over_with_its_first_frame_and_the_picture_never_stops(begin):
    place = Place(spout=["spout:A", "spout:B"])
    receiver = begin(place)
    receiver.source = "spout:B"
    assert receiver.receive(0.5) is not None
    assert receiver.status().name == "spout:B"
    assert place.tapes["spout:A"].closed.is_set()
    assert place.tapes["spout:B"].timeout == 0.0


def test_a_source_that_shows_nothing_takes_nothing_away_and_is_told(begin):
    place = Place(spout=["spout:A", "spout:B"])
    receiver = begin(place)
    receiver.source = "spout:B"
    opened = place.open

    def silent(address, **how):
        tape = opened(address, **how)
        tape.on = False
        return tape

    receiver._open = silent
    receiver.receive(0.0)
    assert (receiver.source, receiver.status().name) == ("spout:B", "spout:A")
    assert not receiver.status().error
    place.now += auto.SHOWS + 1
    assert receiver.receive(0.0) is not None
    assert "spout:B: it shows nothing yet; spout:A goes on" in receiver.status().error
    place.tapes["spout:B"].on = True
    receiver.receive(0.0)
    assert (receiver.status().name, receiver.status().error) == ("spout:B", "")


def test_a_choice_that_fails_as_it_shows_leaves_what_plays_alone(begin):
    place = Place(spout=["spout:A", "spout:B"])
    receiver = begin(place)
    opened = place.open

    def failing(address, **how):
        tape = opened(address, **how)

        def fail(_timeout):
            raise RuntimeError("the card is gone")

        tape.receive = fail
        return tape

    receiver._open = failing
    receiver.source = "spout:B"
    for _ in range(3):
        assert receiver.receive(0.0) is not None
    assert (receiver.source, receiver.status().name) == ("spout:A", "spout:A")
    assert receiver.status().error == "the card is gone"
    assert place.tapes["spout:B"].closed.is_set()


def test_what_is_wrong_with_the_source_itself_is_told_before_what_was_wrong_with_a_choice(begin):
    place = Place(spout=["spout:A"])
    receiver = begin(place)
    receiver.source = "spout:Nobody"
    receiver.receive(0.0)
    place.tapes["spout:A"].error = "--in spout:A: it is not to be seen; start it."
    assert "it is not to be seen" in receiver.status().error


def test_what_takes_its_time_is_opened_and_closed_beside_the_frame_thread(begin):
    place = Place(camera=["camera:0"], pattern=["pattern:"])
    receiver = begin(place)
    look(receiver, "camera", "pattern")
    place.gate.clear()
    receiver.source = "camera:0"
    for _ in range(5):
        assert receiver.receive(0.0) is not None  # nothing is waited for
    place.gate.set()
    tape = place.wait_for("camera:0")
    until_it_plays(receiver, "camera:0")
    before = place.tapes["pattern:"]
    assert before.closed.wait(PATIENCE)
    here = threading.current_thread()
    assert here not in (tape.opened_by, before.closed_by)


@pytest.mark.parametrize("scheme", ["spout", "syphon"])
def test_what_belongs_to_the_frame_thread_is_opened_and_closed_on_it(begin, scheme):
    place = Place(**{scheme: [f"{scheme}:A", f"{scheme}:B"]})
    receiver = begin(place)
    receiver.source = f"{scheme}:B"
    receiver.receive(0.0)
    here = threading.current_thread()
    assert place.tapes[f"{scheme}:B"].opened_by is here
    assert place.tapes[f"{scheme}:A"].closed_by is here


def test_one_that_cannot_be_opened_is_told_and_the_choice_goes_back(begin):
    place = Place(spout=["spout:A", "spout:B"])
    place.broken["spout:B"] = Refusal("--in spout:B: its format is not read; set it to 8 bit.")
    receiver = begin(place)
    receiver.source = "spout:B"
    assert receiver.receive(0.0) is not None
    assert receiver.source == "spout:A"
    assert "set it to 8 bit" in receiver.status().error


@pytest.mark.parametrize("name", ["file:/etc/passwd", "ndi:@10.0.0.5:5961", "spout:Nobody", ""])
def test_only_what_is_visible_can_be_chosen(begin, name):
    place = Place(spout=["spout:A"])
    receiver = begin(place)
    receiver.source = name
    receiver.receive(0.0)
    assert receiver.source == "spout:A"
    assert "is not visible; choose one that is" in receiver.status().error
    assert list(place.tapes) == ["spout:A"]


def test_what_it_began_with_can_be_chosen_again(begin):
    place = Place(spout=["spout:A"])
    receiver = begin(place, "file:clip.mp4")
    receiver._lookout.look()
    receiver.source = "spout:A"
    receiver.receive(0.0)
    receiver.source = "file:clip.mp4"
    until_it_plays(receiver, "file:clip.mp4")


def test_a_change_of_mind_drops_what_was_on_its_way(begin):
    place = Place(camera=["camera:0", "camera:1"], pattern=["pattern:"])
    receiver = begin(place)
    look(receiver, "camera", "pattern")
    place.gate.clear()
    receiver.source = "camera:0"
    receiver.receive(0.0)
    receiver.source = "camera:1"
    receiver.receive(0.0)
    place.gate.set()
    assert place.wait_for("camera:0").closed.wait(PATIENCE)
    until_it_plays(receiver, "camera:1")


def test_to_choose_what_plays_while_another_is_on_its_way_stays(begin):
    place = Place(camera=["camera:0"], pattern=["pattern:"])
    receiver = begin(place)
    look(receiver, "camera", "pattern")
    place.gate.clear()
    receiver.source = "camera:0"
    receiver.receive(0.0)
    receiver.source = "pattern:"
    receiver.receive(0.0)
    place.gate.set()
    assert place.wait_for("camera:0").closed.wait(PATIENCE)
    assert receiver.receive(0.0) is not None
    assert receiver.status().name == "pattern:"


def test_at_the_end_all_are_closed(begin):
    place = Place(spout=["spout:A"])
    begin(place).close()
    assert place.tapes["spout:A"].closed.is_set()


# Under the hand


def test_the_choice_is_by_name_or_by_place_in_the_list(begin):
    receiver = begin(Place(spout=["spout:A", "spout:B"]))
    space = AddressSpace()
    space.add("/system", receiver)
    assert space["/system/source"].choices == ("spout:A", "spout:B")
    for chosen, name in (("spout:B", "spout:B"), (0, "spout:A"), (1.0, "spout:B"), (9, "spout:B")):
        space.set("/system/source", [chosen])
        space.apply(0.0)
        receiver.receive(0.0)
        assert receiver.status().name == name


@pytest.mark.parametrize("value", [True, False, float("nan"), float("inf")])
def test_what_is_no_place_in_the_list_is_refused(begin, value):
    receiver = begin(Place(spout=["spout:A", "spout:B"]))
    space = AddressSpace()
    space.add("/system", receiver)
    space.set("/system/source", [value])
    space.apply(0.0)
    assert space.refused == 1
    assert receiver.source == "spout:A"


def test_a_source_is_in_no_preset(begin):
    space = AddressSpace()
    space.add("/system", begin(Place()))
    assert space.preset() == {}


def test_offline_it_is_the_built_in_scene_and_nothing_comes_or_goes(monkeypatch):
    place = Place(spout=["spout:A"])
    monkeypatch.setattr(video, "open_receiver", place.open)
    before = set(threading.enumerate())
    receiver = auto.Receiver("", live=False)
    assert receiver.status().name == "pattern:"
    assert receiver.receive(0.0) is not None
    assert set(threading.enumerate()) <= before
    receiver.close()


# Seeing what there is


def test_a_transport_that_cannot_work_here_is_asked_once():
    asked = []

    def discover(scheme, _timeout):
        asked.append(scheme)
        raise ImportError(f"{scheme}: is not for this system")

    lookout = Lookout(("spout", "syphon"), discover)
    lookout.look()
    lookout.look()
    assert asked == ["spout", "syphon"]


@pytest.mark.parametrize("fault", [Refusal, OSError, ValueError, RuntimeError])
def test_one_that_cannot_see_at_present_is_asked_again(fault):
    answers = [fault("not now"), ["camera:0"]]

    def discover(_scheme, _timeout):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lookout = Lookout(("camera",), discover)
    lookout._ask("camera", 0.0)
    assert lookout.seen == ()
    lookout._ask("camera", 0.0)
    assert lookout.seen == ("camera:0",)


def test_what_takes_its_time_is_looked_for_on_a_thread_of_its_own_and_cameras_once(monkeypatch):
    again = threading.Event()
    by = []

    def discover(scheme, _timeout):
        by.append((scheme, threading.current_thread() is threading.main_thread()))
        if by.count(("ndi", False)) == 3:
            again.set()
        return [f"{scheme}:"]

    monkeypatch.setattr(lookout_module, "EVERY", 0.001)
    lookout = Lookout(("spout", "ndi", "camera"), discover)
    lookout.watch()
    assert again.wait(PATIENCE)
    lookout.close()
    assert by[:3] == [("ndi", False), ("camera", False), ("ndi", False)]
    assert by.count(("camera", False)) == 1


# Out


class Picture:
    def __init__(self, address: str) -> None:
        self.address, self.host, self.sent = address, False, []

    def send(self, picture):
        self.sent.append(picture)

    def status(self):
        return Sink(self.address)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("kind", "rest", "sent_to"),
    [("spout", "First Light", "spout:First Light"), ("syphon", "x", "syphon:x"),
     ("none", "First Light", "none:First Light")],
)  # fmt: skip
def test_it_sends_by_this_systems_own_kind(monkeypatch, kind, rest, sent_to):
    made = []
    monkeypatch.setattr(auto, "OURS", kind)
    monkeypatch.setattr(video, "open_sender", lambda a, **_: made.append(Picture(a)) or made[-1])
    sender = auto.Sender(rest, live=True, rate=30.0)
    picture = frame()
    sender.send(picture)
    sender.close()
    assert made[0].address == sender.status().name == sent_to
    assert made[0].sent == [picture]
    assert made[0].closed
    assert sender.host is False


def test_where_its_own_kind_does_not_work_the_show_goes_on_without(monkeypatch, caplog):
    def opened(address, **_how):
        if address.startswith("spout:"):
            raise ImportError("spout: SpoutGL is missing; run: pip install SpoutGL==0.1.1")
        return Picture(address)

    monkeypatch.setattr(auto, "OURS", "spout")
    monkeypatch.setattr(video, "open_sender", opened)
    assert auto.Sender("First Light", live=True, rate=30.0).status().name == "none:"
    assert "SpoutGL is missing" in caplog.text


def test_offline_it_sends_nowhere(monkeypatch):
    monkeypatch.setattr(auto, "OURS", "spout")
    monkeypatch.setattr(video, "open_sender", lambda address, **_: Picture(address))
    assert auto.Sender("x", live=False, rate=30.0).status().name == "none:x"
