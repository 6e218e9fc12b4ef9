"""Both Remote ID decoders against an independent reading of the standard's tables.

    python -m benchmarks.vectors [--messages 1000000] [--seed 1]

Half of the messages have every field in its range, half are of random bytes.  Each is read by
`tests/detection/rid_oracle.py` (exact fractions, a table of bits, no shared code), by
`rid.decode_message` and by `batch`; every field of every message is compared, and so is what is
refused.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import random
import resource
import time
from collections import Counter
from datetime import timedelta

from droneteam.detection import batch, rid
from droneteam.detection.fields import EPOCH_2019
from droneteam.errors import DecodeError
from tests.detection import rid_oracle

BATCH = 10_000


def messages(count: int, chance: random.Random) -> list[bytes]:
    """Alternately in range, and random bytes of a known kind more often than of another."""
    return [
        rid_oracle.in_range(chance)
        if number % 2 == 0
        else bytes((chance.choice((0, 1, 2, 3, 4, 5, 1, 4, 9)) << 4 | 2,)) + chance.randbytes(24)
        for number in range(count)
    ]


def expected(data: bytes) -> tuple[str, dict[str, object]] | None:
    """What the tables say; None where they say nothing."""
    try:
        return rid_oracle.read(data)
    except rid_oracle.Refused:
        return None


def scalar(data: bytes) -> tuple[str, dict[str, object]] | None:
    """What the decoder of one message says."""
    try:
        message = rid.decode_message(data)
    except DecodeError:
        return None
    return type(message).__name__, dataclasses.asdict(message)


def columns(data: list[bytes]) -> list[dict[str, object] | None]:
    """What the batch decoder says of positions and systems; {} of other kinds that it accepts."""
    found = batch.split(data)
    said: list[dict[str, object] | None] = [
        None if problem else {} for problem in found.problem.tolist()
    ]
    for kind, read in (
        (rid.MessageType.LOCATION, batch.locations),
        (rid.MessageType.SYSTEM, _systems),
    ):
        rows = found.of(kind)
        fields = read(found.data[rows])
        names = [field.name for field in dataclasses.fields(fields)]
        lists = [getattr(fields, name).tolist() for name in names]
        for row, values in zip(rows.tolist(), zip(*lists, strict=True), strict=True):
            said[row] = dict(zip(names, map(_none, values), strict=True))
            if kind == rid.MessageType.SYSTEM:
                seconds = said[row].pop("seconds")
                said[row]["at"] = EPOCH_2019 + timedelta(seconds=seconds) if seconds else None
    return said


_systems = batch.systems


def _none(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def compare(data: list[bytes], counts: Counter[str]) -> list[str]:
    """The differences, in words."""
    differences = []
    for raw, column in zip(data, columns(data), strict=True):
        truth = expected(raw)
        counts["refused" if truth is None else truth[0]] += 1
        one = scalar(raw)
        if one != truth:
            differences.append(f"one at a time {raw.hex()}: {one} is not {truth}")
        if (column is None) != (truth is None) or (column and truth and column != truth[1]):
            differences.append(f"batch {raw.hex()}: {column} is not {truth}")
    return differences


def main() -> int:
    """Print what was compared; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    chance, counts, differences = random.Random(args.seed), Counter[str](), []
    start = time.process_time()
    for first in range(0, args.messages, BATCH):
        data = messages(min(BATCH, args.messages - first), chance)
        differences += compare(data, counts)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    print(
        f"{args.messages} messages, {len(differences)} differences; "
        f"{time.process_time() - start:.0f} CPU s, {peak_mb:.0f} MB"
    )
    for difference in differences[:10]:
        print(difference)
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
