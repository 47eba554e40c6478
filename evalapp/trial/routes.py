"""The staff's pages: signing in, the start page, sites, allocation, reviews, people and cards."""

from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response

from evalapp import access, accounts, roster, tablets
from evalapp.access import LONDON, Permission, requires
from evalapp.accounts import NotAccepted
from evalapp.db import Base
from evalapp.models import Allocation, Membership, Review, Site, StaffUser, Trial
from evalapp.nations import nation, nations
from evalapp.paper import cards, printing
from evalapp.trial import forms, register
from evalapp.trial.menu import LINKS, menu, opens, signed_in

LONGEST_AGO = timedelta(days=3653)  # a draw before that is a slip of the year

pages = Blueprint("trial", __name__, template_folder="templates")
Page = str | tuple[str, int] | Response
Row = TypeVar("Row", bound=Base)
WRONG = 422  # a form came back with something to mend

NEXT = {
    "trial.sites": "Add the partnerships and boards that take part, and see how they were allocated.",
    "trial.people": "Add a review, say who is expected in it, and print their cards.",
    "trial.messages": "See how many invitations and reminders were sent, and how many could not be.",
    "trial.papers": "Type in what came back on paper. Two people type each paper.",
    "dashboard.board": "See how many were expected and how many answered, wave by wave.",
    "dashboard.outcomes": "Compare the two ways of reviewing, once the results are open.",
    "dashboard.releases": "Publish a numbered release, and look back at earlier ones.",
    "dashboard.funder": "Read the latest published release on one page.",
    "trial.words": "If you are a named reader: read what people wrote, and ring back who asked for it.",
    "trial.released_words": "Read what people wrote, as a named reader released it.",
    "trial.asides": "Say what becomes of pages whose person began again without their PIN.",
    "trial.accounts_page": "Invite colleagues, change what they may do, close accounts.",
}


@pages.app_context_processor
def frame() -> dict[str, object]:
    """What staff.html asks for, on whichever audience's page."""
    return {"menu": menu, "signed_in": signed_in}


@pages.record_once
def exempt_the_door(state: Any) -> None:
    """A first visit has no session for a token to be bound to; `sign_in` asks for one as soon as there is."""
    state.app.extensions["csrf"].exempt(sign_in)


@pages.route("/staff/sign-in", methods=["GET", "POST"])
@requires(Permission.OPEN_THE_DOOR)
def sign_in() -> Page:
    if request.method == "POST" and session:
        current_app.extensions["csrf"].protect()
    form = forms.SignIn()
    if not form.validate_on_submit():
        return page("sign_in", form)
    try:
        found = accounts.sign_in(
            access.database(), form.email.data, form.password.data, access.vault(), now=access.now()
        )
    except NotAccepted as reason:
        form.refuse("password", str(reason))
        return page("sign_in", form, status=429)
    if found is None:
        access.database().commit()
        form.refuse("password", "The e-mail address or the password is not right.")
        return page("sign_in", form)
    end_session()
    access.database().commit()
    session["staff"] = found[1]
    return redirect(url_for("trial.home"), 303)


@pages.post("/staff/sign-out")
@requires(Permission.USE_STAFF_PAGES)
def sign_out() -> Page:
    end_session()
    access.database().commit()
    flash("You are signed out.", "done")
    return redirect(url_for("trial.sign_in"), 303)


def end_session() -> None:
    """End the session this browser holds, on the server and in the cookie."""
    key = session.get("staff")
    if isinstance(key, str):
        accounts.sign_out(access.database(), key, now=access.now())
    access.forget_visitor(keep_tablet=False)


@pages.route("/staff/accept", methods=["GET", "POST"])
@requires(Permission.OPEN_THE_DOOR)
def accept() -> Page:
    form = forms.Accept()
    if not form.validate_on_submit():
        return page("accept", form)
    try:
        accounts.accept(access.database(), form.invitation.data, form.password.data, now=access.now())
    except NotAccepted as reason:
        form.refuse("invitation" if "invitation" in str(reason) else "password", str(reason))
        return page("accept", form)
    access.database().commit()
    flash("Your password is set. Sign in with it now.", "done")
    return redirect(url_for("trial.sign_in"), 303)


