"""A pilot's script with MAVSDK: fetch the newest onboard log both ways, print the hashes."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

from mavsdk import ComponentType, Configuration, Mavsdk
from mavsdk.plugins.ftp import Ftp
from mavsdk.plugins.log_files import LogFiles

LIMIT_S = 90.0


def fetch(begin: Any) -> str:
    """The last result's name of an operation that reports its progress."""
    done, results = threading.Event(), []

    def heard(result: Any, *_rest: Any) -> None:
        results.append(result.name)
        if result.name not in ("NEXT", "IN_PROGRESS"):
            done.set()

    begin(heard)
    if not done.wait(LIMIT_S):
        raise SystemExit(f"no end within {LIMIT_S} s: {results[-3:]}")
    return str(results[-1])


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(port: str, folder: str) -> None:
    mavsdk = Mavsdk(Configuration.create_with_component_type(ComponentType.GROUND_STATION))
    mavsdk.add_any_connection(f"tcpout://127.0.0.1:{port}")
    system = mavsdk.first_autopilot(20.0)
    if system is None:
        raise SystemExit("no autopilot found")
    logs, files, here = LogFiles(system), Ftp(system), Path(folder)
    entries = logs.get_entries()
    newest, path = entries[-1], here / "by_log_files.bin"
    by_log = fetch(lambda heard: logs.download_log_file_async(newest, str(path), heard))
    remote = "/APM/LOGS/00000001.BIN"
    by_ftp = fetch(lambda heard: files.download_async(remote, str(here), True, heard))
    listed = files.list_directory("/APM/LOGS")
    print(
        json.dumps(
            {
                "sizes": [entry.size_bytes for entry in entries],
                "by_log": [by_log, digest(path)],
                "by_ftp": [by_ftp, digest(here / "00000001.BIN")],
                "listed": sorted(one.name for one in listed.entries),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
