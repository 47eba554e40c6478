"""The participant's routes: they find, call and answer; nothing is acknowledged before it is committed."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import (
    Blueprint,
    abort,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from evalapp import access, contacts, db, languages, readers, responses, tablets, withdrawals
from evalapp.access import Permission, database, requires, vault
from evalapp.codes import MistypedCode, read_code
from evalapp.survey import door, helplines, journey, told
from evalapp.survey.forms import form_for
from evalapp.survey.journey import Asked, Sheet, Visit
from evalapp.survey.sheets import CLEAR_TABLET, check_page, go_on, question_page, save_typed
from instruments.codebook import minutes

pages = Blueprint("survey", __name__, template_folder="templates")

CLEAR = '"cache", "cookies", "storage"'
_KEPT_AT = re.compile(r"/q/([0-9]{1,4})")


@pages.before_request
def choose_look() -> None:
    """A language or a size named in the address holds for that page alone: a GET keeps nothing."""
    if "visit" not in session:
        languages.from_address()


@pages.before_request
def note_use() -> None:
    """Keep a visit alive while it is read. In a transaction of its own: the page's may only read."""
    permission = access.permission_of(current_app, request.endpoint or "")
    if request.method not in access.SAFE or permission is not Permission.TAKE_PART:
        return
    key = session["visit"]
    if not journey.stale(database(), key, access.now()):
        return
    database().rollback()  # a reader of its own file must not wait for the writer below
    with db.writing(access.current_engine()) as writer:
        journey.touch(writer, key, access.now())
        writer.commit()


@pages.after_request
def tell_the_script(answer: Response) -> Response:
    """Where a page leads once it is saved, for the script that sent it: a script cannot see where a redirect goes."""
    if g.get("page_saved") and answer.status_code == 303 and "X-Sent-By" in request.headers:
        answer.status_code = 200
        answer.data = json.dumps({"to": answer.headers.pop("Location")}).encode()
        answer.mimetype = "application/json"
    return answer


@pages.get("/")
@requires(Permission.OPEN_THE_DOOR)
def start() -> Any:
    if "tablet" in session:
        return between_people()
    return render_template("survey/door.html", again="again" in request.args)


@pages.get("/j")
@requires(Permission.OPEN_THE_DOOR)
def follow_link() -> Any:
    """Where a link leads: the code stands behind the #, which no server sees; the person presses Continue."""
    return between_people() if "tablet" in session else render_template("survey/door.html")


def between_people() -> Response:
    """A tablet's code page. It ends the visit before it, however that was left, and nothing of it stays for the next."""
    key = session.get("visit")
    if isinstance(key, str):
        database().rollback()  # a reader of its own file must not wait for the writer below
        with db.writing(access.current_engine()) as writer:
            journey.end_visit(writer, key)
            writer.commit()
        access.forget_visitor()
    page = make_response(tablet_door())
    if isinstance(key, str):
        page.headers["Clear-Site-Data"] = CLEAR_TABLET
    return page


def tablet_door(**more: Any) -> str:
    """The code page of a tablet, or word that it is one no more."""
    on = access.tablet()
    if on is None:
        return render_template("survey/tablet_ended.html")
    expected, finished = responses.finished_at(database(), on.review_id, access.today())
    return render_template(
        "survey/door.html",
        away="away" in request.args,
        expected=expected,
        finished=tablets.in_steps(expected, finished),
        **more,
    )


@pages.post("/")
@requires(Permission.OPEN_THE_DOOR)
def enter() -> Any:
    """From a code to a visit. Wrong, replaced, ended and never given are one and the same page."""
    typed, on = request.form.get("code", ""), access.tablet()
    kept = {**kept_typed(), "then": _then()}
    if "tablet" in session and on is None:
        return tablet_door(), 409
    languages.choose(request.form.get("language", ""), keep=True)
    if request.form.get("go"):
        languages.press(request.form["go"])
        return _door(typed=typed[:40], **kept)
    try:
        code = read_code(typed)
    except MistypedCode:
        return _door(typed=typed[:40], mistyped=True, **kept), 422
    person_id = door.person_with(
        database(),
        code,
        address=request.remote_addr or "",
        vault=vault(),
        now=access.now(),
        today=access.today(),
        wait=current_app.extensions["wait"],
    )
    if person_id is None:
        return _door(wrong=True, **kept), 422
    if on is not None and not journey.is_expected_at(database(), person_id, on.review_id):
        database().commit()
        return _door(elsewhere=True), 422
    look = languages.look()
    if isinstance(session.get("visit"), str):
        journey.end_visit(database(), session["visit"])
    access.forget_visitor()
    session.update(look)
    session["visit"] = journey.open_visit(database(), person_id, language=look["language"], now=access.now(), tablet=on)
    database().commit()
    return typed_before() or redirect(url_for("survey.change" if _then() else "survey.go"), 303)