@pages.get("/staff/")
@requires(Permission.USE_STAFF_PAGES)
def home() -> Page:
    places = [
        (label, url_for(endpoint), NEXT[endpoint]) for label, endpoint in LINKS if endpoint in NEXT and opens(endpoint)
    ]
    started = access.database().scalar(select(Trial.id).limit(1)) is not None
    return render_template("trial/home.html", places=places, started=started, may_start=opens("trial.new_trial"))


@pages.route("/staff/trials/new", methods=["GET", "POST"])
@requires(Permission.START_TRIAL)
def new_trial() -> Page:
    form = forms.NewTrial()
    if not form.validate_on_submit():
        return page("new_trial", form)
    try:
        register.start_trial(access.database(), form.title.data, form.design.data, form.planned_sites.data, **by_whom())
    except NotAccepted as reason:
        form.refuse("title", str(reason))
        return page("new_trial", form)
    return done("The trial is started. Now add its sites.", url_for("trial.sites"))


@pages.get("/staff/sites")
@requires(Permission.MANAGE_SITES)
def sites() -> Page:
    database = access.database()
    trials = [
        (trial, register.sites_of(database, trial.id), allocations(trial.id))
        for trial in database.scalars(select(Trial).order_by(Trial.title))
    ]
    return render_template(
        "trial/sites.html",
        trials=trials,
        nations=nations(),
        schemes=forms.SCHEMES,
        may_allocate=opens("trial.allocate"),
        may_rule=opens("trial.site_rules"),
        may_set=opens("trial.trial_terms"),
        may_start=opens("trial.new_trial"),
        may_name=opens("trial.name_readers"),
    )


def allocations(trial_id: str) -> dict[str, Any]:
    """What each site was given, for those alone who record it."""
    return register.allocations_of(access.database(), trial_id) if opens("trial.allocate") else {}


