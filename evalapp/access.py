"""Who may do what: one table, and a guard that denies every route it does not name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask, Response, abort, current_app, g, redirect, request, session, url_for
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from evalapp import accounts, db, tablets
from evalapp.accounts import Staff
from evalapp.tablets import Tablet
from evalapp.vault import Vault

LONDON = ZoneInfo("Europe/London")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Role(StrEnum):
    ANYONE = "anyone"
    PARTICIPANT = "participant"
    ADMIN = "admin"
    EVALUATOR = "evaluator"
    COORDINATOR = "coordinator"
    FUNDER = "funder"


class Permission(StrEnum):
    OPEN_THE_DOOR = "see the public pages, type a code, sign in"
    TAKE_PART = "answer one's own questionnaire"
    USE_STAFF_PAGES = "see the staff's own start page and sign out"
    MANAGE_STAFF = "invite, disable and change the role of staff"
    START_TRIAL = "start a trial with its two arms and its questionnaires' windows"
    MANAGE_SITES = "see the sites and add one"
    MANAGE_PEOPLE = "add reviews and the people in them"
    MANAGE_CARDS = "give a person a new card"
    READ_WORDS = "as a reader named for the trial, read what people wrote and ring back who asked for it"
    SEE_RELEASED_WORDS = "read what people wrote as a named reader released it"
    RECONCILE_PAGES = "say what becomes of pages whose person began again without a PIN"
    OPEN_TABLET = "make a device a review's tablet, and close it"
    PRINT_PAPER = "print a questionnaire that is for nobody in particular"
    ENTER_PAPER = "type in what came back on paper, and settle what two people typed differently"
    DECIDE_PAPER = "decide which counts when somebody answered on paper and in another way too"
    SET_RULES = "say who decides at a site, and how young people are asked there"
    DECIDE_INVITATIONS = "decide, where one is the site's lead, whether a parent may be asked"
    SET_TERMS = "say whom people may ask, and until when their answers can be deleted"
    RECORD_ALLOCATION = "see and record which arm a site was given"
    SEE_BOARD = "see who was expected and who answered, in steps"
    SEE_BOARD_WHOLE = "see those counts whole"
    SEE_RESULTS = "compare the arms once the results are open"
    PUBLISH = "publish a release"
    SEE_RELEASE = "read a published release"


MAY: dict[Permission, frozenset[Role]] = {
    Permission.OPEN_THE_DOOR: frozenset(Role),
    Permission.TAKE_PART: frozenset({Role.PARTICIPANT}),
    Permission.USE_STAFF_PAGES: frozenset({Role.ADMIN, Role.EVALUATOR, Role.COORDINATOR, Role.FUNDER}),
    Permission.MANAGE_STAFF: frozenset({Role.ADMIN}),
    Permission.START_TRIAL: frozenset({Role.ADMIN, Role.EVALUATOR}),
    Permission.MANAGE_SITES: frozenset({Role.ADMIN, Role.EVALUATOR, Role.COORDINATOR}),
    Permission.MANAGE_PEOPLE: frozenset({Role.ADMIN, Role.COORDINATOR}),
    Permission.MANAGE_CARDS: frozenset({Role.ADMIN, Role.COORDINATOR}),
    Permission.OPEN_TABLET: frozenset({Role.ADMIN, Role.COORDINATOR}),
    Permission.READ_WORDS: frozenset({Role.COORDINATOR}),
    Permission.SEE_RELEASED_WORDS: frozenset({Role.EVALUATOR}),
    Permission.RECONCILE_PAGES: frozenset({Role.EVALUATOR}),
    Permission.PRINT_PAPER: frozenset({Role.ADMIN, Role.EVALUATOR, Role.COORDINATOR}),
    # A coordinator reads no answers but those of a paper in hand, while typing them or settling a difference.
    Permission.ENTER_PAPER: frozenset({Role.EVALUATOR, Role.COORDINATOR}),
    Permission.DECIDE_PAPER: frozenset({Role.EVALUATOR}),
    Permission.SET_RULES: frozenset({Role.ADMIN}),
    Permission.DECIDE_INVITATIONS: frozenset({Role.ADMIN, Role.COORDINATOR}),
    Permission.SET_TERMS: frozenset({Role.ADMIN, Role.EVALUATOR}),
    Permission.RECORD_ALLOCATION: frozenset({Role.EVALUATOR}),
    Permission.SEE_BOARD: frozenset({Role.ADMIN, Role.EVALUATOR, Role.COORDINATOR}),
    Permission.SEE_BOARD_WHOLE: frozenset({Role.EVALUATOR}),
    Permission.SEE_RESULTS: frozenset({Role.EVALUATOR}),
    Permission.PUBLISH: frozenset({Role.EVALUATOR}),
    Permission.SEE_RELEASE: frozenset({Role.EVALUATOR, Role.FUNDER}),
}

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class Visitor:
    """Who asks for a page: a participant (person and visit), a member of staff, or nobody known."""

    role: Role
    staff: Staff | None = None
    person_id: str | None = None


def requires(permission: Permission) -> Callable[[View], View]:
    """Name the permission a page needs. A page that names none is closed to everyone."""

    def mark(view: View) -> View:
        view.permission = permission  # type: ignore[attr-defined]
        return view

    return mark


def permission_of(app: Flask, endpoint: str) -> Permission | None:
    return getattr(app.view_functions.get(endpoint), "permission", None)


def may(role: Role, permission: Permission) -> bool:
    return role in MAY[permission]


def database() -> Session:
    """The request's session: reading for GET, writing otherwise. A writer commits before it answers."""
    if "database" not in g:
        engine = current_engine()
        g.database = db.reading(engine) if request.method in SAFE else db.writing(engine)
    return cast("Session", g.database)


