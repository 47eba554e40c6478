"""The evaluator's page for pages somebody saved and then began again without: what becomes of them."""

from flask import abort, flash, redirect, render_template, request, url_for

from evalapp import access, audit, responses
from evalapp.access import Permission, requires
from evalapp.shelf import questionnaire
from evalapp.trial import forms
from evalapp.trial.routes import Page, by_whom, done, pages


@pages.get("/staff/set-aside")
@requires(Permission.RECONCILE_PAGES)
def asides() -> Page:
    found = responses.asides(access.database())
    titles = {one.id: questionnaire(one.instrument, one.version).title for one in found}
    return render_template("trial/asides.html", asides=found, titles=titles, waves=forms.WAVE_LABELS)


@pages.post("/staff/set-aside/<aside_id>")
@requires(Permission.RECONCILE_PAGES)
def reconcile(aside_id: str) -> Page:
    """Drop pages that were set aside, or fill with them what was left blank later. Nobody reads them on the way."""
    if aside_id not in {one.id for one in responses.asides(access.database())}:
        abort(404)
    fill = request.form.get("keep") == "fill"
    filled = responses.reconcile(access.database(), aside_id, fill=fill, vault=access.vault())
    if filled is None:
        flash("This questionnaire was not sent yet. Wait until it is.", "warning")
        return redirect(url_for("trial.asides"), 303)
    who = by_whom()
    audit.record(
        access.database(),
        who["actor"],
        "set-aside pages reconciled",
        f"set_aside {aside_id}",
        now=who["now"],
        filled=filled,
    )
    return done(
        f"{filled} answers were filled in." if fill else "The earlier pages are dropped.", url_for("trial.asides")
    )
