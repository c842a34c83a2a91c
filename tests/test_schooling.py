"""What a brain was taught on, and where that goes with it."""

import json
from concurrent.futures import wait

import pytest
import torch
from fakes.stage import frame
from safetensors import safe_open

from bridge import Refusal, cli, going_on, nets, parsers, play
from bridge.config import Config
from bridge.learn import autosave, brain, schooling
from bridge.learn.autosave import Autosave
from bridge.learn.learner import Learner
from bridge.nets.hand import Paint

SIZE = 32, 32
CARD = {
    "format": "first-light-card-1", "pictures": 10, "held_out": 5, "held_out_collection": "munch",
    "collections": [
        *({"name": f"m{number}", "pictures": 2, "held_out": 0} for number in range(5)),
        {"name": "munch", "pictures": 0, "held_out": 5},
    ],
}  # fmt: skip
PALETTES = {"all": [0.5, 0.4, 0.3, 0.1, 0.2, 0.1], "munch/scream": [0, 1, 0, 0, 1, 0]}
TAUGHT = {"card": json.dumps(CARD), "palettes": json.dumps(PALETTES)}
OTHER = {"card": json.dumps(CARD | {"pictures": 1, "collections": [{"pictures": 1}]})}
WORDS, OTHER_WORDS = "10 pictures of 5 collections", "1 picture of 1 collection"
SMALL = [
    "--in", "pattern:", "--threads", "1", "--precision", "float32", "--feedback", "none",
    "--offline", "--seed", "7", "--size", "64x32",
]  # fmt: skip


def learner(name="tiles", seed=1, folder=None):
    torch.set_num_threads(1)
    one = Learner(name, SIZE, seed=seed)
    one.slots.folder = folder
    one.slots.fill(one.life)
    one.slots.turn_to(one.life)
    return one


def taught(name="tiles", told=TAUGHT, **options):
    one = learner(name, **options)
    one.life.become(one.weights.flat.clone(), brain.describe(one.life) | told)
    one.announce()
    return one


def look(one, frames=1):
    for number in range(frames):
        one.look(one.see(frame(*SIZE, seed=number)))
        one.learn()


def written(tmp_path, name="tiles", told=TAUGHT):
    place = tmp_path / f"{name}.safetensors"
    one = learner(name)
    brain.write(place, one.weights.state(), brain.describe(one.life) | told)
    return place


def knows(one):
    return list(one.played[Paint].known)


# Where it goes


def test_who_began_blank_was_taught_on_nothing():
    one = learner()
    assert one.life.schooling == {}
    assert one.slots.taught == ""
    assert not brain.describe(one.life).keys() & {"card", "palettes"}


def test_it_comes_with_the_brain_and_the_hand_knows_its_palettes(tmp_path):
    one = learner("hand")
    brain.load(one.life, str(written(tmp_path, "hand")))
    one.announce()
    assert one.life.schooling == TAUGHT
    assert one.slots.taught == WORDS
    assert knows(one) == ["all", "munch/scream"]
    paint = one.played[Paint]
    paint.palette, paint.grain = "munch/scream", 0.5
    look(one)
    assert paint.colours == "munch/scream"
    assert paint.told().tolist() == [[-1, 1, -1, -1, 3, -1, 0.5]]


@pytest.mark.parametrize(("share", "colours"), [(0.0, 0.2), (0.25, 0.35), (0.5, 0.5), (1.0, 0.8)])
def test_crossfade_goes_from_one_palette_to_the_other(share, colours):
    paint = learner("hand").played[Paint]
    paint.known = {"dark": torch.full((6,), 0.2), "light": torch.full((6,), 0.8)}
    paint.palette, paint.palette_b, paint.crossfade = "dark", "light", share
    assert paint.told()[0, 0] == pytest.approx(2 * colours - 1)


def test_it_is_written_again_to_the_letter(tmp_path):
    large = TAUGHT | {"palettes": json.dumps({f"é {n}": [0.1] * 6 for n in range(4000)})}
    assert len(large["palettes"]) > 100_000
    one = learner()
    brain.load(one.life, str(written(tmp_path, told=large)))
    brain.save(one.life, str(tmp_path / "again.safetensors"))
    with safe_open(tmp_path / "again.safetensors", "pt") as file:
        assert schooling.of(file.metadata()) == large


def test_another_network_is_not_told_of_it_and_the_hand_still_knows():
    one = taught("hand")
    one.running.name = "tiles"
    look(one)
    assert one.slots.taught == ""
    one.running.name = "hand"
    look(one)
    assert one.slots.taught == WORDS
    assert knows(one) == ["all", "munch/scream"]


def test_blank_forgets_it():
    one = taught("hand")
    one.blank()
    look(one)
    assert (one.life.schooling, one.slots.taught, knows(one)) == ({}, "", [])


def test_a_slot_keeps_it_and_recall_brings_it_back():
    one = taught("hand")
    one.slots.save()
    one.blank()
    look(one)
    one.slots.recall()
    assert one.life.schooling == TAUGHT
    assert (one.slots.taught, knows(one)) == (WORDS, ["all", "munch/scream"])