@pages.get("/go")
@requires(Permission.TAKE_PART)
def go() -> Response:
    """To whatever is next for this person; a parent is asked about a young person first, and may put that off."""
    visit, asked = mine()
    return _to_child(visit) or go_on(visit, journey.current(asked, visit, access.today()))


@pages.get("/about")
@requires(Permission.TAKE_PART)
def about() -> Any:
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is None or found.state is not None:
        return go_on(visit, found)
    instrument = journey.in_language(found, languages.current())
    shown = told.told(found, minutes=minutes(instrument), pages=len(instrument.pages))
    return render_template(
        "survey/about.html", told=shown, in_english=instrument.language != languages.current(),
        foreign=shown.language != languages.current(),
    )  # fmt: skip


@pages.get("/said")
@requires(Permission.TAKE_PART)
def said() -> Any:
    """What happens to what a person says; it can be read at any time, before the questions and after."""
    visit, asked = mine()
    found = journey.current(asked, visit, access.today()) or next(iter(asked), None)
    if found is None:
        return go_on(visit, None)
    shown = told.told(found)
    return render_template("survey/said.html", told=shown, foreign=shown.language != languages.current())


@pages.get("/consent")
@requires(Permission.TAKE_PART)
def consent() -> Any:
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is None or found.state is not None:
        return go_on(visit, found)
    return _consent_page(found)


@pages.post("/consent")
@requires(Permission.TAKE_PART)
def decide() -> Any:
    """Yes begins the questions. No is recorded, and final."""
    visit, asked = mine()
    found = named(asked)
    answer = request.form.get("agreed")
    if answer not in {"yes", "no"}:
        return _consent_page(found, unanswered=True), 422
    try:
        responses.begin(
            database(),
            found.assignment_id,
            language=journey.in_language(found, languages.current()).language,
            mode=visit.mode,
            consent_version=told.told(found).name,
            agreed=answer == "yes",
            today=access.today(),
        )
    except (responses.NotOpen, responses.AlreadyAnswered):
        return redirect(url_for("survey.go"), 303)
    journey.note(database(), visit.key, found.assignment_id, now=access.now())
    database().commit()
    return redirect(url_for("survey.go" if answer == "yes" else "survey.done"), 303)


@pages.get("/q/<int:number>")
@requires(Permission.TAKE_PART)
def question(number: int) -> Any:
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is None or found.state is None:
        return go_on(visit, found)
    sheet = _sheet(found, visit)
    if not 1 <= number <= len(sheet.instrument.pages):
        abort(404)
    furthest = sheet.first_unsaved()
    if (furthest is not None and number > furthest) or not sheet.items(number):
        return go_on(visit, found, after=number)
    return question_page(sheet, visit, number)


@pages.post("/q/<int:number>")
@requires(Permission.TAKE_PART)
def answer(number: int) -> Any:
    visit, asked = mine()
    found = named(asked)
    if found.state != "open":
        return _too_late(found)
    sheet = journey.sheet_of(database(), found, visit, language=languages.current(), vault=vault())
    if journey.is_locked(database(), sheet, visit):
        return pin_page(found, kept=urlencode(list(request.form.items(multi=True))), kept_at=request.path), 401
    if not 1 <= number <= len(sheet.instrument.pages):
        abort(404)
    try:
        return save_typed(sheet, visit, number)
    except responses.AlreadyAnswered:
        return _too_late(found)


@pages.get("/check")
@requires(Permission.TAKE_PART)
def check() -> Any:
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is None or found.state is None:
        return go_on(visit, found)
    sheet = _sheet(found, visit)
    if sheet.first_unsaved() is not None and "rest" not in request.args:
        return go_on(visit, found)
    return check_page(sheet)


