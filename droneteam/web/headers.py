"""Security headers, the same on every answer."""

from __future__ import annotations

from flask import Flask, Response

from droneteam.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        # WebAssembly decodes point clouds; nothing else may be compiled from strings.
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
    )
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self), usb=(), payment=()",
}
_HSTS = "max-age=31536000; includeSubDomains"


def content_security_policy(settings: Settings) -> str:
    """The policy; pictures also come from the server of an operator's basemap."""
    origin = settings.basemap.origin if settings.basemap else None
    if origin is None:
        return CONTENT_SECURITY_POLICY
    return CONTENT_SECURITY_POLICY.replace("img-src 'self'", f"img-src 'self' {origin}")


def init_headers(app: Flask, settings: Settings) -> None:
    """Adds the headers to every answer; what a signed-in person sees is never cached."""

    policy = content_security_policy(settings)

    @app.after_request
    def add(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", policy)
        if settings.https:
            response.headers.setdefault("Strict-Transport-Security", _HSTS)
        response.headers.setdefault("Cache-Control", "no-store")
        return response
