"""The security headers of every response, whatever its status or type (static files get theirs from assets)."""

import re

from flask import Flask, Response, current_app, request

_SHARED = (
    "default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:{blob}; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
CSP = _SHARED.format(style="'self'", blob="") + "; require-trusted-types-for 'script'"

FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
HSTS = "max-age=63072000; includeSubDomains"
_CHARTED = re.compile(r"^/(dashboard|funder)(/|$)")


def chart_csp(style_hashes: str) -> str:
    """The dashboards' policy: plotly.js cannot draw under trusted types, and keeps one style element, named by its hash."""
    return _SHARED.format(style=f"'self' {style_hashes}".strip(), blob=" blob:")


def init_app(app: Flask, *, https: bool) -> None:
    @app.after_request
    def add_headers(response: Response) -> Response:
        charted = _CHARTED.match(request.path)
        hashes = current_app.extensions["assets"].get("style-hashes", "")
        response.headers["Content-Security-Policy"] = chart_csp(hashes) if charted else CSP
        response.headers["Cache-Control"] = "no-store"
        for name, value in FIXED.items():
            response.headers[name] = value
        if https:
            response.headers["Strict-Transport-Security"] = HSTS
        return response
