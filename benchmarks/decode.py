"""Remote ID messages a second: in batches, and one at a time.

python benchmarks/decode.py [--messages 100000]

The messages are half positions, the rest identities, systems and texts; "batch" is bytes to
checked columns of every position and system, "one at a time" bytes to message objects.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime

import numpy as np

from droneteam.detection import batch, rid


def messages(count: int) -> list[bytes]:
    generator = np.random.default_rng(1)
    at = datetime(2026, 5, 4, tzinfo=UTC)
    kinds = []
    for number in range(1000):
        lat_deg, lon_deg = generator.uniform(49.5, 51.5), generator.uniform(2.5, 6.4)
        location = rid.Location(
            rid.Status.AIRBORNE,
            lat_deg,
            lon_deg,
            90.0,
            10.0,
            1.0,
            height_m=50.0,
            horizontal_accuracy_m=3.0,
            second_of_hour_s=float(number),
        )
        other = (
            rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, f"SERIAL{number:06d}"),
            rid.System(lat_deg, lon_deg, at=at),
            rid.OperatorId(0, f"BEL{number:06d}"),
        )[number % 3]
        kinds += [rid.encode(location), rid.encode(other)]
    return [kinds[number % len(kinds)] for number in range(count)]


def main() -> None:
    """Print both rates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    args = parser.parse_args()
    payloads = messages(args.messages)
    start = time.process_time()
    found = batch.split(payloads)
    batch.locations(found.data[found.of(rid.MessageType.LOCATION)])
    batch.systems(found.data[found.of(rid.MessageType.SYSTEM)])
    batch_s = time.process_time() - start
    assert (found.problem == 0).all()
    start = time.process_time()
    for payload in payloads:
        rid.decode(payload)
    scalar_s = time.process_time() - start
    print("messages/CPU s      batch  one at a time   (asked: 300,000 and 20,000)")
    print(
        f"{args.messages:14d}  {args.messages / batch_s:9,.0f}  {args.messages / scalar_s:13,.0f}"
    )


if __name__ == "__main__":
    main()
