"""Saving all there is, and going on from it."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from fakes.stage import frame
from safetensors import safe_open

from bridge import Refusal
from bridge.files import sweep
from bridge.learn import autosave, brain
from bridge.learn.autosave import MEMORY, STATE, Autosave
from bridge.learn.learner import Learner


def learner(name="paint", size=(64, 64), seed=1):
    torch.set_num_threads(1)
    return Learner(name, size, seed=seed)


def play(one, frames, begin=0):
    for number in range(begin, begin + frames):
        one.look(one.see(frame(seed=number / 10), number / 30))
        one.learn()


def saver(one, folder, **knobs):
    return Autosave(one, Path(folder), lambda: {"/learn/rate": 0.01} | knobs)


def saved(one, folder):
    keeper = saver(one, folder)
    keeper.save()
    keeper.finish()
    assert keeper.trouble == ""
    return keeper


def resumed(folder, now=0.0, **options):
    one = learner(seed=9, **options)
    autosave.restore(one, autosave.read(Path(folder)), now)
    return one


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_who_goes_on_is_to_the_bit_who_never_stopped(tmp_path, share):
    one = learner()
    one.memory.share = share
    play(one, 20)
    saved(one, tmp_path)
    other = resumed(tmp_path, one.now)
    other.memory.share = share
    play(one, 20, 20), play(other, 20, 20)
    assert torch.equal(one.weights.flat, other.weights.flat)
    assert torch.equal(one.life.moments.second, other.life.moments.second)
    assert len(one.memory) == len(other.memory) > 1


def test_it_knows_where_it_began_and_how_much_it_has_learnt(tmp_path):
    one = learner()
    play(one, 7)
    saved(one, tmp_path)
    other = resumed(tmp_path)
    assert (other.score.seed, other.score.hash, other.score.learnt) == (1, one.score.hash, 7)
    assert torch.equal(other.life.origin, one.life.origin)


def test_every_network_that_has_run_comes_back(tmp_path):
    one = learner()
    play(one, 5)
    one.running.name = "tiles"
    play(one, 5, 5)
    saved(one, tmp_path)
    other = resumed(tmp_path)
    assert other.life.name == other.running.name == "tiles"
    assert torch.equal(
        other.running.lives["paint"].weights.flat, one.running.lives["paint"].weights.flat
    )


def test_a_network_that_sleeps_is_saved_as_it_fell_asleep(tmp_path):
    one = learner()
    keeper = saved(one, tmp_path)
    play(one, 5)
    one.running.name = "tiles"
    play(one, 5, 5)
    keeper.save()
    keeper.finish()
    assert torch.equal(
        resumed(tmp_path).running.lives["paint"].weights.flat,
        one.running.lives["paint"].weights.flat,
    )


def test_what_is_written_is_as_it_was_when_it_was_saved(tmp_path):
    one = learner()
    play(one, 3)
    then = one.weights.flat.clone()
    keeper = saver(one, tmp_path)
    keeper.save()
    play(one, 3)
    keeper.finish()
    assert torch.equal(resumed(tmp_path).weights.flat, then)


def test_the_knobs_and_the_size_are_told(tmp_path):
    saved(learner(), tmp_path)
    state = autosave.read(tmp_path)
    assert state.knobs == {"/learn/rate": 0.01}
    assert state.size == "64x64"


def test_it_saves_every_so_often_and_not_at_0(tmp_path):
    one = learner()
    keeper = saver(one, tmp_path)
    keeper.autosave = 10.0
    times = []
    keeper.save = lambda **_: times.append(now)
    for now in range(35):
        keeper.turn(float(now))
    assert times == [10, 20, 30]
    keeper.autosave = 0.0
    for now in range(35, 90):
        keeper.turn(float(now))
    assert times == [10, 20, 30]


def test_a_shorter_interval_holds_at_once(tmp_path):
    keeper = saver(learner(), tmp_path)
    keeper.autosave = 3600.0
    times = []
    keeper.save = lambda **_: times.append(now)
    for now in range(10):
        keeper.turn(float(now))
        if now == 3:
            keeper.autosave = 2.0
    assert times == [6, 8]


def test_the_memory_is_saved_every_tenth_time_and_at_the_end(tmp_path):
    one = learner()
    play(one, 20)
    keeper = saver(one, tmp_path)
    keeper.autosave = 1.0
    for now in range(10):
        keeper.turn(float(now))
        keeper.finish()
    assert not (tmp_path / MEMORY).exists()
    keeper.turn(10.0)
    keeper.finish()
    assert (tmp_path / MEMORY).exists()
    (tmp_path / MEMORY).unlink()
    keeper.close()
    assert (tmp_path / MEMORY).exists()


def test_who_has_played_nothing_saves_nothing(tmp_path):
    saver(learner(), tmp_path).close()
    assert os.listdir(tmp_path) == []


def test_what_was_there_is_kept_by_who_does_not_go_on_from_it(tmp_path):
    saved(learner("ghost"), tmp_path)
    before = (tmp_path / STATE).read_bytes()
    keeper = saved(learner("tiles"), tmp_path)
    assert (tmp_path / f"before-{STATE}").read_bytes() == before
    keeper.save()
    keeper.finish()
    assert (tmp_path / f"before-{STATE}").read_bytes() == before


def test_who_goes_on_from_it_keeps_no_other(tmp_path):
    saved(learner(), tmp_path)
    keeper = saver(learner(), tmp_path)
    keeper.resumed = True
    keeper.save()
    keeper.finish()
    assert not (tmp_path / f"before-{STATE}").exists()


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_told_and_the_next_save_is_tried(tmp_path, monkeypatch, call):
    one = learner()
    keeper = saved(one, tmp_path)
    before = (tmp_path / STATE).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        play(one, 2)
        keeper.save()
        keeper.finish()
    assert "No space left on device" in keeper.trouble
    assert "make room" in keeper.trouble
    assert (tmp_path / STATE).read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == sorted([STATE, MEMORY])
    keeper.save()
    keeper.finish()
    assert keeper.trouble == ""
    assert (tmp_path / STATE).read_bytes() != before


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    keeper = saver(learner(), tmp_path / "file" / "brains")
    keeper.save()
    keeper.finish()
    assert "choose another place" in keeper.trouble


def test_nothing_saved_is_nothing_to_go_on_from(tmp_path):
    assert autosave.read(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"no", bytes(64)])
def test_a_file_that_is_none_is_refused_and_set_aside(tmp_path, content):
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(Refusal):
        autosave.read(tmp_path)
    assert "kept as" in autosave.set_aside(tmp_path)
    (left,) = os.listdir(tmp_path)
    assert (tmp_path / left).read_bytes() == content


def test_a_brain_is_no_state(tmp_path):
    brain.save(learner().life, str(tmp_path / STATE))
    with pytest.raises(Refusal, match="not what First Light saved"):
        autosave.read(tmp_path)


def test_a_broken_memory_is_left_out(tmp_path, caplog):
    one = learner()
    play(one, 20)
    saved(one, tmp_path)
    (tmp_path / MEMORY).write_bytes(b"broken")
    with caplog.at_level(logging.WARNING):
        other = resumed(tmp_path)
    assert len(other.memory) == 0
    assert torch.equal(other.weights.flat, one.weights.flat)
    assert "empty memory" in caplog.text


def test_a_state_of_other_layers_is_refused_and_changes_nothing(tmp_path):
    saved(learner(size=(96, 64), name="ghost"), tmp_path)
    one = learner()
    before = one.weights.hash()
    with pytest.raises(Refusal, match="laid out otherwise"):
        autosave.restore(one, autosave.read(tmp_path), 0.0)
    assert one.weights.hash() == before


def test_an_explosion_does_not_take_the_place_of_what_was_saved(tmp_path):
    one = learner()
    keeper = saved(one, tmp_path)
    before = (tmp_path / STATE).read_bytes()
    one.weights.flat[0] = float("nan")
    keeper.save()
    keeper.finish()
    assert (tmp_path / STATE).read_bytes() == before


def test_numbers_that_are_not_finite_are_not_gone_on_from(tmp_path):
    one = learner()
    one.weights.finite = lambda: True
    one.weights.flat[0] = float("nan")
    saved(one, tmp_path)
    with pytest.raises(Refusal, match="not whole"):
        autosave.restore(learner(), autosave.read(tmp_path), 0.0)


KILLED = """
import os, sys
import torch
from pathlib import Path
from bridge.learn import brain
torch.set_num_threads(1)
folder = Path(sys.argv[1])
for line in sys.stdin:  # a child that writes and writes, for each line: the number of the first
    first = int(line)
    child = os.fork()
    if child == 0:
        for number in range(first, first + 100000):
            tensors = {"a": torch.full((50000,), number, dtype=torch.int64)}
            brain.write(folder / "state", tensors, {"number": str(number)})
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_a_hundred_times_while_writing_the_file_is_always_whole(tmp_path):
    dice, number, grown = random.Random(1), 0, 0
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as boss:
        for _ in range(100):
            boss.stdin.write(f"{number}\n")
            boss.stdin.flush()
            child = int(boss.stdout.readline())
            time.sleep(dice.uniform(0.0, 0.04))  # the moment is the point
            os.kill(child, signal.SIGKILL)
            assert boss.stdout.readline() == "gone\n"
            if (tmp_path / "state").exists():
                with safe_open(tmp_path / "state", "pt") as file:
                    told, tensor = int(file.metadata()["number"]), file.get_tensor("a")
                assert torch.equal(tensor, torch.full((50000,), told))
                assert told >= number - 1
                grown += told > number
                number = told + 1
        boss.stdin.close()
    assert grown > 30


def test_what_killed_writers_left_is_swept_after_an_hour(tmp_path):
    for name, age in ((".a.1.part", 7200), (".b.2.part", 10)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    sweep(tmp_path)
    assert os.listdir(tmp_path) == [".b.2.part"]


def test_the_state_says_what_it_is(tmp_path):
    saved(learner(), tmp_path)
    with safe_open(tmp_path / STATE, "pt") as file:
        told = file.metadata()
    assert told["format"] == autosave.FORMAT
    assert set(json.loads(told["state"])["lives"]) == {"paint"}
