"""Child processes end with their parent, and a dead one is explained."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from droneteam.commands.supervise import Children, wait_for_file
from droneteam.errors import SetupError


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_children_end_with_the_context(tmp_path: Path) -> None:
    with Children(tmp_path, os.environ) as children:
        child = children.start("server", "http.server", ["0", "--bind", "127.0.0.1"])
        children.require_running()
        pid = child.process.pid
        assert running(pid)
    assert child.process.poll() is not None
    assert not running(pid)


def test_a_child_that_died_is_shown_with_its_last_words(tmp_path: Path) -> None:
    with Children(tmp_path, os.environ) as children:
        child = children.start("broken", "http.server", ["not-a-port"])
        child.process.wait(timeout=120)
        with pytest.raises(SetupError, match=r"(?s)broken ended with status 2.*not-a-port"):
            children.require_running()


def test_waiting_for_a_file_notices_a_dead_child(tmp_path: Path) -> None:
    with Children(tmp_path, os.environ) as children:
        child = children.start("broken", "http.server", ["not-a-port"])
        with pytest.raises(SetupError, match="broken ended"):
            wait_for_file(tmp_path / "never", child, 30.0)


def test_waiting_for_a_file_gives_up_in_time(tmp_path: Path) -> None:
    with Children(tmp_path, os.environ) as children:
        child = children.start("server", "http.server", ["0", "--bind", "127.0.0.1"])
        started_s = time.monotonic()
        with pytest.raises(SetupError, match="was not ready within 0 s"):
            wait_for_file(tmp_path / "never", child, 0.3)
        assert time.monotonic() - started_s < 5.0
