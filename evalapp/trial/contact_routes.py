"""The coordinator's pages on messages: how a person is reached, sending them their code, and how sending goes.

Nothing here tells who has answered: of reminders only the whole trial's number is shown, in steps.
"""

from collections import Counter
from typing import Any

from flask import flash, redirect, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp import access, asking, audit, contacts, db, outbox, roster
from evalapp.access import Permission, requires
from evalapp.contacts import NotAnAddress, Reached
from evalapp.languages import LANGUAGES
from evalapp.models import Review, Site, Trial
from evalapp.trial import forms
from evalapp.trial.routes import Page, by_whom, done, found, page, pages, place_of, whereabouts

STEP, FEWEST = 5, 10
INVITATION_STATES = {
    "waiting": "An invitation is waiting to be sent.",
    "handed": "An invitation is on its way.",
    "sent": "An invitation was sent.",
    "unsure": "An invitation was sent, and the mail server did not say whether it took it.",
    "failed": "The last invitation could not be delivered. Check the address.",
    "dropped": "The last invitation was not sent.",
}


@pages.route("/staff/people/<review_id>/<person_id>/contact", methods=["GET", "POST"])
@requires(Permission.MANAGE_CARDS)
def contact(review_id: str, person_id: str) -> Page:
    return contact_of(found(Review, review_id), person_id)


@pages.route("/staff/sites/<site_id>/people/<person_id>/contact", methods=["GET", "POST"])
@requires(Permission.MANAGE_CARDS)
def contact_at_site(site_id: str, person_id: str) -> Page:
    return contact_of(found(Site, site_id), person_id)


def contact_of(where: Review | Site, person_id: str) -> Page:
    """Keep or remove how a person is reached, or send them a code. The address itself is not shown again."""
    place = place_of(where, person_id)
    home = whereabouts(where)["home"]
    store = access.contact_store()
    if store is None:
        flash("This copy keeps no contact details. Whoever runs it can set EVALAPP_CONTACTS_URL.", "warning")
        return redirect(home, 303)
    known = contacts.of(store, person_id, vault=access.vault())
    form = forms.ContactDetails()
    if request.method == "POST":
        act = {"forget": _forget, "send": _send}.get(request.form.get("do", ""))
        if act is not None:
            return act(store, known, person_id, home)
        if form.validate_on_submit():
            try:
                kept = contacts.keep(
                    store, person_id, form.channel.data, form.address.data, form.language.data, vault=access.vault()
                )
            except NotAnAddress as reason:
                form.refuse("address", str(reason))
            else:
                return _kept(store, person_id, "contact details kept", f"They are kept: {kept.masked}.")
    last = outbox.invitation_of(access.database(), person_id)
    return page(
        "contact", form, place=place, known=known, seen=last.id if last else "", roles=forms.ROLE_LABELS, languages=LANGUAGES,
        channels=contacts.CHANNELS, invitation=INVITATION_STATES[last.state] if last else None, **whereabouts(where),
    )  # fmt: skip


def _kept(store: Session, person_id: str, action: str, message: str) -> Page:
    """On the record first: details that could not be recorded are not kept."""
    audit.record(access.database(), access.staff().id, action, f"person {person_id}", now=access.now())
    access.database().commit()
    store.commit()
    return done(message, request.path)


def _forget(store: Session, known: Reached | None, person_id: str, home: str) -> Page:  # noqa: ARG001
    contacts.forget(store, person_id, vault=access.vault())
    answer = _kept(
        store, person_id, "contact details removed", "They are removed. Nothing more is sent to this person."
    )
    db.scrub(access.current_store(), tables=db.CONTACTS)
    return answer


def _send(store: Session, known: Reached | None, person_id: str, home: str) -> Page:  # noqa: ARG001
    """A new code for the person, sent to them and shown to nobody."""
    if known is None or known.stopped or known.undeliverable:
        flash("Nothing can be sent to this person as things are.", "warning")
        return redirect(request.path, 303)
    # Before a code is made: it would end the one they have, which also opens the page to take answers back.
    database = access.database()
    if roster.may_have_card(database, person_id) and not asking.may_be_approached(database, person_id):
        flash("Nothing can be sent to this person as things are.", "warning")
        return redirect(request.path, 303)
    last = outbox.invitation_of(access.database(), person_id)
    seen = request.form.get("seen", "")
    if seen != (last.id if last else ""):  # a form sent twice must not end the code that is on its way
        flash("An invitation was made since you opened this page.", "warning")
        return redirect(request.path, 303)
    try:
        code = roster.issue_card(access.database(), person_id, vault=access.vault(), **by_whom())
    except roster.NotInvited:
        flash("A named lead decides first whether this parent may be asked. Then they can be sent a code.", "warning")
        return redirect(request.path, 303)
    outbox.invite(access.database(), person_id, code, vault=access.vault(), today=access.today())
    return done("The invitation is on its way, with a new code. Any card they had has stopped working.", request.path)


@pages.get("/staff/messages")
@requires(Permission.MANAGE_CARDS)
def messages() -> Page:
    """How sending goes, trial by trial."""
    database = access.database()
    trials = [
        (trial, _rows(outbox.counts(database, trial.id)))
        for trial in database.scalars(select(Trial).order_by(Trial.title))
    ]
    return render_template("trial/messages.html", trials=trials, ready=access.contact_store() is not None)


def _rows(counts: dict[tuple[str, str], int]) -> list[dict[str, Any]]:
    """Each kind of message with its numbers by what became of them: in steps, so that no single answer shows."""
    rows = []
    for kind, label in (
        ("invitation", "Invitations"),
        ("opening", "A questionnaire is open"),
        ("reminder", "Reminders"),
    ):
        of_kind = Counter({state: number for (one, state), number in counts.items() if one == kind})
        if not of_kind:
            continue
        whole = kind == "invitation"
        rows.append(
            {
                "label": label,
                "sent": _shown(of_kind["sent"] + of_kind["unsure"], whole),
                "waiting": _shown(of_kind["waiting"] + of_kind["handed"], whole),
                "failed": _shown(of_kind["failed"], whole),
            }
        )
    return rows


def _shown(number: int, whole: bool) -> str:
    if whole:
        return str(number)
    return f"fewer than {FEWEST}" if number < FEWEST else f"about {STEP * round(number / STEP)}"
