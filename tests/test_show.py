"""What the terminal shows."""

import pytest
from fakes.stage import Reel, Wall, frame
from rich.console import Console

from bridge import show
from bridge.engine import Engine
from bridge.learn.learner import Learner
from bridge.space import AddressSpace


@pytest.fixture
def space():
    space = AddressSpace()
    engine = Engine(Learner("tiles", (64, 48), seed=1), Reel([frame()] * 3), [Wall()], space)
    engine.run(3)
    return space


def rendered(space, frames):
    console = Console(width=100, file=None)
    with console.capture() as captured:
        console.print(show.Show(space, frames)._render())
    return captured.get()


def test_a_plain_line_tells_source_sink_pace_and_likeness(space):
    line = show.Show(space, 10).line()
    for part in ("frame 3/10", "reel > wall", "fps", "ms", "loss", "dB", "steps/s"):
        assert part in line


def test_a_plain_line_is_silent_about_what_went_well(space):
    assert "refused" not in show.Show(space, None).line()


def test_trouble_is_told(space):
    space.set("/nowhere", [1])
    space.set("/learn/rate", ["fast"])
    line = show.Show(space, None).line()
    assert "1 refused" in line
    assert "1 unknown" in line


@pytest.mark.parametrize("name", ["[/x]", "[red]a.mp4", "/foo[/bar]", "[link=x]"])
def test_brackets_in_names_are_shown_as_they_are(space, name):
    for address in ("/stats/source", "/stats/sink", "/stats/error"):
        knob = space[address]
        setattr(knob.owner, knob.name, name)
    assert rendered(space, None).count(name) == 3


def test_the_bar_shows_how_far_it_is_where_the_end_is_known(space):
    assert "3/10" in rendered(space, 10)
    assert "left" in rendered(space, 10)
    assert "left" not in rendered(space, None)


def test_without_a_terminal_it_prints_lines_and_ends_with_the_last_state(space, capsys):
    with show.Show(space, None):
        pass
    assert "frame 3" in capsys.readouterr().err
