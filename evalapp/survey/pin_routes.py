"""The pages for a PIN: choosing one, giving it on coming back, and beginning again without it."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask_babel import gettext

from evalapp import access, pins
from evalapp.access import Permission, database, requires, vault
from evalapp.survey import journey
from evalapp.survey.journey import Asked, Visit
from evalapp.survey.routes import kept_typed, mine, named, pages, pin_page, typed_before


@pages.get("/pin")
@requires(Permission.TAKE_PART)
def pin() -> Any:
    """Ask for the PIN where one is needed; else offer to choose one; else go on."""
    visit, asked = mine()
    found = journey.current(asked, visit, access.today())
    if found is not None and found.response_id is not None:
        sheet = journey.sheet_of(database(), found, visit, language="en", vault=vault())
        if journey.is_locked(database(), sheet, visit):
            return pin_page(found)
        if found.state == "open" and journey.may_choose_pin(database(), visit, _everywhere(visit), vault=vault()):
            return render_template("survey/choose_pin.html", assignment=found.assignment_id)
    return redirect(url_for("survey.go"), 303)


@pages.post("/pin")
@requires(Permission.TAKE_PART)
def give_pin() -> Any:
    """The right PIN shows earlier answers in this visit. Without it the person begins again, and they stay out of sight."""
    visit, asked = mine()
    found, kept = named(asked), kept_typed()
    if request.form.get("go") == "again":
        journey.begin_again(database(), visit, _everywhere(visit), vault=vault(), today=access.today())
        database().commit()
        return typed_before() or redirect(url_for("survey.go"), 303)
    try:
        typed = pins.read_pin(request.form.get("pin", ""))
        right = pins.proves(database(), visit.person_id, typed, vault=vault(), now=access.now())
    except pins.NotAPin:
        return pin_page(found, fault=gettext("Type your PIN. It has 4 to 6 figures."), **kept), 422
    except pins.TooManyTries:
        return pin_page(found, fault=gettext("Too many tries. Wait 15 minutes, or begin again."), **kept), 429
    if not right:
        return pin_page(
            found, fault=gettext("This is not the PIN that was chosen. Try again, or begin again."), **kept
        ), 422
    journey.note_pin(database(), visit.key, proven=True)
    database().commit()
    return typed_before() or redirect(url_for("survey.go"), 303)


@pages.post("/pin/new")
@requires(Permission.TAKE_PART)
def choose_pin() -> Any:
    """Keep the PIN somebody chose; a visit that must not see earlier answers cannot choose one for them."""
    visit, asked = mine()
    found = named(asked)
    if not journey.may_choose_pin(database(), visit, _everywhere(visit), vault=vault()):
        return redirect(url_for("survey.go"), 303)
    try:
        pins.choose(database(), visit.person_id, pins.read_pin(request.form.get("pin", "")), vault=vault())
    except pins.NotAPin:
        fault = gettext("Use 4 to 6 figures.")
    except pins.TooEasy:
        fault = gettext("This PIN is easy to guess. Choose other figures.")
    else:
        journey.note_pin(database(), visit.key, proven=True)
        database().commit()
        return redirect(url_for("survey.go"), 303)
    return render_template("survey/choose_pin.html", assignment=found.assignment_id, fault=fault), 422


def _everywhere(visit: Visit) -> list[Asked]:
    """Everything its person is asked: a PIN shows the earlier answers of every review, not of a tablet's alone."""
    return journey.asked_of(database(), visit.person_id)
