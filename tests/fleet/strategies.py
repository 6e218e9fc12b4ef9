"""Values that the fleet's property tests draw."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

INSTANTS = st.datetimes(
    datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
