"""Builds the front end into the package: hatchling calls the hook, the Makefile the function.

`npm ci` installs exactly what package-lock.json names; Vite writes droneteam/web/static/dist,
which is shipped in the wheel and never committed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "frontend"
DIST = ROOT / "droneteam" / "web" / "static" / "dist"
STAMP = DIST / ".built-from"
SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")


def build_frontend() -> None:
    """The front end, built when its sources differ from what was built last."""
    wanted = sources_hash()
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit(
            "npm is missing: install Node.js 20.19 or newer, which brings it, and try again"
        )
    if not (FRONTEND / "node_modules" / ".package-lock.json").exists() or _lock_is_newer():
        _run(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error")
    _run(npm, "run", "--silent", "check")
    _run(npm, "run", "--silent", "build", "--", "--logLevel", "warn")
    STAMP.write_text(wanted)


def sources_hash() -> str:
    """One hash over every file that the build reads."""
    digest = hashlib.sha256()
    files = [FRONTEND / name for name in SOURCES]
    files += sorted(path for path in (FRONTEND / "src").rglob("*") if path.is_file())
    for path in files:
        digest.update(path.relative_to(FRONTEND).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _lock_is_newer() -> bool:
    installed = FRONTEND / "node_modules" / ".package-lock.json"
    return (FRONTEND / "package-lock.json").stat().st_mtime > installed.stat().st_mtime


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=FRONTEND, stdout=sys.stderr)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[1:3])} failed with status {done.returncode}")


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a plain script, before hatchling is there
    pass
else:

    class FrontendHook(BuildHookInterface):  # type: ignore[type-arg]
        """Runs the front end's build before a wheel or an editable install is made."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build, and name the result as part of the package."""
            build_frontend()
            build_data["artifacts"].append("droneteam/web/static/dist/**")


if __name__ == "__main__":
    build_frontend()
