"""Engine: the loop that is the show. apply, receive, see, look, send, learn.

It runs on the frame thread, which owns receiver, network and senders. The picture leaves before
the gradient steps; whatever goes wrong inside a turn, the last picture stands and the next turn
comes. Offline, the same turns run without a clock: every frame once, in order, and the first
thing that cannot be done ends the run.
"""

import collections
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bridge import Refusal
from bridge.frame import Frame
from bridge.learn.learner import Learner
from bridge.params import trigger
from bridge.pictures import Pictures
from bridge.space import AddressSpace
from bridge.stats import Stats, System
from bridge.video import Receiver, Sender

log = logging.getLogger("bridge.engine")

LOST = 0.25  # seconds without a frame after which the source counts as gone
AGAIN = 1 / 30  # seconds between pictures while no frame comes
LATE = 2.0  # frames of the source's own after which the last picture is sent again
SAFE = ("/see/", "/net/", "/learn/", "/memory/", "/brain/anchor")  # what panic puts back
GREY = 128  # what the network looks at before the first frame


class Engine:
    """Plays `receiver` through `learner` to `senders` under the knobs in `space`, and publishes
    what is `seen` and `made` to `pictures`."""

    def __init__(
        self,
        learner: Learner,
        receiver: Receiver,
        senders: Sequence[Sender],
        space: AddressSpace,
        *,
        live: bool = True,
        clock: Callable[[], float] = time.perf_counter,
        stats: Stats | None = None,
        system: System | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        self.learner, self.receiver, self.senders = learner, receiver, list(senders)
        self.space, self.live, self.clock = space, live, clock
        self.stats, self.system = stats or Stats(), system or System()
        self.pictures = pictures or Pictures(clock)
        self.rows: list[tuple[float, float, float]] | None = None  # dB, loss, ms of each frame
        self.stopping = False
        self.afterwards: list[Callable[[float], None]] = []  # done when a turn's pictures have left
        self.troubles: list[Callable[[], str]] = [
            lambda: learner.running.trouble
        ]  # besides in and out
        self.picture: Frame | None = None  # the last that left, on the learner's device
        self._copied: tuple[torch.Tensor, Any] | None = None  # one that was brought to the host
        self._seen_anew = False  # whether what was last looked at has not been published
        self._sent: collections.deque[float] = collections.deque(maxlen=1000)
        self._stepped: collections.deque[tuple[float, int]] = collections.deque(maxlen=1000)
        self._last_frame = self._last_sent = -math.inf
        self._last_log = -math.inf
        self._patient = LOST  # seconds without a frame after which the last picture is sent again
        self._standing: set[str] = set()  # what is wrong with sources, sinks …, as they say
        for group, owner in (
            *learner.knobs(),
            ("/stats", self.stats),
            ("/stats", space),
            ("/system", self.system),
            ("/system", self),
        ):
            space.add(group, owner)
        self.keep_safe(space.preset())

    def keep_safe(self, knobs: Mapping[str, object]) -> None:
        """Take these values, by address, for where `panic` puts the faders back."""
        self._safe = {a: v for a, v in knobs.items() if a.startswith(SAFE)}
        self._safe.pop("/net/name", None)  # whichever network plays, plays on

    @trigger(
        "one touch: the last good self, and every fader back where it stood at the start",
        critical=True,
    )
    def panic(self) -> None:
        self.space.recall(self._safe, at_once=True)
        self.learner.panic()

    def run(self, frames: int | None = None) -> None:
        """Turn until `frames` frames have been seen, the source has ended, or `stopping`."""
        while not self.stopping and (frames is None or self.stats.frames < frames):
            if not self.turn():
                break
        self.stats.state = "ended"

    def turn(self) -> bool:
        """One round of the loop. Answers whether there may be another frame."""
        if not self.live:
            return self._turn()
        try:
            return self._turn()
        except Exception as problem:  # the show goes on: one of the two places that catch all
            self._survive(problem)
            return True

    def _turn(self) -> bool:
        now = self.clock() if self.live else self._offline_time()
        self.stats.turned = now
        self.space.apply(now)
        self.space.slew = self.system.slew
        frame = self.receiver.receive(self._patience())
        if frame is not None:
            self._play(frame, now)
        elif self.receiver.status().ended:
            self._publish()
            return False
        elif self.live:
            self._fill_in()
        for act in self.afterwards:
            act(now)
        self._show()
        self._publish()
        return True

    def _play(self, frame: Frame, now: float) -> None:
        """See, look, send, learn."""
        begun = time.perf_counter()
        stats, learner = self.stats, self.learner
        x = learner.see(frame, now)
        self._send(learner.look(x), frame.time)
        self._seen_anew = True
        done = learner.learn(self._due(frame))
        self._last_frame = self.clock()
        self._stepped.append((self._last_frame, done))
        stats.busy = (time.perf_counter() - begun) * 1e3
        stats.frames += 1
        stats.skipped += frame.skipped
        stats.state = "learning" if done else "watching"
        if self.rows is not None:
            self.rows.append((learner.score.psnr, learner.score.loss, stats.busy))

    def _send(self, picture: torch.Tensor, seen: float) -> None:
        on_host = picture.device.type == "cpu"
        self.picture = Frame(picture.numpy() if on_host else picture, "bgra", seen)
        self._deliver(self.picture)
        if self.live:
            self.stats.latency = (self.clock() - seen) * 1e3

    def _deliver(self, picture: Frame) -> None:
        for sender in self.senders:
            sender.send(self._brought(picture) if sender.host else picture)
        self._last_sent = self.clock()
        self._sent.append(self._last_sent)

    def _brought(self, picture: Frame) -> Frame:
        """The picture on the host: copied there once, and not at all unless somebody asks."""
        if isinstance(picture.pixels, torch.Tensor):
            if self._copied is None or self._copied[0] is not picture.pixels:
                self._copied = picture.pixels, picture.pixels.cpu().numpy()
            picture = replace(picture, pixels=self._copied[1])
        return picture

    def _due(self, frame: Frame) -> float | None:
        """When the next frame is due, on the clock: inf where nobody knows, None offline."""
        if not self.live:
            return None
        rate = self.receiver.status().rate
        self._patient = min(LOST, max(LATE / rate, AGAIN)) if rate else LOST
        return frame.time + 1 / rate if rate else math.inf

    def _fill_in(self) -> None:
        """No frame: before the first, the network's view of grey; later the last picture again, at
        once, so that who takes it sees no hole; and once the source is gone, what the network
        dreams."""
        now = self.clock()
        idle = now - self._last_frame
        if idle < self._patient or now - self._last_sent < 0.9 * AGAIN:
            return
        if self.picture is None:
            width, height = self.learner.size
            grey = Frame(np.full((height, width, 4), GREY, np.uint8), "bgra", now)
            self._send(self.learner.look(self.learner.see(grey, now)), now)
            self._seen_anew = True
            self.stats.state = "waiting"
            return
        if idle < LOST:
            self._deliver(Frame(self.picture.pixels, "bgra", now))
            return
        dreamt = self.learner.dream(now) if self.system.lost == "dream" else None
        if dreamt is None:
            self._deliver(Frame(self.picture.pixels, "bgra", now))
            self.stats.state = "holding" if self.stats.frames else "waiting"
        else:
            self._send(dreamt, now)
            self._last_sent = now  # the time it took is the next one's, or they come too slowly
            self.stats.state = "dreaming"

    def _show(self) -> None:
        """Publish what is seen and made, where somebody watches: last, so that nothing waits for
        it. What is seen is made small where it is."""
        now, pictures = self.clock(), self.pictures
        if self.picture is None or not pictures.due(now):
            return
        pictures.publish("made", self._brought(self.picture).pixels, now)
        seen = self.learner.seen() if self._seen_anew else None
        if seen is not None:
            step = pictures.step(seen)
            pictures.publish("seen", seen[::step, ::step].cpu().numpy(), now)
            self._seen_anew = False

    def _patience(self) -> float:
        """Seconds to wait for a frame: in a dream, until the next picture of it is to be made."""
        if self.stats.state != "dreaming":
            return AGAIN
        return max(0.0, self._last_sent + AGAIN - self.clock())

    def _offline_time(self) -> float:
        return self.stats.frames / (self.receiver.status().rate or 30.0)

    def _publish(self) -> None:
        """The readings that are not set where they arise."""
        now, stats = self.clock(), self.stats
        while self._sent and self._sent[0] < now - 1:
            self._sent.popleft()
        while self._stepped and self._stepped[0][0] < now - 1:
            self._stepped.popleft()
        stats.fps, stats.pace = float(len(self._sent)), float(sum(n for _, n in self._stepped))
        source = self.receiver.status()
        stats.source = source.name
        sinks = [sender.status() for sender in self.senders]
        stats.sink = ", ".join(sink.name for sink in sinks if sink.name)
        ways = [(source.name, source.route), *((sink.name, sink.route) for sink in sinks)]
        stats.route = "; ".join(f"{name} {route}" for name, route in ways if route)
        stats.watchers = sum(sink.watchers or 0 for sink in sinks)
        stats.dropped = sum(sink.dropped for sink in sinks)
        troubles = (trouble() for trouble in self.troubles)
        told = (source.error, *(sink.error for sink in sinks), *troubles)
        standing = {problem for problem in told if problem}
        for problem in sorted(standing - self._standing):  # once a time that it comes, not a frame
            stats.error = problem
            log.warning("%s", problem)
        self._standing = standing

    def _survive(self, problem: Exception) -> None:
        """Hold the last picture, count, and say so at most once a second."""
        self.stats.faults += 1
        self.stats.error = str(problem) or type(problem).__name__
        now = self.clock()
        if now - self._last_log >= 1.0:
            self._last_log = now
            detail = None if isinstance(problem, Refusal) else problem
            log.error("the picture holds: %s", self.stats.error, exc_info=detail)
        time.sleep(AGAIN / 2)  # a fault that returns at once must not spin
        if self.picture is not None and now - self._last_sent >= AGAIN:
            self._resend(now)

    def _resend(self, now: float) -> None:
        """The last picture, to those who can still take it."""
        assert self.picture is not None
        for sender in self.senders:
            try:
                again = Frame(self.picture.pixels, "bgra", now)
                sender.send(self._brought(again) if sender.host else again)
            except (Refusal, OSError, RuntimeError, ValueError) as problem:
                self.stats.error = str(problem)
        self._last_sent = now
        self._sent.append(now)

    def close(self) -> None:
        """Close the source and finish every sink, each whatever the others do."""
        parts: list[Any] = [self.receiver, *self.senders]
        problems = []
        for part in parts:
            try:
                part.close()
            except Refusal as problem:
                problems.append(problem)
        if problems:
            raise problems[0]
