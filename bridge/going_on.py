"""Going on: what a show begins with of what was before: a brain's file, or the last autosave.

On the frame thread, before the first frame.
"""

import logging
from pathlib import Path

import torch
from platformdirs import user_data_dir

from bridge import Refusal, nets
from bridge.config import Config
from bridge.learn import autosave, brain, image
from bridge.learn.learner import Learner
from bridge.learn.life import Life

log = logging.getLogger("bridge.play")

NET = "paint"  # the network to begin with, where nothing says another


def net_of(config: Config) -> str:
    """The network to begin with: that which is asked for, or else the brain's, if it is there.
    Raises Refusal for none of ours."""
    if config.net is not None:
        nets.net_class(config.net)
        return config.net
    told = brain.head(Path(config.brain).expanduser()) if config.brain else {}
    name = told.get("network", NET)
    return name if name in nets.NAMES else NET  # and then the brain is refused with the reason


def brains_of(config: Config) -> Path:
    """Where brains are kept; made when something is written there."""
    place = config.brains or f"{user_data_dir('First Light', appauthor=False)}/brains"
    return Path(place).expanduser()


def brain_of(name: str, config: Config) -> str:
    """Where the brain of the network `name` is kept: `--brain` names that of `--net`, and others
    that are switched to have theirs beside it (show.safetensors, show-ghost.safetensors)."""
    place = Path(config.brain or "")
    return str(place if name == config.net else place.with_stem(f"{place.stem}-{name}"))


def remember(config: Config, life: Life) -> None:
    place = brain_of(life.name, config)
    if not life.weights.lengths:
        return
    if Path(place).expanduser().exists():
        brain.load(life, place)
    else:
        log.info("--brain %s: is not there yet; %s begins blank.", place, life.name)


def keep(config: Config, life: Life) -> None:
    """Save a network where `--brain` says, unless it is what is there, or is still blank: a show
    that learns nothing leaves a school's file as the school made it. Raises Refusal."""
    place = brain_of(life.name, config)
    if life.weights.lengths and not _is_kept(life, Path(place).expanduser()):
        brain.save(life, place)


def _is_kept(life: Life, place: Path) -> bool:
    if not place.exists():
        return life.weights.hash() == life.hash
    try:
        flat = brain.opened(life, place)[1]
    except Refusal:
        return False
    return torch.equal(flat.to(life.weights.flat), life.weights.flat)


def resumed(
    config: Config, brains: Path, size: tuple[int, int]
) -> tuple[autosave.State | None, tuple[int, int]]:
    """What `--resume` goes on from, and the size to play at. A rig that starts by itself must
    start: what cannot be read is told and set aside, and the network begins blank."""
    if not config.resume:
        return None, size
    try:
        state = autosave.read(brains)
    except Refusal as problem:
        log.warning("--resume: %s It is %s.", problem, autosave.set_aside(brains))
        return None, size
    if state is None:
        log.info("--resume: nothing has been saved in %s yet; it begins blank.", brains)
        return None, size
    width, height = image.parse_size(state.size)
    # Of lines alone the width is the source's, which at a start may not be there yet.
    other = (width, height) != size if config.size else config.lines and height != size[1]
    if other:
        kept = autosave.set_aside(brains)
        say = "--resume: what was saved is of %s, and %s was asked for; it begins blank, and"
        log.warning(f"{say} the other is %s.", state.size, image.size_name(size), kept)
        return None, size
    return state, (width, height)


def restored(learner: Learner, state: autosave.State, brains: Path, now: float) -> bool:
    try:
        autosave.restore(learner, state, now)
    except Refusal as problem:
        log.warning("--resume: %s It is %s.", problem, autosave.set_aside(brains))
        return False
    log.info("--resume: it goes on from %s.", state.date)
    return True
