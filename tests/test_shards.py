"""A prepared museum: what is written is read again, one picture at a time; what is broken is
told."""

import json
import random

import pytest
import torch
from safetensors.torch import save_file

from bridge import Refusal
from bridge.learn import shards
from bridge.learn.shards import Entry, Shards


def entry(number=0, **told):
    about = {
        "name": f"munch/{number}",
        "collection": "munch",
        "held": False,
        "share": 0.5,
        "palette": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
        "title": "Skrik",
        "license": "CC0",
        "source": "",
        "shard": shards.shard_name(0),
        "number": number,
    }
    return Entry(**{**about, **told})


def picture(number=0):
    return torch.full((6, 8, 3), number, dtype=torch.uint8)


@pytest.fixture
def museum(tmp_path):
    """Two pictures that are taught and one that is held out, in two shards."""
    shards.write_shard(tmp_path, 0, {0: picture(0), 1: picture(1)})
    shards.write_shard(tmp_path, 1, {2: picture(2)})
    held = entry(2, held=True, share=0.0, shard=shards.shard_name(1))
    shards.write_list(tmp_path, [entry(0), entry(1), held])
    shards.write_card(tmp_path, {"pictures": 2, "held_out": 1, "collections": []})
    return tmp_path


def lines(museum):
    return [json.loads(line) for line in (museum / shards.LIST).read_text("utf-8").splitlines()]


def rewrite(museum, index, **told):
    """Change what the line of a picture says."""
    rows = lines(museum)
    rows[index].update(told)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (museum / shards.LIST).write_text(text, encoding="utf-8")


def test_what_is_written_is_read_again(museum):
    read = Shards(museum)
    assert read.card["pictures"] == 2
    assert read.entries[0] == entry(0)
    assert [int(read.picture(i)[0, 0, 0]) for i in range(len(read))] == [0, 1, 2]


def test_a_picture_is_rows_columns_and_blue_green_red_of_8_bits(museum):
    read = Shards(museum).picture(0)
    assert (read.shape, read.dtype) == ((6, 8, 3), torch.uint8)


def test_a_picture_is_nobody_elses(museum):
    read = Shards(museum)
    read.picture(1).zero_()
    assert torch.equal(read.picture(1), picture(1))


def test_what_a_later_version_says_more_is_passed_over(museum):
    rewrite(museum, 0, mood="blue")
    assert Shards(museum).entries[0] == entry(0)


def test_a_name_of_any_script_is_kept(tmp_path):
    shards.write_shard(tmp_path, 0, {0: picture()})
    shards.write_list(tmp_path, [entry(0, name="北斎/波", share=1.0)])
    shards.write_card(tmp_path, {"pictures": 1, "held_out": 0, "collections": []})
    assert Shards(tmp_path).entries[0].name == "北斎/波"


def test_a_title_with_a_line_break_of_unicode_stays_on_its_line(museum):
    rows = Shards(museum).entries
    shards.write_list(museum, [entry(0, title="a\u2028b\x85c"), *rows[1:]])
    assert Shards(museum).entries[0].title == "a\u2028b\x85c"


# Drawing


def test_pictures_are_drawn_by_their_share():
    dice = random.Random(3)
    drawn = shards.odds([entry(0, share=0.75), entry(1, share=0.25)])
    first = sum(shards.chosen(drawn, dice) == 0 for _ in range(4000))
    assert first / 4000 == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("held", [0, 1, 2])
def test_what_is_held_out_is_never_drawn(held):
    some = [entry(i, share=0.0 if i == held else 0.5) for i in range(3)]
    dice = random.Random(1)
    assert held not in {shards.chosen(shards.odds(some), dice) for _ in range(500)}


def test_of_a_few_of_the_pictures_all_are_drawn():
    dice = random.Random(2)
    drawn = shards.odds([entry(0, share=0.2), entry(1, share=0.1)])
    first = sum(shards.chosen(drawn, dice) == 0 for _ in range(3000))
    assert first / 3000 == pytest.approx(2 / 3, abs=0.03)
    assert shards.chosen(drawn, Throw(1 - 2**-53)) == 1


