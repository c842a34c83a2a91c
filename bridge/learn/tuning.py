"""How this machine computes: device, precision, threads, memory.

Called once at the start, on the frame thread, after the threads that decode, record and listen
are up: a thread inherits its maker's core, and those must stay free to move.
"""

import contextlib
import ctypes
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import torch

from bridge import Refusal

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OFFLINE_THREADS = 2  # the same on every machine: the order of a sum decides its last bit
ROUNDS, WARM, TIMED = 2, 1, 3  # steps of each candidate: half a second at the default size

NICER = 10  # by how much a thread that writes steps back
MOST_THREADS = 6  # beyond, small convolutions wait longer for each other than they gain
# Taken before anything is pinned; on macOS and Windows a program has no say.
ALLOWED: set[int] = set()
if sys.platform == "linux":
    ALLOWED = os.sched_getaffinity(0)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's mallopt


def pick_device(asked: str) -> torch.device:
    """ "auto", "cpu", "cuda" or "mps" as a device. Raises Refusal where it is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        return torch.device(next((name for name, ok in there.items() if ok), "cpu"))
    if not there.get(asked, True):
        hint = {
            "cuda": "install torch's CUDA build (README, first page) or use --device cpu",
            "mps": "it needs a Mac with Apple silicon; use --device cpu",
        }[asked]
        raise Refusal(f"--device {asked}: torch {torch.__version__} finds none here; {hint}.")
    return torch.device(asked)


def keep_memory() -> None:
    """Tell glibc to keep freed memory for the next frame rather than give it back.

    By default every activation above 128 kB is a fresh mmap, whose pages fault one by one: a
    third of a training step (docs/performance.md). Elsewhere than on glibc: nothing to do.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(M_MMAP_THRESHOLD, 32 << 20)
            mallopt(M_TRIM_THRESHOLD, 512 << 20)


def thread_choices() -> list[int]:
    """Numbers of computing threads worth trying: one, and all cores but the show's."""
    cores = len(_cores())
    most = cores if cores <= 2 else min(cores - 1, MOST_THREADS)
    return sorted({1, most})


def use_threads(count: int) -> None:
    """Compute on `count` threads, each with a core of its own where the system allows it.

    Unpinned, two OpenMP threads get stacked on one core and spin against each other: single
    convolutions jump from 0.7 ms to 32 ms (docs/log.md). macOS and Windows choose themselves.
    """
    torch.set_num_threads(count)
    if sys.platform != "linux":
        return
    os.sched_setaffinity(0, ALLOWED)
    computing, cores = _computing_threads(count), _cores()
    if 1 < count == len(computing) <= len(cores):
        for thread, core in zip(computing, cores, strict=False):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, {core})


def step_back() -> None:
    """Let the calling thread compute on one core, and only when nobody else wants it."""
    torch.set_num_threads(1)
    if sys.platform == "linux":  # elsewhere it would be the whole process
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICER)


def unpin() -> None:
    """Let the calling thread, and what it starts from here on, use every core again."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, ALLOWED)


@contextlib.contextmanager
def roaming() -> Iterator[None]:
    """Threads started inside may run on any core, though the frame thread is pinned."""
    if sys.platform != "linux":
        yield
        return
    pinned = os.sched_getaffinity(0)
    unpin()
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def fastest(
    make_step: Callable[[str], Callable[[], object]],
    precisions: Sequence[str],
    counts: Sequence[int],
) -> tuple[str, int, float]:
    """Try each precision on each number of threads. `make_step(precision)` makes one whole step.

    They take turns, so that a busy moment of the machine falls on all of them. Answers the best
    precision, thread count and its milliseconds; the threads are left in use.
    """
    steps = {precision: make_step(precision) for precision in precisions}
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for count in counts:
            use_threads(count)
            for precision, step in steps.items():
                times.setdefault((precision, count), []).extend(_milliseconds(step))
    medians = {choice: statistics.median(measured) for choice, measured in times.items()}
    precision, count = min(medians, key=lambda choice: medians[choice])
    use_threads(count)
    return precision, count, medians[precision, count]


def _milliseconds(step: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(WARM + TIMED):
        begun = time.perf_counter()
        step()
        times.append((time.perf_counter() - begun) * 1e3)
    return times[WARM:]


def _cores() -> list[int]:
    """One processor of each physical core that this process may use."""
    if sys.platform != "linux":
        return list(range(os.cpu_count() or 1))
    first_of: dict[str, int] = {}
    for cpu in sorted(ALLOWED):
        siblings = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        try:
            with open(siblings) as file:
                first_of.setdefault(file.read(), cpu)
        except OSError:
            first_of[str(cpu)] = cpu
    return list(first_of.values())


def _computing_threads(count: int) -> list[int]:
    """The calling thread and OpenMP's workers, told by what a parallel product keeps busy."""
    rows = torch.ones(512, 512)
    before = _busy()
    for _ in range(10):
        rows @ rows
    after = _busy()
    caller = threading.get_native_id()
    gained = {thread: time - before.get(thread, 0) for thread, time in after.items()}
    others = sorted(gained.keys() - {caller}, key=lambda thread: -gained[thread])
    return [caller, *others[: count - 1]]


def _busy() -> dict[int, int]:
    """Nanoseconds that each of this process's threads has run."""
    times = {}
    for thread in os.listdir("/proc/self/task"):
        with (
            contextlib.suppress(OSError),
            open(f"/proc/self/task/{thread}/schedstat") as file,
        ):
            times[int(thread)] = int(file.read().split()[0])
    return times
