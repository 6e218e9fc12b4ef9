"""Addresses of a made-up region as large as Brussels: loaded, made ready, and looked up.

    python -m benchmarks.addresses [--streets 5500] [--houses 42]

Prints CPU milliseconds; look-ups are medians and the slowest of a hundred.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from droneteam import accounts, db, schema
from droneteam.places import service

HEAD = (
    "EPSG:4326_lat,EPSG:4326_lon,house_number,municipality_name_fr,municipality_name_nl,postcode,"
    "streetname_fr,streetname_nl,status"
)
SYLLABLES = "ba be bo ca co da de di fa ga go la le li lo ma me mi mo na pa pe ra re ri sa ta ve vi"


def write(path: Path, streets: int, houses: int, rng: random.Random) -> list[tuple[str, str]]:
    """The file, and the two words of each street's name."""
    syllables = SYLLABLES.split()
    names = []
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD + "\n")
        for _ in range(streets):
            one, other = ("".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in "ab")
            names.append((one, other))
            lat_deg, lon_deg = rng.uniform(50.77, 50.91), rng.uniform(4.25, 4.45)
            street = f"Rue {one.title()} {other.title()},{one.title()}{other}straat,current"
            for number in range(1, houses + 1):
                at = f"{lat_deg + 1e-4 * number:.5f},{lon_deg:.5f}"
                file.write(f"{at},{number},Ixelles,Elsene,1050,{street}\n")
    return names


def cpu_ms(do: Callable[[], object]) -> float:
    """What it takes."""
    before = time.process_time()
    do()
    return 1000.0 * (time.process_time() - before)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streets", type=int, default=5_500)
    parser.add_argument("--houses", type=int, default=42)
    args = parser.parse_args()
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "addresses.csv"
        names = write(path, args.streets, args.houses, rng)
        engine = db.make_engine(f"sqlite:///{folder}/addresses.db")
        schema.create_all(engine)

        def load() -> None:
            with db.session_scope(engine) as session:
                now = datetime.now(UTC)
                service.load_addresses(session, accounts.SYSTEM, path, "benchmark", now)

        print(f"{args.streets} streets, {args.streets * args.houses} houses: CPU ms")
        print(f"  load                {cpu_ms(load):8.0f}")
        with db.read_scope(engine) as session:

            def find(text: str) -> float:
                return cpu_ms(lambda: service.find_places(session, text, "fr"))

            print(f"  make ready          {find('rue'):8.0f}")
            pairs = rng.sample(names, 100)
            crossed = list(pairwise(pairs))
            for what, texts in (
                ("house", [f"rue {one} {other} 12" for one, other in pairs]),
                ("part of a name", [f"{one[:5]} 7" for one, _ in pairs]),
                ("two streets", [f"{' '.join(one)} / {' '.join(two)}" for one, two in crossed]),
            ):
                took = [find(text) for text in texts]
                print(
                    f"  {what:18}  {statistics.median(took):8.1f} median {max(took):8.1f} slowest"
                )
        engine.dispose()


if __name__ == "__main__":
    main()