def test_recalling_a_slot_that_was_taught_on_nothing_forgets_it():
    one = learner("hand")
    one.slots.save()
    one.life.become(one.weights.flat.clone(), brain.describe(one.life) | TAUGHT)
    one.slots.recall()
    assert (one.life.schooling, one.slots.taught, knows(one)) == ({}, "", [])


def test_a_slot_of_the_folder_has_it_at_the_next_start_and_so_has_what_is_loaded(tmp_path):
    one = taught(folder=tmp_path)
    one.slots.name = "opening"
    one.slots.save()
    wait(one.slots._writing)
    other = learner(seed=9, folder=tmp_path)
    other.slots.recall()
    assert other.slots.taught == WORDS
    third = learner(seed=9)
    third.slots.folder, third.slots.slot, third.slots.name = tmp_path, 4, "opening"
    third.slots.load()
    third.slots.recall()  # waits for it
    wait([future for future, *_ in third.slots._reading])
    third.slots.follow()
    assert third.slots.taught == WORDS


def between(a, b):
    """A hand with `a` in slot 1 and `b` in slot 2, morph at 0, living as slot 1."""
    one = learner("hand")
    one.on = False
    for slot, told in ((2, b), (1, a)):
        one.life.become(one.weights.flat.clone(), brain.describe(one.life) | told)
        one.slots.slot = slot
        one.slots.save()
        one.slots.follow()
    one.announce()
    one.slots.a, one.slots.b = 1, 2
    return one


def test_on_the_way_from_a_to_b_it_is_that_of_the_end_gone_to_from_the_middle_on():
    one = between(TAUGHT, OTHER)
    told = []
    for place in (0.3, 0.49, 0.5, 0.8, 1.0, 0.6, 0.5, 0.0):
        one.slots.morph = place
        one.slots.follow()
        told.append(one.slots.taught)
    assert told == [WORDS] * 2 + [OTHER_WORDS] * 4 + [WORDS] * 2
    assert knows(one) == ["all", "munch/scream"]


def test_the_first_touch_of_morph_leaves_what_was_taught():
    one = between({}, OTHER)
    one.life.remember_school(TAUGHT)
    one.slots.morph = 0.01
    one.slots.follow()
    assert one.life.schooling == TAUGHT


def test_from_a_slot_back_to_the_living_it_is_the_livings():
    one = between({}, OTHER)
    one.life.remember_school(TAUGHT)
    one.slots.a = 0
    for place, told in ((1.0, OTHER), (0.4, TAUGHT)):
        one.slots.morph = place
        one.slots.follow()
        assert one.life.schooling == told


def test_an_autosave_has_it(tmp_path):
    one = taught("hand")
    keeper = Autosave(one, tmp_path, dict)
    keeper.save()
    keeper.finish()
    other = learner("hand", seed=9)
    autosave.restore(other, autosave.read(tmp_path), 0.0)
    assert other.life.schooling == TAUGHT
    assert (other.slots.taught, knows(other)) == (WORDS, ["all", "munch/scream"])


@pytest.mark.parametrize("amiss", ["x", [1], {"card": 3}, {"palettes": "{"}])
def test_an_autosave_that_says_it_amiss_is_refused_and_one_that_says_nothing_is_not(
    tmp_path, amiss
):
    keeper = Autosave(taught("hand"), tmp_path, dict)
    keeper.save()
    keeper.finish()
    state = autosave.read(tmp_path)
    state.told["lives"]["hand"]["schooling"] = amiss
    one = learner("hand", seed=9)
    with pytest.raises(Refusal, match="does not fit"):
        autosave.restore(one, state, 0.0)
    assert (one.life.schooling, one.life.seed) == ({}, 9)
    del state.told["lives"]["hand"]["schooling"]  # by a version that knew of none
    autosave.restore(one, state, 0.0)
    assert one.life.schooling == {}


# What it says


@pytest.mark.parametrize(
    ("card", "says"),
    [
        (CARD, WORDS),
        (CARD | {"pictures": 1, "collections": [{"pictures": 1}]}, "1 picture of 1 collection"),
        (CARD | {"pictures": 0, "collections": []}, "0 pictures of 0 collections"),
    ],
)
def test_it_counts_as_the_card_does_and_what_was_held_out_was_not_taught(card, says):
    assert schooling.words({"card": json.dumps(card)}) == says


def test_without_a_card_palettes_claim_nothing():
    assert taught(told={"palettes": TAUGHT["palettes"]}).slots.taught == ""


def card(**changed):
    return {"card": json.dumps(CARD | changed)}


def palettes(value):
    return {"palettes": value if isinstance(value, str) else json.dumps(value)}


