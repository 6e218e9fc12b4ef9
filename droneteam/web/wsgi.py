"""What a WSGI server loads: the application with the environment's settings."""

from __future__ import annotations

from flask import Flask

from droneteam import db
from droneteam.settings import Settings
from droneteam.web.app import create_app


def application() -> Flask:
    """The application, made once in each server process."""
    settings = Settings.from_env()
    return create_app(settings, db.make_engine(settings.database_url))
