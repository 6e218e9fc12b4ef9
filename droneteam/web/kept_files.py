"""Files that somebody had chosen when the session ended, held through the sign-in.

The fields of such a form travel through the sign-in page (`kept.py`); files are too large for that,
and a browser gives them away once.  They wait in a folder whose name nobody can guess, for a day,
for the person whose session it was, who may send them where the form would have.  A visitor whose
browser brings no session, not even an ended one, is told that the files were not kept: nobody
unknown fills the disk.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import current_app, request
from werkzeug.datastructures import FileStorage, ImmutableMultiDict

from droneteam.errors import SceneError
from droneteam.photogrammetry.upload_files import require_room
from droneteam.web.access import body_limit_of
from droneteam.web.context import context, now

FIELD = "kept_files"
"""The field of a form that is sent again, which names the held files."""
LIFETIME = timedelta(days=1)
MOST_HOLDS = 3
"""Of one person at a time; the oldest gives way."""
_KEY = re.compile(r"(\d+)-[0-9a-f]{32}")
_LIST = "files.json"


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One held file; field : the form's, name : as the browser called it."""

    field: str
    name: str
    size_bytes: int


def brings_files() -> bool:
    """Whether the request is a form that may hold files."""
    return request.method == "POST" and request.mimetype == "multipart/form-data"


def may_be_read() -> bool:
    """Whether the form is not larger than its view takes; from here on that limit holds."""
    view = current_app.view_functions[str(request.endpoint)]
    limit = body_limit_of(view) or current_app.config["MAX_CONTENT_LENGTH"]
    length = request.content_length
    if length is None or length > limit:
        return False
    request.max_content_length = limit
    try:
        require_room(context().settings.data_dir, 2 * length)
    except SceneError:
        return False
    return True


def is_large() -> bool:
    """Whether the form is larger than one without files may be: then it is not read at all."""
    length = request.content_length
    return length is None or length > current_app.config["MAX_CONTENT_LENGTH"]


def chosen_files() -> list[tuple[str, FileStorage]]:
    """The files of the form, each with its field's name."""
    return [(name, file) for name, file in request.files.items(multi=True) if file.filename]


def hold(owner_id: int) -> str:
    """The key of this request's files, which now wait for their owner; "" where it has none."""
    files = chosen_files()
    if not files:
        return ""
    purge()
    mine = sorted(_folder().glob(f"{owner_id}-*"), key=_kept_at)
    for older in mine[: max(0, len(mine) - MOST_HOLDS + 1)]:
        _remove(older)
    key = f"{owner_id}-{secrets.token_hex(16)}"
    folder = _folder() / key
    folder.mkdir(parents=True)
    rows = []
    for number, (name, file) in enumerate(files):
        path = folder / str(number)
        file.save(path)
        rows.append(asdict(KeptFile(name, str(file.filename), path.stat().st_size)))
    document = {"at": now().isoformat(), "files": rows}
    (folder / _LIST).write_text(json.dumps(document), encoding="utf-8")
    return key


def held(key: str, owner_id: int) -> tuple[KeptFile, ...]:
    """What waits under a key for this person; nothing where it is gone or somebody else's."""
    found = _KEY.fullmatch(key)
    if found is None or int(found[1]) != owner_id:
        return ()
    path = _folder() / key / _LIST
    if not path.is_file() or now() - _kept_at(path.parent) > LIFETIME:
        return ()
    rows = json.loads(path.read_text(encoding="utf-8"))["files"]
    return tuple(KeptFile(**row) for row in rows)


def give_back(key: str, owner_id: int) -> bool:
    """Whether the held files are now this request's, as if the browser had just sent them."""
    files = held(key, owner_id)
    folder = _folder() / key
    request.files = ImmutableMultiDict(
        (file.field, FileStorage((folder / str(number)).open("rb"), file.name, file.field))
        for number, file in enumerate(files)
    )
    return bool(files)


def let_go(key: str) -> None:
    """The files were taken, or are no longer wanted."""
    for file in request.files.values():
        file.close()
    _remove(_folder() / key)


def purge() -> None:
    """Removes what nobody came back for."""
    for folder in _folder().glob("*-*"):
        if now() - _kept_at(folder) > LIFETIME:
            _remove(folder)


def _kept_at(folder: Path) -> datetime:
    """When a folder's files were held; when it was made, where they are still being written."""
    path = folder / _LIST
    if not path.is_file():
        return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["at"])


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # another request may be removing it, too


def _folder() -> Path:
    return context().settings.blob_dir("uploads") / "kept"
