"""The server of the page: bound to this machine, deaf to other sites, and forgetful."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dash import Dash
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from psis_bench.demo.callbacks import register
from psis_bench.demo.models import DemoModels
from psis_bench.demo.page import INDEX, layout
from psis_bench.demo.pictures import MAX_BYTES
from psis_bench.errors import UserError

HOST: Final = "127.0.0.1"
_LARGEST_REQUEST = 2 * MAX_BYTES
"""Bytes: a picture in base64, and the rest of the page's state."""


def make_app(models: DemoModels) -> Flask:
    """Return the page as a WSGI application that answers requests to this machine's own addresses alone."""
    server = Flask("psis_bench.demo", static_folder=None)
    server.config["MAX_CONTENT_LENGTH"] = _LARGEST_REQUEST
    app = Dash(
        "psis_bench.demo",
        server=server,
        title="psis_bench demo",
        update_title="",
        index_string=INDEX,
        serve_locally=True,
        enable_mcp=False,
        add_log_handler=False,
        suppress_callback_exceptions=True,  # the buttons of the table come and go
    )
    app.layout = layout(models)
    register(app, models)
    policy = _policy(app.csp_hashes())
    server.before_request(_refuse_others)
    server.after_request(lambda response: _sealed(response, policy))
    server.register_error_handler(413, _too_large)
    return server


def start(models: DemoModels, *, port: int) -> BaseWSGIServer:
    """Return a server that listens on this machine only, to be run with ``serve_forever()``.

    Args:
        models: What the page offers.
        port: Where it listens; 0: any free port.

    Raises:
        UserError: The port is taken.
    """
    try:
        return make_server(HOST, port, make_app(models), threaded=True, request_handler=_Quiet)
    except (OSError, SystemExit):
        # Werkzeug tells of a taken port and ends the process.
        raise UserError(f"port {port} is taken", cure="give another, as in port=8051, or port=0 for any") from None


def _refuse_others() -> Response | None:
    """Refuse requests under a foreign name (DNS rebinding), and those that another site's page sends."""
    own = request.host.rpartition(":")[0] or request.host
    if own not in (HOST, "localhost"):
        return Response("this server answers to 127.0.0.1 and localhost only\n", 403, mimetype="text/plain")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        return Response("requests of other sites are refused\n", 403, mimetype="text/plain")
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        return Response("requests of other sites are refused\n", 403, mimetype="text/plain")
    if request.method not in ("GET", "HEAD") and request.mimetype != "application/json":
        return Response("only JSON is taken\n", 415, mimetype="text/plain")
    return None


def _policy(hashes: Sequence[str]) -> str:
    """Return the rule by which a browser loads nothing but what this server sends."""
    rules = {
        "default-src": "'none'",
        "script-src": " ".join(("'self'", *hashes)),
        # The drawing component sets styles from scripts.
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "font-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _sealed(response: Response, policy: str) -> Response:
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if not request.path.startswith(("/_dash-component-suites", "/assets")):
        response.headers["Cache-Control"] = "no-store"
    return response


def _too_large(_error: HTTPException) -> Response:
    return Response("the request is too large\n", 413, mimetype="text/plain")


class _Quiet(WSGIRequestHandler):
    """Says nothing of each request, and not which software answers."""

    server_version = "psis_bench"
    sys_version = ""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""
