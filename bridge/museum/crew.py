"""Many pictures are looked at, at once: in processes of their own, in order, a few ahead.

Processes that are started afresh (as Windows and macOS do it), for one that is forked from a
program that runs torch may hang. One that is killed by what it decodes takes no more with it than
that picture.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from bridge.museum.look import Found, look

AHEAD = 6  # pictures for each worker, that are looked at before their turn
FEW = 24  # pictures that are there sooner than a process is
MOST_WORKERS = 60  # Windows waits for no more


def looks(paths: Sequence[str], side: int, workers: int) -> Iterator[Found | str]:
    """What `look` finds in each, in order."""
    if workers <= 1 or len(paths) <= FEW:
        for path in paths:
            yield look(path, side)
        return
    done = 0
    while done < len(paths):
        for found in _until_one_breaks(paths[done:], side, min(workers, MOST_WORKERS)):
            yield found
            done += 1
        # Which of those in hand it was is found out one by one.
        for path in paths[done : done + workers * AHEAD]:
            yield _alone(path, side)
            done += 1


def _until_one_breaks(paths: Sequence[str], side: int, workers: int) -> Iterator[Found | str]:
    pool, ahead = _pool(workers), deque[Future[Found | str]]()
    waiting = iter(paths)
    try:
        for path in waiting:
            ahead.append(pool.submit(look, path, side))
            if len(ahead) >= workers * AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool:
        return
    finally:
        pool.shutdown(cancel_futures=True)


def _alone(path: str, side: int) -> Found | str:
    with _pool(1) as pool:
        try:
            return pool.submit(look, path, side).result()
        except BrokenProcessPool:
            return "whoever decodes it dies of it"


def _pool(workers: int) -> ProcessPoolExecutor:
    fresh = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, fresh, _belong_to_the_parent)


def _belong_to_the_parent() -> None:
    """Ctrl-C goes to every process of a terminal, and the parent's word is enough; but a parent
    that is killed says none, and its workers would wait for work for ever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