def current_engine() -> Engine:
    return cast("Engine", current_app.extensions["evalapp"].engine)


def contact_store() -> Session | None:
    """The request's session on the store of contact details; None where this copy has none. A writer commits itself."""
    if current_app.extensions["evalapp"].contacts is None:
        return None
    if "contact_store" not in g:
        engine = current_store()
        g.contact_store = db.reading(engine) if request.method in SAFE else db.writing(engine)
    return cast("Session", g.contact_store)


def current_store() -> Engine:
    """The store of contact details itself; only where `contact_store` has a session on it."""
    return cast("Engine", current_app.extensions["evalapp"].contacts)


def vault() -> Vault:
    return cast("Vault", current_app.extensions["evalapp"].vault)


def now() -> datetime:
    """The moment of this request, from the clock the app was made with."""
    if "now" not in g:
        g.now = current_app.extensions["evalapp"].clock()
    return cast("datetime", g.now)


def today() -> date:
    """The calendar day of this request in the trial's time zone: windows open and close at midnight there."""
    return now().astimezone(LONDON).date()


def visitor() -> Visitor:
    """Who this request comes from, found once."""
    if "visitor" not in g:
        g.visitor = _find_visitor()
    return cast("Visitor", g.visitor)


def tablet() -> Tablet | None:
    """The review's tablet that this browser is, found once; None for any other browser, and for one that has ended."""
    if "tablet" not in g:
        key = session.get("tablet")
        g.tablet = tablets.find(database(), key, now=now()) if isinstance(key, str) else None
    return cast("Tablet | None", g.tablet)


def staff() -> Staff:
    """The signed-in member of staff; only for pages whose permission participants lack."""
    found = visitor().staff
    if found is None:
        abort(403)
    return found


def guard() -> Any:
    """Before every request: refuse foreign posts, and whatever the table does not allow."""
    if request.method not in SAFE:
        refuse_foreign_posts()
    if request.endpoint is None:
        return None  # no such page: the 404 says so to everyone alike
    if not _may_open_on_this_device(request.endpoint):
        return redirect(url_for("survey.start"), 303)
    permission = permission_of(current_app, request.endpoint)
    if permission is None:
        abort(403)
    if permission is Permission.OPEN_THE_DOOR or may(visitor().role, permission):
        return None
    return _to_the_door(permission)


def refuse_foreign_posts() -> None:
    """A form is posted from our own page or not at all (security D6): Origin and Sec-Fetch-Site are both believed."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        abort(400, "This form was sent from another site.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(400, "This form was sent from another site.")


def close_database(error: BaseException | None = None) -> None:  # noqa: ARG001
    for name in ("database", "contact_store"):
        found = g.pop(name, None)
        if found is not None:
            found.close()


def forget_visitor(*, keep_tablet: bool = True) -> None:
    """Empty the cookie, so that a new sign-in never continues an old session. A tablet stays one until staff sign in."""
    kept = session.get("tablet") if keep_tablet else None
    session.clear()
    if kept is not None:
        session["tablet"] = kept
    else:
        g.pop("tablet", None)
    g.pop("visitor", None)


def _may_open_on_this_device(endpoint: str) -> bool:
    """A tablet shows the participants' pages and the form that closes it, whoever once signed in on it."""
    return endpoint.startswith("survey.") or endpoint in {"health", "trial.close_tablet"} or tablet() is None


def _find_visitor() -> Visitor:
    key = session.get("staff")
    if isinstance(key, str):
        found = accounts.find(database(), key, now=now())
        if found is not None:
            _note_use(key)
            return Visitor(Role(found.role), staff=found)
    participant = current_app.extensions["evalapp"].find_participant
    key = session.get("visit")
    if isinstance(key, str):
        person_id = participant(database(), key, now())
        if person_id is not None:
            return Visitor(Role.PARTICIPANT, person_id=person_id)
    return Visitor(Role.ANYONE)


def _note_use(key: str) -> None:
    """Keep a session alive while it is used. In a transaction of its own: the page's may only read."""
    if not accounts.is_stale(database(), key, now=now()):
        return
    if request.method not in SAFE:
        accounts.touch(database(), key, now=now())
        return
    database().rollback()  # a reader of its own file must not wait for the writer below
    with db.writing(current_engine()) as writer:
        accounts.touch(writer, key, now=now())
        writer.commit()


def _to_the_door(permission: Permission) -> Response | Any:
    """A visitor we do not know is shown the door they came for; one we know is told no."""
    who = visitor()
    if permission is Permission.TAKE_PART:
        if request.method not in SAFE:
            abort(401)  # the page for it carries what was typed through the door
        return redirect(url_for("survey.start", again=1), 303)
    if who.role in {Role.ANYONE, Role.PARTICIPANT}:
        return redirect(url_for("trial.sign_in"), 303)
    return abort(403)


def utc_now() -> datetime:
    return datetime.now(UTC)
