"""A museum's pictures among what is remembered."""

import random

import pytest
import torch
from fakes.stage import frame

from bridge import Refusal, cli, parsers, play
from bridge.learn import image, shards, visit
from bridge.learn.learner import Learner
from bridge.learn.memory import EVERY, ReplayMemory
from bridge.nets.hand import Net

SIZE = 32, 32
SMALL = [
    "--in", "pattern:", "--size", "32x32", "--threads", "1", "--precision", "float32",
    "--feedback", "none", "--offline", "--frames", "3", "--net", "tiles",
]  # fmt: skip


def canvas(level, height=40, width=50):
    return torch.full((height, width, 3), level, dtype=torch.uint8)


def entry(number, share):
    held = share == 0.0
    place = "shard-0000.safetensors"
    return shards.Entry(
        f"m/{number}", "m", held, share, (0.5,) * 6, "", "", "", place, number
    )  # fmt: skip


@pytest.fixture(scope="module")
def museum(tmp_path_factory):
    """Three pictures: level 10 in three of four draws, 20 in one, and 30 held out."""
    folder = tmp_path_factory.mktemp("museum")
    shards.write_shard(folder, 0, {number: canvas(10 * (number + 1)) for number in range(3)})
    shards.write_list(folder, [entry(0, 0.75), entry(1, 0.25), entry(2, 0.0)])
    shards.write_card(
        folder, {"format": shards.FORMAT, "pictures": 2, "held_out": 1, "collections": []}
    )
    return folder


def visited(museum, size=SIZE, seed=1):
    return visit.pictures(str(museum), size, torch.device("cpu"), random.Random(seed))


def levels(pictures):
    return [int(picture[0, 0, 0]) for picture in pictures]


def begun(**knobs):
    kept = ReplayMemory(SIZE, torch.device("cpu"), random.Random(1))
    for name, value in ({"share": 0.5, "frames": 3} | knobs).items():
        setattr(kept, name, value)
    return kept


def meet(kept, seeds):
    for number, seed in enumerate(seeds):
        x = image.to_patches(torch.from_numpy(frame(*SIZE, seed=seed).pixels), 8, torch.float32)
        kept.meet(x, 8, 0.1, number * EVERY)


def share_of(kept, times=200):
    """Of all pictures met again in so many steps, which share is the museum's, black; and how many
    are met in a step."""
    met = [kept.recollect(8, torch.float32) for _ in range(times)]
    black = [float((one == -1).float().mean((1, 2, 3)).sum()) for one in met if one is not None]
    count = sum(len(one) for one in met if one is not None)
    return sum(black) / max(count, 1), count / times


# What is taken along


def test_pictures_are_drawn_by_share_and_held_out_ones_never(museum):
    drawn = levels(visited(museum))
    assert len(drawn) == visit.MOST
    assert drawn.count(10) / len(drawn) == pytest.approx(0.75, abs=0.08)
    assert set(drawn) == {10, 20}


def test_a_picture_that_is_drawn_again_is_held_once(museum):
    assert len({id(picture) for picture in visited(museum)}) == 2


def test_the_same_seed_draws_the_same_and_another_another(museum):
    first, same, other = (levels(visited(museum, seed=seed)) for seed in (1, 1, 2))
    assert first == same != other


def test_they_are_cropped_to_the_networks_size(museum, monkeypatch):
    wide = canvas(10, 20, 60)
    wide[:, :20], wide[:, 40:] = 200, 200  # the ends, which a crop leaves out
    monkeypatch.setattr(shards.Shards, "picture", lambda *_: wide)
    for size in ((40, 40), (32, 32)):
        picture = visited(museum, size)[0]
        assert (picture.shape, picture.dtype) == ((size[1], size[0], 3), torch.uint8)
        assert picture.is_contiguous()
        assert set(picture.unique().tolist()) == {10}


def test_no_more_are_taken_than_a_gibibyte_holds(museum, monkeypatch):
    monkeypatch.setattr(visit, "room_for", lambda size: {SIZE: 5}[size])
    assert len(visited(museum)) == 5


def test_a_folder_that_is_none_is_refused_at_the_start(tmp_path):
    with pytest.raises(Refusal, match=r"--museum .*firstlight collections"):
        visited(tmp_path)


def test_a_museum_that_is_broken_is_refused_at_the_start(museum, tmp_path):
    for place in museum.iterdir():
        (tmp_path / place.name).write_bytes(place.read_bytes())
    (tmp_path / "shard-0000.safetensors").write_bytes(b"torn")
    with pytest.raises(Refusal, match=r"--museum .*again"):
        visited(tmp_path)


# How often they are met


def test_without_a_museum_the_knob_is_inactive_and_costs_nothing():
    kept, asked = begun(), begun(museum=1.0)
    assert not ReplayMemory.museum.active(asked)
    for one in (kept, asked):
        meet(one, range(0, 30, 3))
    assert torch.equal(kept.recollect(8, torch.float32), asked.recollect(8, torch.float32))
    assert kept._dice.getstate() == asked._dice.getstate()