@pages.route("/staff/trials/<trial_id>/sites/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_SITES)
def new_site(trial_id: str) -> Page:
    trial = found(Trial, trial_id)
    form = forms.NewSite()
    if not form.validate_on_submit():
        return page("new_site", form, trial=trial, nations=nations())
    try:
        register.add_site(access.database(), trial, form.name.data, form.nation.data, form.joined_on.data, **by_whom())
    except NotAccepted as reason:
        form.refuse("name", str(reason))
        return page("new_site", form, trial=trial, nations=nations())
    return done("The site is added.", url_for("trial.sites"))


@pages.route("/staff/sites/<site_id>/allocation", methods=["GET", "POST"])
@requires(Permission.RECORD_ALLOCATION)
def allocate(site_id: str) -> Page:
    site = found(Site, site_id)
    trial = found(Trial, site.trial_id)
    form = forms.Allocate()
    form.arm.choices = forms.labelled((arm.id, arm.label) for arm in trial.arms)
    if access.database().get(Allocation, site.id) is not None:
        flash("This site's allocation is recorded already. It is never changed.", "warning")
        return redirect(url_for("trial.sites"), 303)
    if trial.design == "nonrandomised":
        form.scheme.choices = forms.labelled([("none", forms.SCHEMES["none"])])
    else:
        form.scheme.choices = forms.labelled((code, label) for code, label in forms.SCHEMES.items() if code != "none")
    if form.validate_on_submit():
        if form.drawn_on.data > access.today():
            form.refuse("drawn_on", "The day of the draw cannot be in the future.")
        if form.drawn_on.data < access.today() - LONGEST_AGO:
            form.refuse("drawn_on", "That is over ten years ago. Check the year.")
        if form.scheme.data in {"stratified", "pairs"} and not form.stratum.data:
            form.refuse("stratum", "Say which stratum or pair: the comparison needs it.")
    if not form.is_submitted() or form.errors:
        return page("allocate", form, site=site)
    arm = next(arm for arm in trial.arms if arm.id == form.arm.data)
    roster.allocate(
        access.database(),
        site,
        arm,
        scheme=form.scheme.data,
        stratum=form.stratum.data or None,
        drawn_at=datetime.combine(form.drawn_on.data, time(12), LONDON),  # a day is known, not an hour
        **by_whom(),
    )
    return done("The allocation is recorded.", url_for("trial.sites"))


@pages.get("/staff/people")
@requires(Permission.MANAGE_PEOPLE)
def people() -> Page:
    database = access.database()
    trials = []
    for trial in database.scalars(select(Trial).order_by(Trial.title)):
        listed = register.sites_of(database, trial.id)
        keys = [site.id for site in listed]
        trials.append((trial, listed, register.reviews_of(database, keys), register.people_at(database, keys)))
    return render_template("trial/people.html", trials=trials, nations=nations())


@pages.route("/staff/sites/<site_id>/reviews/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def new_review(site_id: str) -> Page:
    site = found(Site, site_id)
    terms = nation(site.nation)
    form = forms.NewReview()
    form.review_type.choices = forms.labelled([("", "Not recorded"), *((kind, kind) for kind in terms.review_types)])
    if form.validate_on_submit():
        form.check_days(form.starts_on.data)
    if not form.is_submitted() or form.errors:
        return page("new_review", form, site=site, terms=terms)
    try:
        review = register.add_review(
            access.database(),
            site,
            form.label.data,
            review_type=form.review_type.data or None,
            statutory={"yes": True, "no": False}.get(form.statutory.data),
            starts_on=form.starts_on.data,
            ends_on=form.ends_on.data,
            **facts_in(form),
            **by_whom(),
        )
    except NotAccepted as reason:
        form.refuse("label", str(reason))
        return page("new_review", form, site=site, terms=terms)
    return done("The review is added. Now say who is expected.", url_for("trial.review", review_id=review.id))


@pages.get("/staff/people/<review_id>")
@requires(Permission.MANAGE_PEOPLE)
def review(review_id: str) -> Page:
    database = access.database()
    shown = found(Review, review_id)
    site = found(Site, shown.site_id)
    return render_template(
        "trial/review.html",
        review=shown,
        site=site,
        terms=nation(site.nation),
        places=register.places(database, shown),
        windows=register.windows_of(database, shown),
        roles=forms.ROLE_LABELS,
        waves=forms.WAVE_LABELS,
        outcome=forms.OUTCOMES[shown.outcome].partition(":")[0],
        trigger=forms.TRIGGERS[shown.trigger],
        family=roster.FAMILY,
        decisions=register.decisions(database, shown),
        reasons=forms.NOT_INVITED,
        tablets=tablets.open_at(database, shown.id, now=access.now()),
        invited={place.membership_id for place in register.invited_in(database, shown)},
        gated=roster.GATED,
        linked=register.linked(database, shown),
        lead=lead_of(shown.site_id),
        leads=leads_here(shown.site_id),
    )


@pages.route("/staff/people/<review_id>/facts", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def change_review(review_id: str) -> Page:
    """What became known of a review: what happened, what set it off, when it was reported."""
    shown = found(Review, review_id)
    form = forms.ReviewFacts(obj=shown)
    if form.validate_on_submit():
        form.check_days(shown.starts_on)
    if not form.is_submitted() or form.errors:
        return page("change_review", form, review=shown, site=found(Site, shown.site_id))
    register.change_facts(access.database(), shown, facts_in(form), **by_whom())
    return done("What is known of the review is kept.", url_for("trial.review", review_id=shown.id))


@pages.route("/staff/people/<review_id>/<person_id>/invitation", methods=["GET", "POST"])
@requires(Permission.DECIDE_INVITATIONS)
def invitation(review_id: str, person_id: str) -> Page:
    """A site's named lead decides whether a parent or a young person may be asked; nobody else's invitation is decided."""
    shown = found(Review, review_id)
    place = place_of(shown, person_id)
    if place.role not in roster.FAMILY:
        abort(404)
    if not leads_here(shown.site_id):
        abort(403)
    membership = found(Membership, place.membership_id)
    form = forms.Invitation()
    if not form.validate_on_submit():
        last = roster.decision_on(access.database(), membership)
        return page(
            "invitation_decision", form, review=shown, site=found(Site, shown.site_id), place=place, last=last,
            roles=forms.ROLE_LABELS, reasons=forms.NOT_INVITED,
            holds=roster.is_invited(access.database(), membership, shown), gated=roster.GATED,
        )  # fmt: skip
    yes = {name: form[name].data == "yes" for name in ("safe", "lawful", "kind")}
    gate = roster.Gate(yes["safe"], yes["lawful"], yes["kind"], form.other.data or None)
    roster.decide(access.database(), membership, gate, **by_whom())
    return done("The decision is kept.", url_for("trial.review", review_id=shown.id))


@pages.route("/staff/people/<review_id>/<person_id>/parent", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def young_person(review_id: str, person_id: str) -> Page:
    """Who is asked about a young person. What that parent says is shown to nobody here."""
    shown = found(Review, review_id)
    place = place_of(shown, person_id)
    if place.role != "young_person":
        abort(404)
    database = access.database()
    young = found(Membership, place.membership_id)
    parents = {one.membership_id: one.person_id for one in register.places(database, shown) if one.role == "parent"}
    before = {None: "", True: "yes", False: "no"}[young.under_16]
    form = forms.YoungPerson(data={"under_16": before}) if request.method != "POST" else forms.YoungPerson()
    form.parent.choices = forms.labelled([("", "Nobody"), *((key, grouped(one)) for key, one in parents.items())])
    if not form.validate_on_submit():
        return page(
            "young_person", form, review=shown, site=found(Site, shown.site_id), place=place,
            linked=register.linked(database, shown).get(young.id, []), any_parent=bool(parents),
            rules=roster.rules_of(database, shown.site_id), policies=forms.YOUNG_PEOPLE,
        )  # fmt: skip
    young.under_16 = {"yes": True, "no": False}.get(form.under_16.data)
    if form.parent.data:
        roster.link(database, young, found(Membership, form.parent.data), **by_whom())
    return done("This is kept.", url_for("trial.review", review_id=shown.id))


@pages.route("/staff/sites/<site_id>/rules", methods=["GET", "POST"])
@requires(Permission.SET_RULES)
def site_rules(site_id: str) -> Page:
    """Name who decides at a site, and when its young people need a parent's yes."""
    site = found(Site, site_id)
    rules = roster.rules_of(access.database(), site.id)
    form = forms.Rules(data={"lead": rules.lead_id or "", "young_people": rules.young_people})
    known = register.leads(access.database())
    form.lead.choices = forms.labelled([("", "Nobody yet"), *((one.id, one.email) for one in known)])
    if not form.validate_on_submit():
        return page("site_rules", form, site=site)
    register.set_rules(access.database(), site, form.lead.data or None, form.young_people.data, **by_whom())
    return done("The site's rules are kept.", url_for("trial.sites"))


@pages.route("/staff/trials/<trial_id>/terms", methods=["GET", "POST"])
@requires(Permission.SET_TERMS)
def trial_terms(trial_id: str) -> Page:
    """Whom people may ask, and until when what they gave can be deleted."""
    trial = found(Trial, trial_id)
    form = forms.Terms(data={"contact": trial.contact, "locks_on": trial.locks_on})
    if not form.validate_on_submit():
        return page("trial_terms", form, trial=trial)
    try:
        register.set_terms(
            access.database(), trial, form.contact.data or None, form.locks_on.data, today=access.today(), **by_whom()
        )
    except NotAccepted as reason:
        form.refuse("locks_on", str(reason))
        return page("trial_terms", form, trial=trial)
    return done("This is kept, and people read it from now on.", url_for("trial.sites"))


@pages.get("/staff/sites/<site_id>/people")
@requires(Permission.MANAGE_PEOPLE)
def site_people(site_id: str) -> Page:
    """Who answers for a site outside its reviews."""
    database = access.database()
    site = found(Site, site_id)
    return render_template(
        "trial/site_people.html",
        site=site,
        terms=nation(site.nation),
        places=register.places(database, site),
        windows=register.windows_of(database, site),
        roles=forms.ROLE_LABELS,
        waves=forms.WAVE_LABELS,
    )


@pages.route("/staff/people/<review_id>/add", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def add_people(review_id: str) -> Page:
    return adding(found(Review, review_id))


@pages.route("/staff/sites/<site_id>/people/add", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def add_people_at_site(site_id: str) -> Page:
    return adding(found(Site, site_id))


def adding(where: Review | Site) -> Page:
    """Add people and show their cards at once: the codes are never seen again."""
    count = len(register.places(access.database(), where))
    form = forms.NewPeople()
    if isinstance(where, Site):
        form.role.choices = forms.SITE_ROLES
    context: dict[str, Any] = {**whereabouts(where), "expected": count}
    if not form.validate_on_submit():
        return page("add_people", form, **context)
    if request.form.get("expected") != str(count):
        form.refuse("number", "People were added since you opened this page. Look at the list before you add more.")
        return page("add_people", form, **context)
    if forms.wants_pdf(form) and forms.refuse_without_pdf(form):
        return page("add_people", form, **context)
    issued = register.add_people(
        access.database(),
        where,
        form.role.data,
        form.agency.data or None,
        form.level.data or None,
        form.reads.data,
        form.number.data,
        vault=access.vault(),
        **by_whom(),
    )
    if not issued:
        return done("They are added. They get a card once the site's lead has decided that they may be asked.",
                    context["home"])  # fmt: skip
    return printed_cards(where, issued, form)


@pages.route("/staff/people/<review_id>/known", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def add_known_person(review_id: str) -> Page:
    shown = found(Review, review_id)
    form = forms.KnownPerson()
    context: dict[str, Any] = {"review": shown, "site": found(Site, shown.site_id)}
    if not form.validate_on_submit():
        return page("known_person", form, **context)
    try:
        register.add_known_person(
            access.database(),
            shown,
            form.person.data,
            form.role.data,
            form.agency.data or None,
            form.level.data or None,
            form.reads.data,
            **by_whom(),
        )
    except NotAccepted as reason:
        form.refuse("person", str(reason))
        return page("known_person", form, **context)
    return done("The person is added. Their card stays the same.", url_for("trial.review", review_id=shown.id))


@pages.route("/staff/people/<review_id>/<person_id>/card", methods=["GET", "POST"])
@requires(Permission.MANAGE_CARDS)
def new_card(review_id: str, person_id: str) -> Page:
    return replacing_card(found(Review, review_id), person_id)


@pages.route("/staff/sites/<site_id>/people/<person_id>/card", methods=["GET", "POST"])
@requires(Permission.MANAGE_CARDS)
def new_card_at_site(site_id: str, person_id: str) -> Page:
    return replacing_card(found(Site, site_id), person_id)


def replacing_card(where: Review | Site, person_id: str) -> Page:
    """Ask, then give a person a new card, which ends the old one; what they answered stays theirs."""
    place = place_of(where, person_id)
    context = whereabouts(where)
    form = forms.Printing()
    if not form.validate_on_submit() or (forms.wants_pdf(form) and forms.refuse_without_pdf(form)):  # HEAD asks too
        return page("new_card", form, place=place, roles=forms.ROLE_LABELS, **context)
    try:
        card = register.replace_card(
            access.database(), place, request.form.get("seen") or None, vault=access.vault(), **by_whom()
        )
    except NotAccepted as reason:
        flash(str(reason), "warning")
        return redirect(context["home"], 303)
    return printed_cards(where, [card], form)


def printed_cards(where: Review | Site, issued: list[register.NewCard], form: forms.Printing) -> Page:
    """Keep the new codes' hashes, then answer with the cards: the only time anyone sees the codes.

    Nothing is committed before the page is drawn. The PDF is made afterwards, since that takes seconds in which
    nobody could save an answer; if it fails, the page is shown in its place.
    """
    database = access.database()
    near = whereabouts(where)
    faces = cards.faces([card.code for card in issued], request.url_root)
    rows = [cards.Row(number, grouped(card.person_id), about(card)) for number, card in enumerate(issued, start=1)]
    shown: dict[str, Any] = {
        "door": request.url_root, "ends_on": roster.card_ends_on(database, issued[0].person_id),
        "third": form.third.data or None, "large": form.size.data == "large", "where": near["where"],
    }  # fmt: skip
    said = [
        "The codes are shown only now. Print this page, or copy each code, before you leave it. A lost card cannot be "
        "printed again: the person gets a new one.",
        f"For person {rows[0].person}, {rows[0].about}." if len(rows) == 1 else
        "The last sheet says which card is whose. Print it apart from the cards.",
        "Fold each card at its dotted lines: first the top back, then the rest in half. Outside is the name alone.",
    ]  # fmt: skip
    title = "Their card" if len(issued) == 1 else f"{len(issued)} cards"
    bar = {"home": near["home"], "where": near["where"], "title": title, "said": said}
    drawn = cards.sheet(faces, rows, bar=bar, style=style_address(), **shown)
    database.commit()
    if forms.wants_pdf(form):
        try:
            return saved(printing.pdf(cards.sheet(faces, rows, **shown)), "cards.pdf")
        except Exception:
            said.insert(0, "The PDF could not be made. Print the cards from here instead.")
            return cards.sheet(faces, rows, bar=bar, style=style_address(), **shown)
    return drawn


def style_address() -> str:
    """Where the printed documents' style sheet is."""
    return str(current_app.jinja_env.globals["asset"](printing.STYLE))  # type: ignore[operator]


def saved(content: bytes, name: str) -> Response:
    """A PDF to save: never shown in the browser, which might ask for it again."""
    return Response(
        content, mimetype="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def about(card: register.NewCard) -> str:
    """For whom a card is, as far as anyone here knows."""
    known = [forms.ROLE_LABELS[card.role], card.agency, card.level]
    return ", ".join(one for one in known if one)


def grouped(number: str) -> str:
    """A person's number as people read it."""
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))


def whereabouts(where: Review | Site) -> dict[str, Any]:
    """What a page about people calls where they are, and the page it goes back to."""
    if isinstance(where, Site):
        return {"where": f"{where.name}, outside its reviews", "home": url_for("trial.site_people", site_id=where.id)}
    site = found(Site, where.site_id)
    return {"where": f"{where.label}, {site.name}", "home": url_for("trial.review", review_id=where.id)}


def place_of(where: Review | Site, person_id: str) -> register.Place:
    """A person's place there; somebody of another review is a 404."""
    place = next((one for one in register.places(access.database(), where) if one.person_id == person_id), None)
    if place is None:
        abort(404)
    return place


def lead_of(site_id: str) -> StaffUser | None:
    """The named lead of a site, where there is one whose account is open."""
    lead_id = roster.rules_of(access.database(), site_id).lead_id
    lead = None if lead_id is None else access.database().get(StaffUser, lead_id)
    return lead if lead is not None and lead.disabled_at is None else None


def leads_here(site_id: str) -> bool:
    """Whether this member of staff is the named lead of a site."""
    lead = lead_of(site_id)
    return lead is not None and lead.id == access.staff().id


def facts_in(form: forms.ReviewFacts) -> dict[str, Any]:
    """What a form says of a review."""
    return {
        "outcome": form.outcome.data,
        "trigger": form.trigger.data,
        "triggered_on": form.triggered_on.data,
        "reported_on": form.reported_on.data,
        "contact_days": form.contact_days.data,
        "model_version": form.model_version.data or None,
    }


def found(table: type[Row], key: str) -> Row:
    """A row by its key; an unknown one is a 404 like any other."""
    row = access.database().get(table, key)
    if row is None:
        abort(404)
    return row


def page(name: str, form: forms.StaffForm, *, status: int | None = None, **context: Any) -> Page:
    """A form's page: as it stands, or with what has to be mended."""
    answer = render_template(f"trial/{name}.html", form=form, **context)
    return answer, status or (WRONG if form.errors else 200)


def done(message: str, where: str) -> Page:
    """Keep what was done, say so, and go on."""
    access.database().commit()
    flash(message, "done")
    return redirect(where, 303)


def by_whom() -> dict[str, Any]:
    """Who does something and when, for the record."""
    return {"actor": access.staff().id, "now": access.now()}
