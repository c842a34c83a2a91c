"""Addresses of other programs with the meaning of ours, played by a stream like Resolume's."""

import itertools
import struct
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge import Refusal, config, play
from bridge.control.osc import decode, encode
from bridge.control.surfaces import resolume
from bridge.params import trigger
from bridge.space import AddressSpace

TABLE = Path(__file__).parents[1] / "patches" / "resolume" / "aliases.toml"
LINK = "/composition/dashboard/link1"


class Pad:
    """A trigger that counts."""

    presses = 0

    @trigger("go")
    def go(self) -> None:
        self.presses += 1


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    """What the shipped configuration says."""
    return config.read(str(TABLE)).aliases


@pytest.fixture(scope="module")
def catalogue() -> AddressSpace:
    return play.catalogue()


@pytest.fixture
def space(catalogue, table) -> Iterator[AddressSpace]:
    """Every knob, where it stands at the start, and the shipped aliases."""
    before = catalogue.preset()
    catalogue.unknown = catalogue.refused = catalogue.clipped = 0
    play.alias(catalogue, table)
    yield catalogue
    catalogue.recall(before, at_once=True)


def heard(space: AddressSpace, datagrams: list[bytes]) -> list[str]:
    """Play datagrams as the OSC thread does; answers the addresses that were taken."""
    messages = [message for datagram in datagrams for message in decode(datagram).messages]
    taken = [m.address for m in messages if space.set(m.address, m.arguments, "resolume")]
    space.apply(0.0)
    return taken


# A stream such as "Output All OSC Messages" sends


def rootless(address: str) -> bytes:
    """A message whose address has no "/" or is empty: python-osc builds none."""
    padded = address.encode() + b"\0" * (4 - len(address) % 4)
    return padded + b",i\0\0" + struct.pack(">i", 1)


def bundle(*datagrams: tuple[str, object]) -> bytes:
    builder = OscBundleBuilder(IMMEDIATELY)
    for address, value in datagrams:
        message = OscMessageBuilder(address)
        message.add_arg(value)
        builder.add_content(message.build())
    return builder.build().dgram


def everything() -> list[bytes]:
    """Some seven hundred datagrams: what nobody has mapped, in all its forms."""
    stream = [rootless(address) for address in ("", "name", "colorid", "selected")]
    stream += [encode("/name", "Layer #"), encode("/colorid", 3)]
    for layer, clip in itertools.product(range(1, 5), range(1, 13)):
        place = f"/composition/layers/{layer}/clips/{clip}"
        stream += [encode(f"{place}/connected", state) for state in range(5)]
        stream += [
            encode(f"{place}/name", "Clip #"),
            encode(f"{place}/video/opacity", 1.0),
            encode(f"{place}/transport/position", clip / 12),
            encode(f"{place}/dashboard/link1", 0.9),
        ]
        stream.append(bundle((f"{place}/selected", 1), ("/composition/selectedclip/speed", 0.5)))
    stream += [encode(f"/composition/selectedlayer/dashboard/link{n}", 0.9) for n in range(1, 9)]
    stream += [encode(f"/composition/layers/2/dashboard/link{n}", 0.9) for n in range(1, 9)]
    stream += [encode("/composition/tempocontroller/tempo", t / 200) for t in range(200)]
    return stream


def test_of_all_that_resolume_sends_nothing_lands_that_is_not_mapped(space):
    before = space.preset()
    assert heard(space, everything()) == []
    assert space.preset() == before


def test_what_is_not_mapped_is_counted_and_not_refused(space):
    stream = everything()
    heard(space, stream)
    messages = sum(len(decode(datagram).messages) for datagram in stream)
    assert messages > len(stream) > 600
    assert (space.unknown, space.refused, space.clipped) == (messages, 0, 0)


def test_a_message_without_a_root_is_malformed_and_harms_no_other(space):
    stream = [rootless(""), rootless("name"), encode(LINK, 0.25)]
    assert [len(decode(datagram).malformed) for datagram in stream] == [1, 1, 0]
    assert heard(space, stream) == [LINK]