@pages.post("/check")
@requires(Permission.TAKE_PART)
def send() -> Any:
    """Send the answers. The same page sent again, however often, has the same receipt."""
    visit, asked = mine()
    found = named(asked)
    if found.response_id is None:
        return go_on(visit, found)
    _sheet(found, visit)  # not while it waits for a PIN
    try:
        responses.submit(
            database(), found.response_id, vault=vault(), today=access.today(), basis=request.form.get("basis", "")
        )
    except responses.AlreadyAnswered:
        return _too_late(found)
    except responses.Changed:
        database().rollback()
        return check_page(_sheet(found, visit), changed=True), 409
    journey.note(database(), visit.key, found.assignment_id, now=access.now())
    database().commit()
    return redirect(url_for("survey.done"), 303)


@pages.get("/done")
@requires(Permission.TAKE_PART)
def done() -> str:
    """What there is to say when nothing is to be answered: received, not yet, closed, or nothing at all."""
    visit, asked = mine()
    today = access.today()
    about_this = next((one for one in asked if one.assignment_id == visit.assignment_id), None)
    return render_template(
        "survey/done.html",
        receipt=responses.receipt_of(database(), about_this.assignment_id) if about_this else None,
        declined=about_this is not None and about_this.state == "declined",
        received=any(one.state == "submitted" for one in asked),
        finished=any(one.state in {"submitted", "declined"} for one in asked),
        missed=any(one.state in {None, "open"} and one.closes_on < today for one in asked),
        opens_on=min((one.opens_on for one in asked if one.state is None and one.opens_on > today), default=None),
        another=journey.current(asked, visit, today) is not None,
        withdrawn=withdrawals.of_person(database(), visit.person_id),
        child=bool(journey.children_of(database(), visit.person_id)),
    )


@pages.post("/exit")
@requires(Permission.OPEN_THE_DOOR)
def leave() -> Response:
    """Away from here at once: the visit ends, and the browser is asked to forget what it kept of it."""
    key = session.get("visit")
    if isinstance(key, str):
        journey.end_visit(database(), key)
        database().commit()
    return away()


def away() -> Response:
    """To a page that has nothing to do with this one; on a tablet, to the code page for whoever comes next."""
    access.forget_visitor()
    answer = redirect(url_for("survey.start" if "tablet" in session else "survey.left"), 303)
    answer.headers["Clear-Site-Data"] = CLEAR_TABLET if "tablet" in session else CLEAR
    return answer


@pages.get("/exit")
@requires(Permission.OPEN_THE_DOOR)
def left() -> str:
    return render_template("survey/exit.html")


@pages.get("/stopped")
@requires(Permission.OPEN_THE_DOOR)
def stopped() -> str:
    return render_template("survey/stopped.html")


@pages.get("/stop/<token>")
@requires(Permission.OPEN_THE_DOOR)
def stop_messages(token: str) -> str:  # noqa: ARG001  (the form posts to the page's own address)
    """Ask first: programs that look at messages follow every link in them."""
    return render_template("survey/stop.html")


@pages.post("/stop/<token>")
@requires(Permission.OPEN_THE_DOOR)
def messages_stopped(token: str) -> str:
    """No more messages. A link that is not ours is answered alike, so that nobody can try addresses."""
    request.form.get("List-Unsubscribe")  # reading what was sent refuses what is too large
    store = access.contact_store()
    if store is not None and contacts.stop(store, token, today=access.today(), vault=vault()):
        store.commit()
    return render_template("survey/stop.html", stopped=True)


@pages.get("/help")
@requires(Permission.OPEN_THE_DOOR)
def help_lines() -> str:
    return render_template("survey/help.html", lines=helplines, rings_back=_rings_back())


def _rings_back() -> bool:
    """Whether somebody rings people back here; no where the database cannot tell, for the numbers are shown whatever happens."""
    if "visit" not in session:
        return False
    try:
        person_id = access.visitor().person_id
        return person_id is not None and readers.rings_back(database(), person_id)
    except SQLAlchemyError:
        return False


