"""The second factor: time-based one-time codes (RFC 6238) from a person's own authenticator.

The secret lies in the database encrypted with a key derived from the installation's secret key,
so that a copy of the database alone signs nobody in.  A code counts once.
"""

from __future__ import annotations

import pyotp
import segno

PURPOSE = "second factor"
"""What the secret is sealed for."""
STEP_S = 30
_DRIFT_STEPS = 1
"""A phone's clock may be half a minute off."""
_ISSUER = "droneteam"


def new_secret() -> str:
    """A fresh secret, in base 32."""
    return pyotp.random_base32()


def matching_step(secret: str, code: str, unix_s: float, last_step: int) -> int | None:
    """The time step whose code this is, later than the last one used; None when it is wrong."""
    typed = "".join(code.split())
    now_step = int(unix_s) // STEP_S
    codes = pyotp.TOTP(secret, interval=STEP_S)
    for step in range(now_step - _DRIFT_STEPS, now_step + _DRIFT_STEPS + 1):
        if step > last_step and pyotp.utils.strings_equal(typed, codes.at(step * STEP_S)):
            return step
    return None


def qr_svg(secret: str, login: str) -> str:
    """The secret as a QR code that authenticators read, as an SVG element."""
    uri = pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=login, issuer_name=_ISSUER)
    return str(segno.make(uri, error="m").svg_inline(scale=5, border=4, dark="#000", light="#fff"))
