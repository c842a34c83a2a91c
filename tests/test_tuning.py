"""How this machine computes."""

import os
import sys
import threading

import pytest
import torch

from bridge import Refusal
from bridge.learn import tuning


@pytest.fixture(autouse=True)
def as_it_was():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    if sys.platform == "linux":
        os.sched_setaffinity(0, tuning.ALLOWED)


def test_the_processor_is_always_there():
    assert tuning.pick_device("cpu").type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_card_is_refused_with_what_to_do():
    with pytest.raises(Refusal, match="--device cpu"):
        tuning.pick_device("cuda")


def test_the_fastest_choice_is_found_and_left_in_use():
    class Clock:
        now = 0.0

    def make_step(precision):
        def step():
            threads = torch.get_num_threads()
            Clock.now += {("a", 1): 9e-3, ("a", 2): 8e-3, ("b", 1): 2e-3, ("b", 2): 5e-3}[
                precision, threads
            ]

        return step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning.time, "perf_counter", lambda: Clock.now)
        precision, threads, took = tuning.fastest(make_step, ["a", "b"], [1, 2])
    assert (precision, threads) == ("b", 1)
    assert took == pytest.approx(2.0)
    assert torch.get_num_threads() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a program choose its cores")
def test_threads_started_while_roaming_may_use_every_core():
    tuning.use_threads(len(tuning.ALLOWED))
    found = []
    with tuning.roaming():
        thread = threading.Thread(target=lambda: found.append(os.sched_getaffinity(0)))
        thread.start()
    thread.join()
    assert found == [tuning.ALLOWED]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a program choose its cores")
def test_one_thread_alone_is_not_pinned():
    tuning.use_threads(1)
    assert os.sched_getaffinity(0) == tuning.ALLOWED


def test_threads_to_try_leave_the_show_a_core_where_there_are_some(monkeypatch):
    monkeypatch.setattr(tuning, "_cores", lambda: list(range(8)))
    assert tuning.thread_choices() == [1, 6]
    monkeypatch.setattr(tuning, "_cores", lambda: [0, 1])
    assert tuning.thread_choices() == [1, 2]
    monkeypatch.setattr(tuning, "_cores", lambda: [0])
    assert tuning.thread_choices() == [1]