@pages.post("/language")
@requires(Permission.OPEN_THE_DOOR)
def speak() -> Response:
    """Another language or size for the pages without a form of their own; those with one switch through it."""
    languages.press(request.form.get("go", ""))
    back = request.form.get("back", "")
    known = back in {
        "/about",
        "/consent",
        "/pin",
        "/check",
        "/check?rest=skipped",
        "/done",
        "/help",
        "/stopped",
        "/exit",
        "/said",
        "/change",
        "/change/done",
        "/permission",
    }
    return redirect(back if known else "/go", 303)


def _consent_page(found: Asked, *, unanswered: bool = False) -> str:
    shown = told.told(found)
    return render_template(
        "survey/consent.html", told=shown, assignment=found.assignment_id, unanswered=unanswered,
        foreign=shown.language != languages.current(),
    )  # fmt: skip


def mine() -> tuple[Visit, list[Asked]]:
    visit = journey.visit_of(database(), session["visit"])
    return visit, journey.asked_of(database(), visit.person_id, review_id=visit.review_id)


def _door(**more: Any) -> str:
    """The page that asks for a code, on this device."""
    return tablet_door(**more) if "tablet" in session else render_template("survey/door.html", **more)


def named(asked: list[Asked]) -> Asked:
    """The questionnaire a form was made for. Another person's (a shared tablet, a stale tab) is refused whole."""
    wanted = request.form.get("assignment")
    found = next((one for one in asked if one.assignment_id == wanted), None)
    if found is None:
        abort(409, "another person's page")
    return found


def _sheet(asked: Asked, visit: Visit) -> Sheet:
    """The questionnaire under way, unless it waits for its person's PIN: then they are asked for that."""
    sheet = journey.sheet_of(database(), asked, visit, language=languages.current(), vault=vault())
    if journey.is_locked(database(), sheet, visit):
        abort(redirect(url_for("survey.pin"), 303))
    return sheet


def pin_page(asked: Asked, *, fault: str = "", **kept: str) -> str:
    """Ask for the PIN of earlier answers; `kept` is what was typed on a page meanwhile."""
    return render_template("survey/pin.html", assignment=asked.assignment_id, fault=fault, **kept)


def _too_late(asked: Asked) -> tuple[str, int]:
    """The answers were sent before: what was typed since is not added, and the person is told so."""
    database().rollback()
    return render_template("survey/sent_before.html", declined=asked.state == "declined"), 409


def _to_child(visit: Visit) -> Response | None:
    """To the page about a young person, where a parent has not decided, did not put it off and still takes part."""
    if "later" in request.args or withdrawals.of_person(database(), visit.person_id) is not None:
        return None
    undecided = any(one.agreed is None for one in journey.children_of(database(), visit.person_id))
    return redirect(url_for("survey.child"), 303) if undecided else None


def _then() -> str:
    """Where a code leads when not to the questions: the page for changing one's mind, and nowhere else."""
    return "change" if request.form.get("then") == "change" else ""


def kept_typed() -> dict[str, str]:
    """What was typed on a page whose visit had ended: carried through the door, stored nowhere."""
    kept, at = request.form.get("kept", ""), request.form.get("kept_at", "")
    return {"kept": kept, "kept_at": at} if kept and _KEPT_AT.fullmatch(at) else {}


def typed_before() -> str | None:
    """The page whose visit had ended, with what was typed on it, if it is this person's; nothing is saved yet."""
    kept = kept_typed()
    if not kept:
        return None
    try:
        typed = MultiDict(parse_qsl(kept["kept"], keep_blank_values=True, max_num_fields=1000))
    except ValueError:  # more fields than any page of ours has
        return None
    number = int(kept["kept_at"].removeprefix("/q/"))
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is None or found.state != "open" or found.assignment_id != typed.get("assignment"):
        return None
    sheet = journey.sheet_of(database(), found, visit, language=languages.current(), vault=vault())
    if journey.is_locked(database(), sheet, visit):
        return pin_page(found, **kept)
    if not sheet.items(number):
        return None
    form = form_for(sheet.items(number), sheet.refusals, posted=typed)
    return question_page(
        sheet, visit, number, form=form, notice=gettext("What you typed is still here. Press Continue to save it.")
    )
