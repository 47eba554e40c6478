"""The page for everything that goes wrong: plain, generic, carrying what was typed, and needing no database."""

import logging
import secrets
import traceback
from typing import Any
from urllib.parse import urlencode

from flask import current_app, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Response

from evalapp import access
from evalapp.access import Permission
from evalapp.survey.door import TooBusy

log = logging.getLogger("evalapp.problems")
RETRY_AFTER = {429: "5", 503: "10"}
KNOWN = frozenset({400, 401, 403, 404, 405, 409, 413, 429, 500, 503})
NOT_CARRIED = frozenset({"csrf_token"})


def problem_page(error: Exception) -> Any:
    """Answer any error with a page that says what to do. Nothing of the error itself is shown, and its text is not logged."""
    if isinstance(error, HTTPException) and (error.code is None or error.code < 400 or error.response is not None):
        return error.get_response()  # a redirect, or an answer made by hand
    status = _status(error)
    reference = secrets.token_hex(4)
    if status >= 500:
        _log(error, reference)
    try:
        return _answer(error, status, reference)
    except RequestEntityTooLarge as larger:  # found only when the form was read to carry what was typed
        return _answer(larger, 413, reference)
    except Exception as second:
        _log(second, reference)
        return Response(f"Something went wrong. Please try again. ({reference})", 500, mimetype="text/plain")


def _answer(error: Exception, status: int, reference: str) -> Any:
    if request.endpoint == "survey.leave" and (status >= 500 or isinstance(error, CSRFError)):
        return _leave_anyway()
    typed = _typed(error, status)
    headers = {"Retry-After": RETRY_AFTER[status]} if status in RETRY_AFTER else {}
    if isinstance(error, HTTPException) and status == 405:
        headers |= {name: value for name, value in error.get_headers() if name == "Allow"}
    if status == 401 and request.endpoint != "trial.sign_in":
        kept = {"kept": urlencode(typed), "kept_at": request.path} if request.endpoint == "survey.answer" else {}
        return render_template("survey/door.html", again=True, **kept), 401
    shown = status if status in KNOWN else 400 if status < 500 else 500
    page = render_template(
        "problem.html",
        status=shown,
        reference=reference,
        typed=typed if status in {400, 503} else [],
        address=request.path,
        staff=request.path.startswith(("/staff", "/dashboard", "/funder")),
    )
    return page, status, headers


def _status(error: Exception) -> int:
    if isinstance(error, TooBusy):
        return 429
    if isinstance(error, HTTPException):
        return error.code or 500
    if isinstance(error, OperationalError | PoolTimeout):
        return 503
    return 503 if isinstance(error, DBAPIError) and error.connection_invalidated else 500


def _typed(error: Exception, status: int) -> list[tuple[str, str]]:
    """What a participant posted to a page of questions or its check, to be sent again; never a code or a password."""
    if request.method in access.SAFE or isinstance(error, RequestEntityTooLarge) or status == 413:
        return []
    if request.endpoint is None or access.permission_of(current_app, request.endpoint) is not Permission.TAKE_PART:
        return []
    if status == 400 and not isinstance(error, CSRFError):
        return []
    return [(name, value) for name, value in request.form.items(multi=True) if name not in NOT_CARRIED]


def _leave_anyway() -> Response:
    """Leaving is never refused, for a stale form (the guard saw that it is ours) or for want of a database."""
    from evalapp.survey.routes import away, leave  # noqa: PLC0415  (the routes know nothing of problems, nor these of routes)

    try:
        return leave()
    except Exception:
        return away()


def _log(error: Exception, reference: str) -> None:
    """Which line failed and how, without the message: a database's message repeats what a person wrote."""
    kinds: list[str] = []
    one = error.__cause__ or error.__context__
    while one is not None and len(kinds) < 5:
        kinds.append(type(one).__name__)
        one = one.__cause__ or one.__context__
    frames = "".join(traceback.format_tb(error.__traceback__)[-8:])
    log.error(
        "%s %s %s from %s\n%s", reference, request.endpoint, type(error).__name__, ", ".join(kinds) or "nothing", frames
    )
