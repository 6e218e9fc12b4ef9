"""What the demonstration's steps share: the installation, the people, and what has happened."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import accounts, db
from droneteam.accounts import Actor
from droneteam.commands.supervise import Children
from droneteam.errors import DroneteamError
from droneteam.settings import Settings


class StepFailed(DroneteamError):
    """A step of the story did not come out as it must."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it shows, and how."""

    title: str
    play: Callable[[Stage], None]


@dataclass(slots=True)
class Stage:
    """The running installation and the ids of what the story has made so far."""

    settings: Settings
    engine: Engine
    password: str
    speedup: float
    seed: int
    started_s: float
    children: Children | None = None
    logins: list[str] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    assignment_id: int = 0
    mission_id: int = 0
    sortie_id: int = 0
    scene_id: int = 0
    case_id: int = 0
    links: dict[str, str] = field(default_factory=dict)
    control_port: int = 0
    _step: str = ""

    @property
    def url(self) -> str:
        """Where the pages are."""
        return f"http://{self.settings.host}:{self.settings.port}/"

    @property
    def card(self) -> Path:
        """The folder that stands for the drones' memory cards."""
        return self.settings.data_dir / "card"

    @property
    def truth(self) -> Path:
        """What the simulator says is true."""
        return self.settings.data_dir / "truth"

    @property
    def processes(self) -> Children:
        """The processes of the installation."""
        assert self.children is not None, "the stage has no processes yet"
        return self.children

    def play(self, step: Step) -> None:
        """Play a step; StepFailed names it when it does not come out."""
        self._step = step.title
        print(f"\n[{time.monotonic() - self.started_s:6.1f} s] {step.title}", flush=True)
        try:
            step.play(self)
        except StepFailed:
            raise
        except DroneteamError as error:
            raise StepFailed(step.title, str(error)) from error
        self.processes.require_running()

    def say(self, text: str) -> None:
        """Print one line of what happened."""
        print(f"[{time.monotonic() - self.started_s:6.1f} s]   {text}", flush=True)

    def require(self, condition: bool, message: str) -> None:
        """Nothing, when the condition holds; StepFailed otherwise."""
        if not condition:
            raise StepFailed(self._step, message)

    @contextmanager
    def acting(self, login: str) -> Iterator[tuple[Session, Actor]]:
        """A transaction of the user with that login."""
        with db.session_scope(self.engine) as session:
            yield session, accounts.actor_for_login(session, login)

    @staticmethod
    def now() -> datetime:
        """The time."""
        return datetime.now(UTC)

    def world(self) -> dict[str, Any]:
        """The simulated world's own figures."""
        content: dict[str, Any] = json.loads((self.truth / "world.json").read_text())
        return content
