"""Question pages and the check page: shown, read, saved; what was typed is never lost on the way."""

from typing import Any

from flask import g, redirect, render_template, request, session, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response
from wtforms.form import BaseForm

from evalapp import access, languages, pins, responses
from evalapp.access import database, vault
from evalapp.responses import BLANK, Given
from evalapp.survey import journey
from evalapp.survey.forms import form_for, given_in, label_of
from evalapp.survey.journey import Asked, Sheet, Visit

ON, BACK, STOP, SKIP, PIN = "next", "back", "stop", "skip", "pin"
CLEAR_TABLET = '"cache", "storage"'  # not its cookie, which says that it is a tablet
OWN_FIELDS = {"csrf_token", "basis", "proof", "go"}  # made anew whenever what was typed is shown again


def go_on(visit: Visit, asked: Asked | None, *, after: int = 0) -> Response:
    """To the next thing this person has to do: consent, the first page not yet saved, the check, or nothing."""
    if asked is None:
        return redirect(url_for("survey.done"), 303)
    if asked.state is None:
        return redirect(url_for("survey.about"), 303)
    sheet = journey.sheet_of(database(), asked, visit, language=languages.current(), vault=vault())
    if journey.is_locked(database(), sheet, visit):
        return redirect(url_for("survey.pin"), 303)
    unsaved = sheet.first_unsaved()
    following = sheet.after(after) if after and unsaved is None else unsaved
    return redirect(url_for("survey.check") if following is None else url_for("survey.question", number=following), 303)


def question_page(
    sheet: Sheet,
    visit: Visit,
    number: int,
    *,
    form: BaseForm | None = None,
    notice: str | None = None,
    faults: bool = False,
) -> str:
    """One page of questions. `form` is what was typed, when it is shown again; `faults` says to name what is wrong."""
    items = sheet.items(number)
    codes = _codes(sheet, number)
    basis = responses.basis_of(database(), sheet.response_id, codes, vault=vault())
    first = sheet.before(number) is None
    return render_template(
        "survey/question.html",
        page=sheet.instrument.pages[number - 1],
        total=len(sheet.instrument.pages),
        items=items,
        form=form or form_for(items, sheet.refusals, stored=sheet.shown(codes)),
        hidden={code for code in codes if sheet.is_hidden(code)},
        assignment=sheet.asked.assignment_id,
        shown=" ".join(codes),
        basis=basis,
        proof=journey.proof(vault(), visit, sheet.asked, codes, basis),
        questions_in=sheet.instrument.language,
        first=first,
        offers_pin=first
        and not any(sheet.is_hidden(code) for code in sheet.stored)
        and not pins.has_pin(database(), visit.person_id),
        from_check="check" in request.args,
        notice=notice,
        faults=faults,
    )


def save_typed(sheet: Sheet, visit: Visit, number: int) -> Any:
    """Save what a page gave and go where its button says. Raises AlreadyAnswered."""
    pressed = request.form.get("go", ON)
    codes, basis = request.form.get("shown", "").split(), request.form.get("basis", "")
    known = {item.code: item for item in sheet.instrument.items}
    proven = request.form.get("proof") == journey.proof(vault(), visit, sheet.asked, codes, basis)
    if not proven or not codes or any(code not in known for code in codes):
        return _show_again(sheet, visit, number)
    form = form_for([known[code] for code in codes], sheet.refusals, posted=request.form)
    valid = form.validate()
    if pressed.startswith(languages.LOOKS):
        languages.press(pressed)
        sheet = journey.sheet_of(database(), sheet.asked, visit, language=languages.current(), vault=vault())
        if not valid:
            return question_page(sheet, visit, number, form=_typed(sheet, number))
    if not valid:
        return question_page(sheet, visit, number, form=form, faults=True), 422
    given = _with_kept(sheet, form)
    storing = (
        given if pressed in {ON, SKIP} else {c: one for c, one in given.items() if one != BLANK or c in sheet.stored}
    )
    try:
        _store(sheet, codes, storing, basis)
    except responses.Changed as changed:
        database().rollback()
        return _changed_page(sheet, visit, number, given, changed.stored), 409
    answered = [code for code in storing if not (sheet.is_hidden(code) and storing[code] == sheet.stored[code])]
    journey.note(database(), visit.key, sheet.asked.assignment_id, answered=answered, now=access.now())
    if pressed == STOP:
        journey.end_visit(database(), visit.key)
    database().commit()
    g.page_saved = True
    if pressed == STOP:
        return _stopped()
    return redirect(_next_address(sheet.saved(storing), number, pressed), 303)


