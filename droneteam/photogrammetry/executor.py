"""Where units of work run: in this process, in threads, in worker processes or on a cluster.

A stage hands over a function, what all units share, and the units; results come back in the
units' order, whoever made them.  Units do not know of each other and take no randomness but from
their arguments, so the result is the same bytes wherever they ran.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import cv2

from droneteam.errors import InputError
from droneteam.photogrammetry.resources import available_memory_bytes

MANY = 1_000_000
MEMORY_SHARE = 0.7
"""Of the free memory that units may take together; the rest is the stage's own."""

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")


class Future(Protocol):
    """A result to come."""

    def result(self) -> Any:
        """The result, waited for; raises what the unit raised."""

    def cancel(self) -> Any:
        """Drop the unit if it has not begun."""


class Executor(Protocol):
    """Runs units of work."""

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        holds_lock: bool = False,
        unit_bytes: int = 0,
    ) -> Iterator[Result]:
        """function(shared, item) of every item, in order, at most a few ahead of the consumer.

        Leaving the iterator drops the units that have not begun.  function is a module's own, and
        everything can be pickled.  holds_lock : the function keeps Python's lock, so that threads
        would wait for each other.  unit_bytes : memory that a unit needs while it runs.
        """

    def require_sight(self, paths: Iterable[Path]) -> None:
        """Nothing, when whoever runs the units sees these files and folders.

        Raises
        ------
        SetupError
            Names the worker and the path.
        """


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Units in threads, or in processes of their own where they would hold Python's lock."""

    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"workers {self.workers} is less than 1", field="workers")

    def map(
        self,
        function: Callable[[Shared, Item], Result],
        shared: Shared,
        items: Sequence[Item],
        *,
        holds_lock: bool = False,
        unit_bytes: int = 0,
    ) -> Iterator[Result]:
        """See `Executor`."""
        workers = min(self.workers, len(items), _that_fit(unit_bytes))
        if workers <= 1 or (holds_lock and multiprocessing.current_process().daemon):
            return (function(shared, item) for item in items)
        run = _in_processes if holds_lock else _in_threads
        return run(workers, function, shared, items)

    def require_sight(self, paths: Iterable[Path]) -> None:
        """Nothing: this machine sees its own files."""


def _that_fit(unit_bytes: int) -> int:
    """How many units fit into the memory that is free now; at least one."""
    free = available_memory_bytes()
    if not unit_bytes or free is None:
        return MANY
    return max(1, int(MEMORY_SHARE * free / unit_bytes))


def in_order(submit: Callable[[Item], Future], items: Iterable[Item], ahead: int) -> Iterator[Any]:
    """Results in the items' order, with at most `ahead` units under way beyond the one awaited."""
    running: deque[Future] = deque()
    try:
        for item in items:
            running.append(submit(item))
            if len(running) > ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()


def _in_threads(
    workers: int,
    function: Callable[[Shared, Item], Result],
    shared: Shared,
    items: Sequence[Item],
) -> Iterator[Result]:
    with ThreadPoolExecutor(workers) as pool:
        yield from in_order(lambda item: pool.submit(function, shared, item), items, workers)


_shared: Any = None
"""In a worker process: what its units share."""


def _in_processes(
    workers: int,
    function: Callable[[Shared, Item], Result],
    shared: Shared,
    items: Sequence[Item],
) -> Iterator[Result]:
    """A process that the system kills raises BrokenProcessPool where its result was awaited."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_process, initargs=(shared,)
    ) as pool:
        yield from in_order(lambda item: pool.submit(_run_unit, function, item), items, workers)


def _start_process(shared: Any) -> None:
    global _shared
    _shared = shared
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, name="end-with-parent", daemon=True).start()


def _end_with_parent() -> None:
    """Ends this process when its parent is gone: one that was killed cannot tell its workers."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


def _run_unit(function: Callable[[Any, Item], Result], item: Item) -> Result:
    return function(_shared, item)
