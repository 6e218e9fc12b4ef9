"""A scene's report and diagram, written when they are asked for, with today's measurements."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, request

from droneteam.errors import InputError
from droneteam.photogrammetry import service
from droneteam.photogrammetry.export.numbers import LANGUAGES
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading
from droneteam.web.i18n import language
from droneteam.web.limiter import limiter
from droneteam.web.scene_looks import note_taken
from droneteam.web.views.scenes import READERS

bp = Blueprint("scene_documents", __name__, url_prefix="/scenes")

MEDIA_TYPES = {"pdf": "application/pdf", "dxf": "image/vnd.dxf"}


@bp.get("/<id:scene_id>/report-measured.pdf")
@allow(*READERS)
@limiter.limit("30 per minute")
def report(scene_id: int) -> Response:
    """The scene report with the measurements in force; dated now."""

    def write(path: Path) -> None:
        with reading() as session:
            service.write_report(
                session,
                actor(),
                scene_id,
                context().settings,
                path,
                language=_language(),
                made_at=now(),
            )

    return _answer(scene_id, "report-measured.pdf", write)


@bp.get("/<id:scene_id>/diagram-measured.pdf", defaults={"suffix": "pdf"})
@bp.get("/<id:scene_id>/diagram-measured.dxf", defaults={"suffix": "dxf"})
@allow(*READERS)
@limiter.limit("30 per minute")
def diagram(scene_id: int, suffix: str) -> Response:
    """The diagram to scale with the measurements in force; by default the scale that fits."""
    scale = request.args.get("scale", type=int)
    if scale is None and request.args.get("scale"):
        raise InputError("the scale is a whole number, 100 for 1:100", field="scale")

    def write(path: Path) -> None:
        with reading() as session:
            service.write_diagram(
                session,
                actor(),
                scene_id,
                context().settings,
                path,
                language=_language(),
                scale=scale,
            )

    return _answer(scene_id, f"diagram-measured.{suffix}", write)


def _language() -> str:
    """The language asked for; the visitor's own by default."""
    asked = request.args.get("language") or language()
    if asked not in LANGUAGES:
        raise InputError(f"the language is one of {', '.join(LANGUAGES)}", field="language")
    return asked


def _answer(scene_id: int, name: str, write: Callable[[Path], None]) -> Response:
    """The file that `write` makes, once the audit chain says who took it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        content = path.read_bytes()
    note_taken(scene_id, name)
    answer = Response(content, mimetype=MEDIA_TYPES[path.suffix[1:]])
    answer.headers["Content-Disposition"] = f'attachment; filename="scene-{scene_id}-{name}"'
    answer.headers["Cache-Control"] = "no-cache"
    return answer
