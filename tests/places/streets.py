"""A small address register, written like the federal one, with places known to the metre."""

from __future__ import annotations

from pathlib import Path

HEAD = (
    "EPSG:31370_x,EPSG:31370_y,EPSG:4326_lat,EPSG:4326_lon,address_id,box_number,house_number,"
    "municipality_id,municipality_name_de,municipality_name_fr,municipality_name_nl,postcode,"
    "postname_fr,postname_nl,street_id,streetname_de,streetname_fr,streetname_nl,region_code,status"
)
IXELLES = ("Ixelles", "Elsene", "1050")
BRUSSELS = ("Bruxelles", "Brussel", "1000")
UCCLE = ("Uccle", "Ukkel", "1180")
COURONNE = ("Avenue de la Couronne", "Kroonlaan")
WAVRE = ("Chaussée de Wavre", "Waversesteenweg")
LOI = ("Rue de la Loi", "Wetstraat")
GENERAL = ("Boulevard Général Jacques", "Generaal Jacqueslaan")
EGLISE = ("Rue de l'Église", "Kerkstraat")
STEP_DEG = 0.0001
"""Between two neighbouring numbers of one side, about 11 m."""


def line(
    street: tuple[str, str],
    town: tuple[str, str, str],
    number: str,
    lat_deg: float,
    lon_deg: float,
    status: str = "current",
) -> str:
    """One address."""
    cells = (
        "0.0", "0.0", f"{lat_deg:.5f}", f"{lon_deg:.5f}", "1", "", number, "21009", "", town[0],
        town[1], town[2], town[0], town[1], "7", "", street[0], street[1], "BE-BRU", status,
    )  # fmt: skip
    return ",".join(cells)


def lines() -> list[str]:
    """Five streets: one of them in two towns, two of them crossing each other."""
    found = []
    for number in range(1, 301):  # north to south along 4.3800
        found.append(line(COURONNE, IXELLES, str(number), 50.8300 - STEP_DEG / 2 * number, 4.3800))
    for number in range(1, 201, 2):  # west to east along 50.8250: crosses the Couronne at no. 100
        found.append(line(WAVRE, IXELLES, str(number), 50.8250, 4.3750 + STEP_DEG / 2 * number))
    found.append(line(LOI, BRUSSELS, "16", 50.84635, 4.36685))
    found.append(line(LOI, BRUSSELS, "155", 50.84310, 4.38120))
    found.append(line(GENERAL, IXELLES, "210A", 50.82200, 4.38500))
    found.append(line(EGLISE, IXELLES, "1", 50.82700, 4.36800))
    found.append(line(EGLISE, UCCLE, "1", 50.80200, 4.33700))
    return found


def write(path: Path, *more: str, head: str = HEAD) -> Path:
    """The register as a file, with further lines."""
    path.write_text("\n".join([head, *lines(), *more]) + "\n", encoding="utf-8")
    return path