@pytest.mark.parametrize(
    "told",
    [
        {"card": "{"}, {"card": "[]"}, {"card": "3"}, {"card": "null"}, {"card": "{}"},
        {"card": "[" * 100_000}, card(format="other"), card(pictures=-1), card(pictures=2.5),
        card(pictures=True), card(pictures=float("nan")), card(collections={}),
        card(tau=float("nan")),
        card(collections=[3]), card(collections=[{}]), card(collections=[{"pictures": "2"}]),
        palettes("["), palettes([]), palettes('{"a": NaN}'), palettes({"a": [0.1] * 5}),
        palettes({"a": [0.1] * 7}), palettes({"a": [0.1] * 5 + [float("nan")]}),
        palettes('{"a": [0, 0, 0, 0, 0, 1e999]}'), palettes({"a": [0.1] * 5 + [1.5]}),
        palettes({"a": [0.1] * 5 + [-0.1]}), palettes({"a": [0.1] * 5 + ["1"]}),
        palettes({"a": [0.1] * 5 + [True]}), palettes({"a": [10**400] * 6}), palettes({"a": 3}),
        palettes({"n" * 1025: [0.1] * 6}), palettes({str(n): [0.1] * 6 for n in range(4097)}),
    ],
    ids=lambda told: next(iter(told.values()))[-40:],
)  # fmt: skip
def test_a_strangers_schooling_that_is_none_is_refused_and_changes_nothing(tmp_path, told):
    place = written(tmp_path, told=told)
    one = taught(seed=9)
    before = one.weights.hash()
    with pytest.raises(Refusal, match="taught on"):
        brain.load(one.life, str(place))
    assert (one.weights.hash(), one.life.schooling) == (before, TAUGHT)


# At the start


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """First Light, started with a hand's brain at another size and no word of the network."""
    words = ["--brain", str(written(tmp_path_factory.mktemp("brain"), "hand")), *SMALL]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args(words)))
    instrument.closing.close()
    return instrument


def test_where_no_network_is_asked_for_it_is_the_brains_at_any_size(started):
    life = started.engine.learner.life
    assert (life.name, life.size) == ("hand", (64, 32))
    assert life.weights.hash() == learner("hand").weights.hash()
    assert life.ease == 0


def test_the_start_and_the_tree_say_what_it_was_taught_on(started):
    assert f"; taught on {WORDS}; " in started.greeting + "; "
    assert started.first["taught"] == WORDS
    assert started.space["/brain/taught"].value == WORDS
    assert "taught" not in play._greeting(started.first | {"taught": ""}, None, started.config)


def test_a_network_that_is_asked_for_wins_and_says_how_the_other_opens(tmp_path):
    place = written(tmp_path, "hand")
    assert going_on.net_of(Config(brain=str(place), net="tiles")) == "tiles"
    with pytest.raises(Refusal, match="open it with --net hand"):
        brain.load(learner("tiles").life, str(place))


def test_a_brain_that_is_not_there_yet_is_paints(tmp_path):
    assert going_on.net_of(Config(brain=str(tmp_path / "new.safetensors"))) == going_on.net_of(
        Config()
    )
    assert going_on.net_of(Config()) == "paint"


def test_a_file_that_is_no_brain_is_refused_with_the_reason(tmp_path):
    place = tmp_path / "b.safetensors"
    place.write_bytes(b"no")
    with pytest.raises(Refusal, match="cannot be read as a brain"):
        brain.load(learner(going_on.net_of(Config(brain=str(place)))).life, str(place))


def test_a_network_of_another_version_is_told_as_that(tmp_path):
    place = written(tmp_path, told={"network": "foot"})
    with pytest.raises(Refusal, match="no such network in this version"):
        brain.load(learner(going_on.net_of(Config(brain=str(place)))).life, str(place))


# The way into a brain, and back to it


def test_a_brain_of_no_steps_is_eased_into_after_a_rest_too():
    one = taught()
    assert one.life.learnt == 0
    one.on = False
    look(one)
    one.life.ease = 1.0
    one.on = True
    look(one)
    assert one.life.ease == pytest.approx(1 / 30)


def test_the_rate_comes_in_over_thirty_frames_after_a_brain_is_loaded(tmp_path):
    one = learner()
    brain.load(one.life, str(written(tmp_path)))
    one.announce()
    shares = [look(one) or one.life.ease for _ in range(31)]
    assert shares[0] == pytest.approx(1 / 30)
    assert shares[13] == pytest.approx(14 / 30)
    assert shares[29:] == pytest.approx([1, 1])


def away(one, museum):
    return float((one.weights.flat - museum).norm())


def test_the_anchor_leads_back_to_the_museum_at_rate_0_and_while_the_rate_comes_in():
    one = taught()
    museum = one.weights.flat.clone()
    one.life.ease = 1.0
    look(one, 10)
    one.optimiser.rate, one.slots.anchor = 0.0, 0.1
    far = away(one, museum)
    one.on = False
    look(one)
    assert away(one, museum) == pytest.approx(far)
    one.on = True
    look(one)
    assert one.life.ease < 0.1
    assert away(one, museum) == pytest.approx(0.9 * far, rel=1e-3)  # the pull waits for nothing


def test_the_anchor_is_the_brain_and_not_what_was_learnt_since():
    one = taught()
    museum = one.weights.flat.clone()
    look(one, 5)
    assert torch.equal(one.life.origin, museum)


def test_every_network_takes_a_schooling():
    for name in nets.NAMES:
        nets.build(name, SIZE).know(TAUGHT)