def check_page(sheet: Sheet, *, changed: bool = False) -> str:
    """Every question and its answer; answers of an earlier visit are named as such and not shown."""
    items = [item.code for item in sheet.instrument.items]
    parts = []
    for page, shown in sheet.pages():
        rows = [(item, _in_words(sheet, item.code)) for item in shown if item.kind != "information"]
        if rows:
            parts.append((page, rows))
    return render_template(
        "survey/check.html",
        parts=parts,
        assignment=sheet.asked.assignment_id,
        basis=responses.basis_of(database(), sheet.response_id, items, vault=vault()),
        questions_in=sheet.instrument.language,
        rest="rest" in request.args,
        changed=changed,
    )


def _codes(sheet: Sheet, number: int) -> list[str]:
    return [item.code for item in sheet.items(number) if item.kind != "information"]


def _typed(sheet: Sheet, number: int) -> BaseForm:
    return form_for(sheet.items(number), sheet.refusals, posted=request.form)


def _show_again(sheet: Sheet, visit: Visit, number: int) -> Any:
    """A page of another visit (the code was typed again meanwhile): shown anew with what was typed, and not saved yet."""
    if not sheet.items(number):
        return go_on(visit, sheet.asked)
    notice = gettext("Please look at this page once more. What you typed is still here. Press Continue to save it.")
    return question_page(sheet, visit, number, form=_typed(sheet, number), notice=notice), 409


def _with_kept(sheet: Sheet, form: BaseForm) -> dict[str, Given]:
    """What was given, where a question left alone keeps the answer of an earlier visit, which the page did not show."""
    given = given_in(form)
    for code, one in given.items():
        if one == BLANK and sheet.is_hidden(code) and not request.form.get(f"{form[code].name}-erase"):
            given[code] = sheet.stored[code]
    return given


def _store(sheet: Sheet, codes: list[str], storing: dict[str, Given], basis: str) -> None:
    """Save some or all of a page. For some, the whole page's basis is compared first, then theirs under the lock."""
    if storing.keys() != set(codes):
        stored = responses.answers(database(), sheet.response_id, codes, vault=vault())
        if responses.basis_of(database(), sheet.response_id, codes, vault=vault()) != basis:
            raise responses.Changed(stored)
        basis = responses.basis_of(database(), sheet.response_id, storing, vault=vault())
    if storing:
        responses.save(
            database(), sheet.response_id, storing, vault=vault(), basis=basis, language=sheet.instrument.language
        )


def _changed_page(sheet: Sheet, visit: Visit, number: int, given: dict[str, Given], stored: Any) -> str:
    """Both answers, what is stored and what was just given, for the person to choose."""
    known = {item.code: item for item in sheet.instrument.items}
    rows = [
        (
            known[code],
            label_of(known[code], stored.get(code, BLANK), sheet.refusals),
            label_of(known[code], one, sheet.refusals),
        )
        for code, one in given.items()
        if stored.get(code, BLANK) != one
    ]
    codes = request.form["shown"].split()
    basis = responses.basis_of(database(), sheet.response_id, codes, vault=vault())
    following = sheet.after(number)
    return render_template(
        "survey/changed.html",
        rows=rows,
        fields=[(name, value) for name, value in request.form.items(multi=True) if name not in OWN_FIELDS],
        number=number,
        basis=basis,
        proof=journey.proof(vault(), visit, sheet.asked, codes, basis),
        following=url_for("survey.check") if following is None else url_for("survey.question", number=following),
        questions_in=sheet.instrument.language,
    )


def _in_words(sheet: Sheet, code: str) -> str:
    if sheet.is_hidden(code):
        return str(gettext("Answered earlier"))
    if code not in sheet.stored:
        return str(gettext("Not looked at"))
    return label_of(sheet.instrument.item(code), sheet.stored[code], sheet.refusals)


def _stopped() -> Response:
    look = languages.look()
    access.forget_visitor()
    session.update(look)
    answer = redirect(url_for("survey.stopped"), 303)
    if "tablet" in session:
        answer.headers["Clear-Site-Data"] = CLEAR_TABLET
    return answer


def _next_address(sheet: Sheet, number: int, pressed: str) -> str:
    """Where a button leads once the page is saved."""
    checking = "check" in request.form
    if pressed.startswith(languages.LOOKS):
        return url_for("survey.question", number=number, check=1 if checking else None)
    if pressed == BACK:
        before = sheet.before(number)
        return url_for("survey.consent") if before is None else url_for("survey.question", number=before)
    if pressed == PIN:
        return url_for("survey.pin")
    if pressed == SKIP:
        return url_for("survey.check", rest="skipped")
    following = sheet.first_unsaved() if checking else sheet.after(number)
    return url_for("survey.check") if following is None else url_for("survey.question", number=following)