class Throw(random.Random):
    """Dice that always fall the same."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def random(self):
        return self.value


@pytest.mark.parametrize(("thrown", "index"), [(0.0, 1), (1 - 2**-53, 2)])
def test_the_ends_of_chance_draw_pictures_that_are_taught(thrown, index):
    some = [entry(i, share=share) for i, share in enumerate([0.0, 0.3, 0.7, 0.0])]
    assert shards.chosen(shards.odds(some), Throw(thrown)) == index


def test_the_same_dice_draw_the_same():
    drawn = shards.odds([entry(i, share=0.1) for i in range(10)])
    one, other = ([shards.chosen(drawn, random.Random(7)) for _ in range(5)] for _ in range(2))
    assert one == other


def test_where_nothing_is_taught_nothing_can_be_drawn():
    with pytest.raises(Refusal, match="firstlight collections"):
        shards.odds([entry(0, held=True, share=0.0)])


# What is broken


def test_no_folder_is_told(tmp_path):
    with pytest.raises(Refusal, match=r"no such folder; make one with firstlight collections"):
        Shards(tmp_path / "none")


def test_a_folder_that_was_not_finished_is_told(museum):
    (museum / shards.CARD).unlink()
    with pytest.raises(Refusal, match="not finished"):
        Shards(museum)


@pytest.mark.parametrize(
    "card",
    [
        "{",
        "[]",
        '{"format": "another"}',
        '{"format": "first-light-card-1"}',
        '{"format": "first-light-card-1", "pictures": true, "held_out": 1, "collections": []}',
        '{"format": "first-light-card-1", "pictures": 2, "held_out": -1, "collections": []}',
        '{"format": "first-light-card-1", "pictures": 2, "held_out": 1, "collections": 3}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_broken_card_is_told(museum, card):
    (museum / shards.CARD).write_bytes(card if isinstance(card, bytes) else card.encode())
    with pytest.raises(Refusal, match=r"card.json: cannot be read .*run firstlight collections"):
        Shards(museum)


@pytest.mark.parametrize(
    "told",
    [
        {"name": 3},
        {"collection": None},
        {"shard": "../../secret"},
        {"shard": "shard-0000.safetensors/.."},
        {"number": -1},
        {"number": 0.5},
        {"number": True},
        {"held": 1},
        {"share": -0.5},
        {"share": "0.5"},
        {"share": float("nan")},
        {"share": 1e400},
        {"held": True},
        {"palette": [0.5] * 5},
        {"palette": [0.5] * 5 + [1.5]},
        {"palette": [0.5] * 5 + ["x"]},
        {"palette": "abcdef"},
    ],
)
def test_a_broken_line_is_told(museum, told):
    rewrite(museum, 0, **told)
    with pytest.raises(Refusal, match=r"pictures.jsonl: cannot be read \(line 1"):
        Shards(museum)


def test_half_a_line_is_told(museum):
    place = museum / shards.LIST
    place.write_text(place.read_text("utf-8")[:-40], encoding="utf-8")
    with pytest.raises(Refusal, match="line 3"):
        Shards(museum)


def test_a_line_that_is_no_picture_is_told(museum):
    (museum / shards.LIST).write_text("3\n", encoding="utf-8")
    with pytest.raises(Refusal, match="line 1 is no picture"):
        Shards(museum)


def test_a_list_without_one_of_its_lines_is_told(museum):
    place = museum / shards.LIST
    place.write_text(place.read_text("utf-8").partition("\n")[2], encoding="utf-8")
    with pytest.raises(Refusal, match=r"does not list what card.json counts"):
        Shards(museum)


def test_no_list_is_told(museum):
    (museum / shards.LIST).unlink()
    with pytest.raises(Refusal, match=r"pictures.jsonl: cannot be read"):
        Shards(museum)


def test_a_name_that_is_there_twice_is_told(museum):
    rewrite(museum, 0, name="munch/1")
    with pytest.raises(Refusal, match="twice"):
        Shards(museum)


def test_shares_that_do_not_sum_up_are_told(museum):
    rewrite(museum, 0, share=0.25)
    with pytest.raises(Refusal, match="do not sum up to 1"):
        Shards(museum)


def test_a_shard_that_is_gone_is_told_at_once(museum):
    (museum / shards.shard_name(1)).unlink()
    with pytest.raises(Refusal, match=r"shard-0001.safetensors: cannot be read"):
        Shards(museum)


def test_a_shard_that_is_cut_short_is_told_at_once(museum):
    place = museum / shards.shard_name(0)
    place.write_bytes(place.read_bytes()[:-10])
    with pytest.raises(Refusal, match=r"shard-0000.safetensors: cannot be read"):
        Shards(museum)


def test_a_picture_that_is_not_in_its_shard_is_told_at_once(museum):
    rewrite(museum, 0, number=2)
    with pytest.raises(Refusal, match="2 is not in it"):
        Shards(museum)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(6, 8, 3),
        torch.zeros(6, 8, 3, dtype=torch.bfloat16),
        torch.zeros(6, 8, dtype=torch.uint8),
        torch.zeros(6, 8, 4, dtype=torch.uint8),
        torch.zeros(0, 8, 3, dtype=torch.uint8),
    ],
)
def test_a_tensor_that_is_no_picture_is_told(museum, tensor):
    save_file({"2": tensor}, museum / shards.shard_name(1))
    with pytest.raises(Refusal, match="2 is no picture"):
        Shards(museum).picture(2)


def test_a_shard_that_goes_while_it_is_played_is_told(museum):
    read = Shards(museum)
    (museum / shards.shard_name(1)).unlink()
    with pytest.raises(Refusal, match="run firstlight collections again"):
        read.picture(2)


def test_what_cannot_be_written_is_told_and_what_was_there_stays(museum, monkeypatch):
    def full(*_):
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(shards, "save_file", full)
    with pytest.raises(Refusal, match="make room"):
        shards.write_shard(museum, 0, {5: picture(5)})
    assert int(Shards(museum).picture(1)[0, 0, 0]) == 1
    assert not list(museum.glob(".*"))
