"""The photos that matching used last, in memory."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.dense import stereo
from droneteam.photogrammetry.scene import View


class PhotoCache:
    """The most recently used photos, as brightness; safe between threads."""

    def __init__(self, views: tuple[View, ...], capacity: int) -> None:
        self._views = views
        self._capacity = capacity
        self._held: OrderedDict[int, NDArray[np.float32]] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[PhotoCache], tuple[tuple[View, ...], int]]:
        return PhotoCache, (self._views, self._capacity)

    def gray(self, view: int) -> NDArray[np.float32]:
        """The photo's brightness at matching scale."""
        with self._lock:
            if view in self._held:
                self._held.move_to_end(view)
                return self._held[view]
        image = stereo.read_gray(self._views[view])
        with self._lock:
            self._held[view] = image
            while len(self._held) > self._capacity:
                self._held.popitem(last=False)
        return image
