"""`droneteam demo`: the whole chain, from a zone's request to sealed evidence, on the simulator."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from droneteam import db, schema
from droneteam.commands import demo_flight, demo_scene, demo_start
from droneteam.commands.demo_stage import Stage, StepFailed
from droneteam.commands.supervise import Children
from droneteam.errors import InputError
from droneteam.settings import Settings

MARKER = ".droneteam-demo"
"""Stands in a folder that a demonstration made, so that no other folder is ever emptied."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--headless", action="store_true", help="end when the story has ended")
    parser.add_argument("--data", type=Path, help="folder to use (default: demo below the data)")
    parser.add_argument("--port", type=int, help="the web server's port")
    parser.add_argument("--speedup", type=float, default=10.0, help="simulated seconds per second")
    parser.add_argument("--seed", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """0 when every step succeeded; otherwise the name of the one that failed, and 1."""
    logging.getLogger().setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, _interrupt)
    settings = _settings(args)
    stage = Stage(
        settings=settings,
        engine=db.make_engine(settings.database_url),
        password=secrets.token_urlsafe(12),
        speedup=args.speedup,
        seed=args.seed,
        started_s=time.monotonic(),
    )
    schema.upgrade(stage.engine)
    environ = os.environ | {
        "DRONETEAM_DATA": str(settings.data_dir),
        "DRONETEAM_DATABASE": settings.database_url,
        "DRONETEAM_SECRET": settings.secret_key,
        "DRONETEAM_PORT": str(settings.port),
    }
    with Children(settings.data_dir / "processes", environ) as children:
        stage.children = children
        try:
            for step in (*demo_start.STEPS, *demo_flight.STEPS, *demo_scene.STEPS):
                stage.play(step)
        except StepFailed as failure:
            print(f"\nFAILED at {failure.step}: {failure}", flush=True)
            return 1
        stage.say(f"done in {time.monotonic() - stage.started_s:.0f} s; sign in at {stage.url}")
        stage.say(f"as {', '.join(stage.logins)} with the password {stage.password}")
        if not args.headless:
            _stay(stage, children)
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Let the processes be ended in order, as Ctrl-C does."""
    raise KeyboardInterrupt


def _stay(stage: Stage, children: Children) -> None:
    stage.say("the server stays up; Ctrl-C ends it")
    try:
        while True:
            children.require_running()
            time.sleep(1.0)
    except KeyboardInterrupt:
        stage.say("stopping")


def _settings(args: argparse.Namespace) -> Settings:
    base = Settings.from_env()
    folder = (args.data or base.data_dir / "demo").resolve()
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise InputError(f"{folder} holds something else; name an empty folder with --data")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()
    return replace(
        base,
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'droneteam.db'}",
        port=args.port or base.port,
    )
