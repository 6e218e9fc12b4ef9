"""In which unit a raster's heights are stored, as its band or its vertical axis says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyproj import CRS

from droneteam.errors import DecodeError

_FOOT_M, _SURVEY_FOOT_M = 0.3048, 1200.0 / 3937.0
_UNITS_M = {
    **dict.fromkeys(("m", "metre", "metres", "meter", "meters"), 1.0),
    **dict.fromkeys(("ft", "foot", "feet", "international foot"), _FOOT_M),
    **dict.fromkeys(
        ("us survey foot", "us_survey_foot", "us-ft", "ftus", "foot_us"), _SURVEY_FOOT_M
    ),
    **dict.fromkeys(("cm", "centimetre", "centimeter"), 0.01),
    **dict.fromkeys(("mm", "millimetre", "millimeter"), 0.001),
    **dict.fromkeys(("dm", "decimetre", "decimeter"), 0.1),
}


def unit_m(opened: Any, crs: CRS, name: str) -> float:
    """How many metres a stored height of one is; one where the file does not say.

    opened : a rasterio dataset; crs : its reference system, with a vertical part or without.

    Raises
    ------
    DecodeError
        The band names a unit that is none of length, or its reference system names another.
    """
    said = str((opened.units or ("",))[0] or "").strip()
    by_band = _UNITS_M.get(said.lower()) if said else None
    if said and by_band is None:
        raise DecodeError(
            "terrain {name}: its heights are in {unit}: store them in metres", name=name, unit=said
        )
    by_axis = _vertical_unit_m(crs)
    if by_band is not None and by_axis is not None and abs(by_band / by_axis - 1.0) > 1e-3:
        raise DecodeError(
            "terrain {name}: its band says heights in {unit}, its reference system another unit",
            name=name,
            unit=said,
        )
    return by_band or by_axis or 1.0


def _vertical_unit_m(crs: CRS) -> float | None:
    """The unit of the height axis, in metres; None where the system has none."""
    parts: Sequence[CRS] = (crs, *crs.sub_crs_list)
    ups = [axis for one in parts for axis in one.axis_info if axis.direction == "up"]
    return float(ups[0].unit_conversion_factor) if ups else None
