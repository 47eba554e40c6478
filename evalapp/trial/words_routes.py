"""The disclosure desk: words that wait for a named reader, people who asked to be rung, and who the readers are."""

from flask import abort, render_template, request, url_for

from evalapp import access, accounts, readers, responses
from evalapp.access import Permission, requires
from evalapp.models import DECISIONS_ON_WORDS, Trial
from evalapp.responses import Held, Released
from evalapp.shelf import questionnaire
from evalapp.trial import forms
from evalapp.trial.routes import WRONG, Page, by_whom, done, found, pages

DUE_DAYS = 3  # words that wait longer are marked: somebody may have told of a danger in them
DECISIONS = {
    "release": "Release as it stands in the box, names and places taken out",
    "withhold": "Withhold: nobody else reads it",
    "acted_on": "Acted on: told to those who can help, and withheld",
}


@pages.route("/staff/trials/<trial_id>/readers", methods=["GET", "POST"])
@requires(Permission.MANAGE_STAFF)
def name_readers(trial_id: str) -> Page:
    """Name who reads what people write. An admin names them and reads nothing."""
    trial = found(Trial, trial_id)
    database = access.database()
    if request.method == "POST":
        readers.appoint(database, trial, request.form.getlist("reader"), **by_whom())
        return done("The readers are named.", url_for("trial.name_readers", trial_id=trial.id))
    everyone = accounts.everyone(database, now=access.now())
    return render_template(
        "trial/readers.html",
        trial=trial,
        may_be=[one for one in everyone if one.role == "coordinator" and one.state != "closed"],
        named=readers.readers_of(database, trial.id),
    )


@pages.get("/staff/words")
@requires(Permission.READ_WORDS)
def words() -> Page:
    """What waits for this reader; the words themselves are opened one by one, and each look is recorded."""
    mine = read_by_me()
    database = access.database()
    held = responses.held_words(database, mine)
    return render_template(
        "trial/words.html",
        held=[(one, (access.today() - one.sent_on).days, question_of(one)) for one in held],
        named=bool(mine),
        calls=[(one, (access.today() - one.asked_on).days) for one in readers.waiting(database, mine)],
        due=DUE_DAYS,
        roles=forms.ROLE_LABELS,
        waves=forms.WAVE_LABELS,
    )


@pages.get("/staff/words/released")
@requires(Permission.SEE_RELEASED_WORDS)
def released_words() -> Page:
    """What readers released, under its question: of which trial and wave, and no closer than that."""
    found = responses.released_words(access.database(), vault=access.vault())
    return render_template(
        "trial/released_words.html",
        released=[(one, question_of(one)) for one in found],
        waves=forms.WAVE_LABELS,
    )


@pages.post("/staff/words/<response_id>/<item>")
@requires(Permission.READ_WORDS)
def read_words(response_id: str, item: str) -> Page:
    """Open somebody's words, or record what was decided on them."""
    mine = read_by_me()
    database, who = access.database(), by_whom()
    held = next(
        (one for one in responses.held_words(database, mine) if (one.response_id, one.item) == (response_id, item)),
        None,
    )
    if held is None:
        abort(404)
    decision = request.form.get("decision")
    released = request.form.get("released", "").replace("\r\n", "\n").strip()
    if decision in DECISIONS_ON_WORDS and (decision != "release" or released):
        responses.decide_on_words(
            database, held, decision, released if decision == "release" else None, vault=access.vault(),
            today=access.today(), **who,
        )  # fmt: skip
        return done("The decision is kept.", url_for("trial.words"))
    shown = responses.read_words(database, held, vault=access.vault(), **who)
    database.commit()  # the look is on the record before anything is seen
    page = render_template(
        "trial/read_words.html", held=held, question=question_of(held), words=shown, decisions=DECISIONS,
        unanswered="decide" in request.form, roles=forms.ROLE_LABELS, waves=forms.WAVE_LABELS,
    )  # fmt: skip
    return (page, WRONG) if "decide" in request.form else page


@pages.post("/staff/call-backs/<call_id>")
@requires(Permission.READ_WORDS)
def ring_back(call_id: str) -> Page:
    """Show how to reach somebody who asked to be rung; or note that they were, and forget it."""
    mine = read_by_me()
    database, who = access.database(), by_whom()
    call = next((one for one in readers.waiting(database, mine) if one.id == call_id), None)
    if call is None:
        abort(404)
    if request.form.get("done"):
        readers.close(database, call_id, **who)
        return done("Noted. How to reach them is forgotten.", url_for("trial.words"))
    contact = readers.contact_of(database, call_id, vault=access.vault(), **who)
    database.commit()
    return render_template("trial/ring_back.html", call=call, contact=contact)


def read_by_me() -> list[str]:
    """The trials this member of staff was named to read for: none, for most."""
    return readers.trials_read_by(access.database(), access.staff().id)


def question_of(words: Held | Released) -> str:
    return questionnaire(words.instrument, words.version).item(words.item).text