def test_in_the_midst_of_the_stream_every_mapped_control_plays_its_knob(space, table):
    stream = everything()
    for foreign in table:
        stream.insert(len(stream) // 2, encode(foreign, 1.0))
    assert set(heard(space, stream)) == set(table)
    for ours in table.values():
        knob = space[ours.removeprefix("/norm")]
        assert knob.declared.travel(knob.value) == pytest.approx(1.0)


# What a mapping means


def test_a_mapped_fader_moves_with_our_taper(space):
    rate = space["/learn/rate"]
    heard(space, [encode(LINK, 0.5)])
    assert rate.value == pytest.approx(rate.declared.from_norm(0.5))
    assert rate.value == pytest.approx(0.001, rel=0.01)  # a thousandth, not a half


def test_a_mapped_fader_is_understood_in_a_bundle(space):
    assert heard(space, [bundle(("/name", "x"), (LINK, 1.0))]) == [LINK]
    assert space["/learn/rate"].value == 1.0


def test_a_pattern_goes_on_naming_our_knobs_beside_aliases(space):
    assert space.set("/norm/learn/{rate,trust}", [1.0])
    space.apply(0.0)
    assert (space["/learn/rate"].value, space["/learn/trust"].value) == (1.0, 1.0)


def test_a_pattern_does_not_find_an_alias(space):
    assert not space.set("/composition/dashboard/*", [1.0])


def test_what_was_played_while_it_loads_is_played_when_the_table_is_there():
    space, pad = AddressSpace(), Pad()
    space.hold()
    space.set("/pad", [1])
    space.add("/hand", pad)
    play.alias(space, {"/pad": "/hand/go"})
    space.complete()
    space.apply(0.0)
    assert pad.presses == 1


@pytest.mark.parametrize(("sent", "presses"), [([1], 1), ([1.0], 1), ([], 1), ([0], 0)])
def test_an_alias_presses_a_trigger_and_ignores_its_release(sent, presses):
    space, pad = AddressSpace(), Pad()
    space.add("/hand", pad)
    play.alias(space, {"/pad": "/norm/hand/go"})
    space.set("/pad", sent)
    space.apply(0.0)
    assert pad.presses == presses


def test_an_instrument_has_the_aliases_of_its_configuration():
    chosen = config.Config(
        net="through", size="8x8", offline=True, aliases={"/fader": "/norm/learn/rate"}
    )
    instrument = play.assemble(chosen)
    instrument.closing.close()
    assert instrument.space.set("/fader", [0.5])


# What is refused at the start


@pytest.mark.parametrize(
    ("foreign", "ours", "says"),
    [
        ("/fader", "/norm/learn/rte", "no knob /norm/learn/rte; did you mean /learn/rate"),
        ("/fader", "/norm/stats/psnr", "takes no value"),
        ("/fader", "/norm/brain/name", "takes no value"),
        ("/fader", "/text/learn/rate", "takes no value"),
        ("/learn/rate", "/norm/learn/trust", "First Light's own"),
        ("/norm/learn/rate", "/norm/learn/trust", "First Light's own"),
    ],
)
def test_an_alias_that_cannot_be_is_refused_with_what_to_write(space, foreign, ours, says):
    with pytest.raises(Refusal, match=says):
        play.alias(space, {foreign: ours})


# The folder for Resolume


def test_every_line_of_the_table_and_every_one_it_offers_is_good(table, space):
    offered = TABLE.read_text(encoding="utf-8").replace('# "/', '"/')
    aliases = tomllib.loads(offered)["aliases"]
    assert aliases.keys() == table.keys() | resolume.OFFERED.keys()
    play.alias(space, aliases)


def test_no_two_controls_of_resolume_play_the_same_knob(table):
    assert len(set(table.values())) == len(table)


def test_the_clip_states_of_resolume_are_mapped_to_nothing(table):
    assert not [foreign for foreign in table if foreign.endswith("connected")]
