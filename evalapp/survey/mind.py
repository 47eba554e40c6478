"""Changing one's mind, and a parent's say on a young person: pages of their own, whole without script."""

from typing import Any

from flask import abort, current_app, redirect, render_template, request, session, url_for

from evalapp import access, contacts, db, languages, responses, roster, withdrawals
from evalapp.access import Permission, database, requires, vault
from evalapp.consents import Terms
from evalapp.models import Person, Trial, Withdrawal
from evalapp.survey import journey, told
from evalapp.survey.journey import Child
from evalapp.survey.routes import pages
from evalapp.vault import hashed


@pages.get("/change")
@requires(Permission.OPEN_THE_DOOR)
def change() -> Any:
    """What can be chosen, and the words of it. Without a visit the code is asked for first."""
    person_id = access.visitor().person_id
    if person_id is None:
        return render_template("survey/door.html", then="change")
    return _choices_page(person_id)


@pages.post("/change")
@requires(Permission.TAKE_PART)
def choose() -> Any:
    """From a choice to the page that asks once more: nothing is done yet."""
    person_id = _me()
    choice = request.form.get("choice", "")
    if choice not in _offered(person_id):
        return _choices_page(person_id, unanswered=True), 422
    return render_template("survey/change_sure.html", choice=choice)


@pages.post("/change/sure")
@requires(Permission.TAKE_PART)
def withdraw() -> Any:
    """Do it, once: the same page sent again, however often, has the same receipt."""
    person_id, key = _me(), session["visit"]
    choice, today = request.form.get("choice", ""), access.today()
    try:
        made = withdrawals.withdraw(database(), person_id, choice, vault=vault(), now=access.now(), today=today)
    except withdrawals.Locked:
        database().rollback()
        return _choices_page(person_id, too_late=True), 409
    except KeyError:
        abort(400)
    withdrawals.end_other_visits(database(), person_id, hashed(key))
    journey.touch(database(), key, access.now())
    _keep_outside(made)
    database().commit()
    store = access.contact_store()
    if store is not None:
        contacts.forget(store, person_id, vault=vault())
        store.commit()
        db.scrub(access.current_store(), tables=db.CONTACTS)
    db.scrub(access.current_engine())
    return redirect(url_for("survey.changed"), 303)


@pages.get("/change/done")
@requires(Permission.TAKE_PART)
def changed() -> Any:
    found = withdrawals.of_person(database(), _me())
    if found is None:
        return redirect(url_for("survey.change"), 303)
    return render_template("survey/change_done.html", withdrawn=found)


@pages.get("/permission")
@requires(Permission.TAKE_PART)
def child() -> Any:
    """The next young person nobody decided on, or those a parent said yes to, who can be stopped."""
    found = journey.children_of(database(), _me())
    asked = next((one for one in found if one.agreed is None), None)
    if asked is not None:
        return _child_page(asked)
    if not found:
        return redirect(url_for("survey.go"), 303)
    return render_template("survey/children.html", children=found)


@pages.post("/permission")
@requires(Permission.TAKE_PART)
def say() -> Any:
    """Keep a parent's yes or no. A no is final; a yes can still become one."""
    asked = _child_named(request.form.get("young", ""))
    answer = request.form.get("agreed")
    if answer == "later":
        return redirect(url_for("survey.go", later="yes"), 303)
    if answer not in {"yes", "no"}:
        return _child_page(asked, unanswered=True), 422
    name, _, _ = told.of_child(asked)
    holds = roster.say(
        database(), asked.young_id, asked.parent_id, agreed=answer == "yes", consent_version=name, today=access.today()
    )
    if not holds:
        responses.erase(
            database(), asked.number, sent=False
        )  # pages saved and not sent; what was sent is the young person's
        withdrawals.forget_papers(database(), asked.number, stored=False)
    database().commit()
    if not holds:
        db.scrub(access.current_engine())
    return redirect(url_for("survey.child"), 303)


def _me() -> str:
    """The person this visit belongs to; only for pages whose permission nobody else has."""
    found = access.visitor().person_id
    if found is None:
        abort(401)
    return found


def _trial_of(person_id: str) -> Trial:
    return database().get_one(Trial, database().get_one(Person, person_id).trial_id)


def _offered(person_id: str) -> tuple[str, ...]:
    had = withdrawals.of_person(database(), person_id)
    return withdrawals.choices(_trial_of(person_id), access.today(), had)


def _choices_page(person_id: str, *, unanswered: bool = False, too_late: bool = False) -> str:
    trial = _trial_of(person_id)
    last = Terms(locks_on=trial.locks_on).last_day
    return render_template(
        "survey/change.html",
        offered=_offered(person_id),
        withdrawn=withdrawals.of_person(database(), person_id),
        last_day=None if last is None else told.long(last, languages.current()),
        locked=not withdrawals.may_delete(trial, access.today()),
        child=bool(journey.children_of(database(), person_id)),
        unanswered=unanswered,
        too_late=too_late,
    )


def _child_page(asked: Child, *, unanswered: bool = False) -> str:
    _, language, question = told.of_child(asked)
    return render_template(
        "survey/child.html", child=asked, question=question, told_in=language, unanswered=unanswered,
        foreign=language != languages.current(),
    )  # fmt: skip


def _child_named(young_id: str) -> Child:
    """The young person a form was made for; another parent's is refused whole."""
    found = next((one for one in journey.children_of(database(), _me()) if one.young_id == young_id), None)
    if found is None:
        abort(409, "another person's page")
    return found


def _keep_outside(made: Withdrawal) -> None:
    """Tell the file beside the database, where there is one: first, so that no erasure is known to the database alone."""
    path = current_app.extensions["evalapp"].withdrawals
    if path is not None:
        withdrawals.keep_outside(path, withdrawals.mark_of(made, vault()))