def test_at_0_a_museum_changes_nothing():
    kept, other = begun(), begun()
    other.hung = [canvas(0, 32, 32)]
    assert ReplayMemory.museum.active(other)
    for one in (kept, other):
        meet(one, range(0, 30, 3))
    assert torch.equal(kept.recollect(8, torch.float32), other.recollect(8, torch.float32))
    assert kept._dice.getstate() == other._dice.getstate()


@pytest.mark.parametrize("share", [0.25, 0.75, 1.0])
def test_each_remembered_picture_is_the_museums_with_that_chance(share):
    kept = begun(museum=share)
    kept.hung = [canvas(0, 32, 32)]
    meet(kept, range(0, 30, 3))
    found, count = share_of(kept)
    assert found == pytest.approx(share, abs=0.06)
    assert count == 3


def test_it_is_met_while_nothing_else_is_remembered():
    kept = begun(museum=1.0)
    kept.hung = [canvas(0, 32, 32)]
    assert share_of(kept, 20) == (1.0, 3)
    kept.museum = 0.5
    found, count = share_of(kept)
    assert found == 1
    assert count == pytest.approx(1.5, abs=0.2)


@pytest.mark.parametrize("knobs", [{"share": 0.0}, {"frames": 0}])
def test_share_and_frames_act_as_ever(knobs):
    kept = begun(museum=1.0, **knobs)
    kept.hung = [canvas(0, 32, 32)]
    meet(kept, [0])
    assert kept.recollect(8, torch.float32) is None


def test_all_that_hangs_is_met():
    kept = begun(museum=1.0)
    kept.hung = [canvas(level, 32, 32) for level in (0, 255)]
    met = torch.cat([kept.recollect(8, torch.float32) for _ in range(20)])
    assert set(met.unique().tolist()) == {-1.0, 1.0}


def test_forget_and_the_state_leave_it_out():
    kept = begun(museum=1.0)
    kept.hung = [canvas(0, 32, 32)]
    kept.forget()
    assert len(kept.hung) == 1
    assert not [name for name in kept.state(0.0) if name.startswith("picture")]
    assert kept.full == 0
    assert kept.glimpse(8, torch.float32) is None


def learner(name):
    torch.set_num_threads(1)
    one = Learner(name, SIZE, seed=1)
    one.memory.hung = [torch.from_numpy(frame(*SIZE, seed=9).pixels[..., :3]).contiguous()]
    one.memory.share, one.memory.frames, one.memory.museum = 0.5, 1, 1.0
    one.sight.gray = 1.0
    return one


def play_one(one, frames=1):
    for _ in range(frames):
        one.look(one.see(frame(*SIZE)))
        one.learn()


def test_a_translator_is_shown_them_treated_and_is_to_give_them_back_as_they_hang(monkeypatch):
    one, shown, hints = learner("hand"), [], []
    forward = Net.forward
    monkeypatch.setattr(Net, "forward", lambda net, x: (shown.append(x), forward(net, x))[1])
    monkeypatch.setattr(Net, "hint", lambda _net, target: hints.append(target))
    play_one(one)
    assert torch.equal(image.levels(hints[1], 4), one.memory.hung[0])
    drawn = image.levels(shown[1], 4)
    assert torch.equal(drawn[..., 0], drawn[..., 2])


def test_what_hangs_in_the_museum_is_learnt_too():
    with_it, without = learner("tiles"), learner("tiles")
    without.memory.museum = 0.0
    shown = frame(*SIZE, seed=9)
    for one in (with_it, without):
        one.sight.gray = 0.0
        play_one(one, 60)
    assert with_it.score_of(shown) > without.score_of(shown) + 3


def test_the_same_seed_meets_the_same():
    def met(seed):
        kept = ReplayMemory(SIZE, torch.device("cpu"), random.Random(seed))
        kept.hung = [canvas(level, 32, 32) for level in range(9)]
        kept.share, kept.museum = 0.5, 1.0
        return torch.cat([kept.recollect(1, torch.float32)[:, 0, 0, 0] for _ in range(9)])

    assert torch.equal(met(1), met(1))
    assert not torch.equal(met(1), met(2))


# From the command


@pytest.fixture(scope="module")
def started(museum):
    words = [*SMALL, "--museum", str(museum), "--seed", "3"]
    instrument = play.assemble(cli.settings(parsers.run_parser().parse_args(words)))
    instrument.closing.close()
    return instrument


def test_it_is_drawn_at_the_start_by_the_shows_seed(started, museum):
    hung = started.engine.learner.memory.hung
    assert levels(hung) == levels(visited(museum, seed=3))
    assert hung[0].shape == (32, 32, 3)


def test_with_a_museum_the_tree_says_that_the_knob_acts(started):
    assert started.space["/memory/museum"].active
