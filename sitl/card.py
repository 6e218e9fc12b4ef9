"""The drones' memory card: renders shots in the background and keeps the truth beside them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from droneteam.errors import DroneteamError, InputError
from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.photo import Taken, photo_name, take
from sitl.render import render
from sitl.shot import Shot
from sitl.truth import TruthWriter, write_world
from sitl.world import World

log = logging.getLogger(__name__)

NICENESS = 10
"""Rendering yields the processor to the simulated autopilots."""
QUEUE_LIMIT = 2000
"""Shots that may wait; a Shot is small, a photo takes seconds."""


class CardError(DroneteamError):
    """A photo could not be rendered or written.

    photo : the photo's name, "drone/DJI_0001.JPG"
    """

    def __init__(self, photo: str, why: str) -> None:
        super().__init__(f"photo {photo} was not written: {why}")
        self.photo = photo


class CardWriter:
    """Takes shots and leaves DIRECTORY/<drone>/DJI_0001.JPG, each whole or absent.

    With a truth directory, the world's facts stand there from the start and the per-photo
    files follow: once for all drones (photos as "<drone>/DJI_0001.JPG") and once per drone in
    a directory of its own (bare names).
    """

    def __init__(
        self,
        world: World,
        directory: Path,
        camera: SimCamera,
        seed: int,
        workers: int,
        *,
        truth_dir: Path | None = None,
        queue_limit: int = QUEUE_LIMIT,
    ) -> None:
        if workers < 1:
            raise InputError(f"workers {workers} must be at least 1", field="workers")
        self._world, self._directory, self._camera, self._seed = world, directory, camera, seed
        self._truth_dir = truth_dir
        self._truths: dict[str, TruthWriter] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(queue_limit)
        self._failed: list[CardError] = []
        self._pending: dict[Future[Taken], str] = {}
        self._names: set[str] = set()
        _warm_up(world, camera)
        directory.mkdir(parents=True, exist_ok=True)
        if truth_dir is not None:
            write_world(world, camera, truth_dir, seed)
        self._pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start_worker, (world, camera)
        )

    def shoot(self, shot: Shot) -> None:
        """Queue a shot; waits only while the queue is full.

        Raises
        ------
        CardError
            An earlier photo failed.
        InputError
            The drone has already taken a photo with this index.
        """
        self._raise_failure()
        name = f"{shot.drone}/{photo_name(shot.index)}"
        if name in self._names:
            raise InputError(f"photo {name} was already taken", field="index")
        self._names.add(name)
        self._slots.acquire()
        try:
            future = self._pool.submit(_take, shot, self._directory / shot.drone, self._seed)
        except BrokenProcessPool as error:
            self._slots.release()
            raise CardError(name, "a rendering process died") from error
        with self._lock:
            self._pending[future] = name
        future.add_done_callback(self._finished)

    def close(self) -> None:
        """Wait for all photos.

        Raises
        ------
        CardError
            Names the first photo that failed.
        """
        self._pool.shutdown(wait=True)
        with self._lock:
            for truth in self._truths.values():
                truth.write()
        self._raise_failure()

    def __enter__(self) -> CardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def waiting(self) -> int:
        """Photos that are not on the card yet."""
        return len(self._pending)

    def _raise_failure(self) -> None:
        if self._failed:
            raise self._failed[0]

    def _finished(self, future: Future[Taken]) -> None:
        with self._lock:
            name = self._pending.pop(future)
            error = future.exception()
            if error is not None:
                why = (
                    "a rendering process died"
                    if isinstance(error, BrokenProcessPool)
                    else f"{type(error).__name__}: {error}"
                )
                log.error("photo %s: %s", name, why)
                self._failed.append(CardError(name, why))
            else:
                self._enter(name, future.result())
        self._slots.release()

    def _enter(self, name: str, taken: Taken) -> None:
        if self._truth_dir is None:
            return
        drone = taken.shot.drone
        for key, entry in (("", name), (drone, taken.name)):
            if key not in self._truths:
                self._truths[key] = TruthWriter(self._world, self._truth_dir / key, self._seed)
            self._truths[key].add(entry, taken)


def _warm_up(world: World, camera: SimCamera) -> None:
    """Bake the light and compile the kernels once, here, so that the workers find both done."""
    above = Pose(np.array([0.0, 0.0, 20.0]), camera_rotation(0.0, -90.0, 0.0))
    render(world, camera.resized(64), above, 0)


_scene: tuple[World, SimCamera]
"""What a worker process renders; set once when it starts."""


def _start_worker(world: World, camera: SimCamera) -> None:
    global _scene
    os.nice(NICENESS)
    _scene = world, camera


def _take(shot: Shot, directory: Path, seed: int) -> Taken:
    world, camera = _scene
    return take(world, camera, shot, directory, seed)
