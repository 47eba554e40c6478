"""The page on which somebody asks to be rung: kept apart from everything else, and there only while somebody rings."""

from typing import Any

from flask import redirect, render_template, request, session, url_for
from flask_babel import gettext

from evalapp import access, readers
from evalapp.access import Permission, database, requires, vault
from evalapp.readers import Contact
from evalapp.survey import journey
from evalapp.survey.routes import pages

LONGEST = 200


@pages.get("/call-back")
@requires(Permission.TAKE_PART)
def call_back() -> Any:
    visit = journey.visit_of(database(), session["visit"])
    if not readers.rings_back(database(), visit.person_id):
        return redirect(url_for("survey.help_lines"), 303)
    return render_template("survey/call_back.html", given={})


@pages.post("/call-back")
@requires(Permission.TAKE_PART)
def ask_to_be_rung() -> Any:
    visit = journey.visit_of(database(), session["visit"])
    if not readers.rings_back(database(), visit.person_id):
        return redirect(url_for("survey.help_lines"), 303)
    given = {name: " ".join(request.form.get(name, "").split()) for name in ("name", "reach", "when")}
    fault = ""
    if not given["reach"]:
        fault = gettext("Write a number to ring.")
    elif any(len(one) > LONGEST for one in given.values()):
        fault = gettext("Use %(most)s characters or fewer.", most=LONGEST)
    if fault:
        return render_template("survey/call_back.html", fault=fault, given=given), 422
    readers.ask_to_be_rung(database(), visit.person_id, Contact(**given), vault=vault(), today=access.today())
    database().commit()
    return render_template("survey/call_back.html", asked=True)
