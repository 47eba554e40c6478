"""The staff's pages about paper: printing questionnaires, typing in what came back, settling what differs."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from sqlalchemy import select

from evalapp import access, responses
from evalapp.access import Permission, requires
from evalapp.languages import LANGUAGES
from evalapp.models import Assignment, PaperEntry, Review, Site, Wave
from evalapp.paper import entry, keys, printing, questionnaire
from evalapp.paper.entry import (
    CONSENT,
    DAY,
    ChangedMeanwhile,
    Held,
    NotAsked,
    Settled,
    Typed,
    TypedByOthers,
    Unfinished,
)
from evalapp.responses import Given
from evalapp.shelf import shelf
from evalapp.trial import forms
from evalapp.trial.menu import opens
from evalapp.trial.routes import Page, by_whom, done, found, page, pages, place_of, saved, style_address, whereabouts
from instruments import Instrument, Item

SAID = {"yes": "Ticked yes", "no": "Ticked no", "none": "Neither box is ticked"}
CONSENT_KEYS = {**{key: code for code, key in questionnaire.SAID.items()}, questionnaire.BLANK: "none"}
OUTCOMES = {
    "waiting": ("done", "Your entry is kept. Now somebody else has to type the same paper."),
    "stored": ("done", "Both entries agree. The paper is stored, and what was typed apart from it is deleted."),
    "unused": ("done", "Neither box was ticked, so nothing is stored. They can be asked again."),
    "held": (
        "warning",
        "This person has answered in another way too. Both are kept and nothing was overwritten. An evaluator decides "
        "which counts.",
    ),
}
NOT_NOW = "This paper was settled before. Nothing was changed."
TAKEN = "Two other people type this paper already, so a third is not needed."
NOT_PRINTED = "Nothing can be printed for this person as things are. Ask whoever leads the review at the site."
RULED_OUT = "These questions may not be asked of this person any more. Keep the paper with the trial's records, unread."


@pages.get("/staff/questionnaires")
@requires(Permission.PRINT_PAPER)
def blank_paper() -> Page:
    """A questionnaire for nobody in particular: chosen, looked at, printed. Nothing is kept of it."""
    chosen = shelf()
    named = {one.name: one for one in chosen if one.asked}
    form = forms.PaperOf(request.args if "name" in request.args else None)
    form.name.choices = forms.labelled(
        (name, f"{name.replace('_', ' ').capitalize()}: {named[name].title}") for name in named
    )
    form.language.choices = forms.labelled(LANGUAGES.items())
    if "name" not in request.args or not form.validate():
        return page("print_blank", form)
    instrument = chosen.latest(form.name.data)
    if form.language.data not in instrument.languages:
        form.refuse("language", f"It is not in {LANGUAGES[form.language.data]} yet.")
        return page("print_blank", form)
    instrument = instrument.in_language(form.language.data).filled({"year": str(access.today().year)})
    words = form.words.data == "yes"
    return to_print(instrument, form, words_read=words, home=url_for("trial.blank_paper"), where="Questionnaires")


@pages.route("/staff/people/<review_id>/<person_id>/paper", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def paper_for(review_id: str, person_id: str) -> Page:
    return paper_of(found(Review, review_id), person_id)


@pages.route("/staff/sites/<site_id>/people/<person_id>/paper", methods=["GET", "POST"])
@requires(Permission.MANAGE_PEOPLE)
def paper_for_at_site(site_id: str, person_id: str) -> Page:
    return paper_of(found(Site, site_id), person_id)


def paper_of(where: Review | Site, person_id: str) -> Page:
    """A questionnaire for one person: a new serial each time, tied to what they are asked."""
    database = access.database()
    place = place_of(where, person_id)
    query = select(Assignment, Wave).join(Wave, Wave.id == Assignment.wave_id)
    rows = database.execute(query.where(Assignment.membership_id == place.membership_id).order_by(Wave.position)).all()
    asked = {assignment.id: (assignment, wave) for assignment, wave in rows}
    form = forms.PaperFor()
    form.assignment.choices = forms.labelled(
        (
            key,
            f"{forms.WAVE_LABELS[wave.code]}: {shelf().get(one.instrument, one.version).title}, "
            f"{one.opens_on:%-d %B %Y} to {one.closes_on:%-d %B %Y}",
        )
        for key, (one, wave) in asked.items()
    )
    form.language.choices = forms.labelled(LANGUAGES.items())
    context: dict[str, Any] = {"place": place, "roles": forms.ROLE_LABELS, **whereabouts(where)}
    if form.validate_on_submit() and forms.wants_pdf(form):
        forms.refuse_without_pdf(form)
    if not form.is_submitted() or form.errors:
        return page("print_paper", form, **context)
    assignment = asked[form.assignment.data][0]
    instrument = entry.in_language(database, assignment, form.language.data)
    if instrument.language != form.language.data:
        form.refuse("language", f"It may not be offered in {LANGUAGES[form.language.data]} yet.")
        return page("print_paper", form, **context)
    try:
        paper = entry.issue(database, assignment, language=instrument.language, **by_whom())
    except NotAsked:
        form.refuse("assignment", NOT_PRINTED)
        return page("print_paper", form, **context)
    database.commit()
    return to_print(
        instrument, form, words_read=paper.words_read, serial=entry.spaced(paper.serial), home=context["home"],
        where=context["where"],
    )  # fmt: skip


def to_print(
    instrument: Instrument, form: forms.PaperForm, *, words_read: bool, home: str, where: str, serial: str | None = None
) -> Page:
    """A questionnaire as a page to print from, or as a PDF to save."""
    how: dict[str, Any] = {"words_read": words_read, "large": form.size.data == "large", "serial": serial}
    if forms.wants_pdf(form) and not forms.refuse_without_pdf(form):
        content = printing.pdf(questionnaire.printed(instrument, **how), foot=serial or "")
        return saved(content, f"{instrument.name}-{instrument.language}.pdf")
    said = ["Print this page on A4, on one side of the sheet."]
    if serial:
        said.append(f"Its number is {serial}: it stands on every sheet, and only this trial's records say whose it is.")
    bar = {"home": home, "where": where, "title": "A questionnaire on paper", "said": said}
    return questionnaire.printed(instrument, bar=bar, style=style_address(), **how)


@pages.route("/staff/paper", methods=["GET", "POST"])
@requires(Permission.ENTER_PAPER)
def papers() -> Page:
    """Type a paper's serial to begin, or go on with one under way."""
    database = access.database()
    form = forms.Serial()
    if form.validate_on_submit():
        paper = entry.of_serial(database, form.serial.data)
        if paper is None:
            form.refuse("serial", "No paper has this number. It stands at the top of every sheet, like 7K2M-9QXR.")
        elif paper.state == "held":
            form.refuse("serial", OUTCOMES["held"][1])
        elif paper.state != "out":
            form.refuse("serial", NOT_NOW)
        else:
            return opened(paper.id, form)
    return papers_page(form)


def papers_page(form: forms.Serial) -> Page:
    decides = opens("trial.paper_decision")
    listed = entry.papers_for(access.database(), access.staff().id, decides=decides)
    return page("papers", form, listed=listed)


def opened(paper_id: str, form: forms.Serial) -> Page:
    """The caller's own entry of a paper; the differences, where two people have typed it."""
    database = access.database()
    if entry.two_entries(database, paper_id, vault=access.vault()) is not None:
        return redirect(url_for("trial.paper_differences", paper_id=paper_id), 303)
    try:
        own = entry.begin(database, paper_id, access.staff().id, vault=access.vault(), now=access.now())
    except (TypedByOthers, NotAsked, Settled) as error:
        database.rollback()
        form.refuse("serial", {TypedByOthers: TAKEN, NotAsked: RULED_OUT}.get(type(error), NOT_NOW))
        return papers_page(form)
    if own.finished:
        form.refuse("serial", "You have typed this paper. Somebody else has to type it a second time.")
        return papers_page(form)
    database.commit()
    return redirect(url_for("trial.paper_entry", paper_id=paper_id, number=0), 303)


@pages.route("/staff/paper/<paper_id>/<int:number>", methods=["GET", "POST"])
@requires(Permission.ENTER_PAPER)
def paper_entry(paper_id: str, number: int) -> Page:
    """One part of a paper: 0 is its first page, with the consent and the day; then a page a part."""
    held = paper_with(paper_id)
    parts = questionnaire.parts(held.instrument, words_read=held.paper.words_read)
    if number > len(parts):
        abort(404)
    own = entry.own_entry(access.database(), paper_id, access.staff().id)
    if own is None or own.finished or held.paper.state != "out":
        return not_mine_to_type(paper_id, own)
    items = () if number == 0 else tuple(one for one in parts[number - 1][1] if one.kind != "information")
    if request.method != "POST":
        typed = entry.typed_in(own, vault=access.vault())
        return entry_page(held, number, texts=texts_of(held, items, typed), faults={})
    return kept_page(held, number, items, last=len(parts))


def not_mine_to_type(paper_id: str, own: PaperEntry | None) -> Page:
    """Where the caller has no entry to go on with: where the paper stands, also when "finish" was pressed twice."""
    if request.method == "POST" and own is not None:
        return ended(paper_id)
    flash(NOT_NOW if own is None else OUTCOMES["waiting"][1], "warning")
    return redirect(url_for("trial.papers"), 303)


def kept_page(held: Held, number: int, items: tuple[Item, ...], *, last: int) -> Page:
    """Keep what was typed on a page, even where something on it is wrong, and go on, back, or to the end."""
    paper_id = held.paper.id
    texts = {name: request.form.get(name, "") for name in ([one.code for one in items] if number else [CONSENT, DAY])}
    change, faults = answers(held, items, texts) if number else first_page(held, texts)
    try:
        after = entry.keep(
            access.database(), paper_id, access.staff().id, change, vault=access.vault(), now=access.now()
        )
    except Settled:
        return ended(paper_id)
    access.database().commit()
    back = request.form.get("go") == "back"
    if faults and not back:
        return entry_page(held, number, texts=texts, faults=faults), 422
    if back or (number < last and after.consent == "yes"):
        following = max(number - 1, 0) if back else number + 1
        return redirect(url_for("trial.paper_entry", paper_id=paper_id, number=following), 303)
    return ended(paper_id)


def ended(paper_id: str) -> Page:
    """Finish the caller's entry and say where the paper stands now."""
    database = access.database()
    held = paper_with(paper_id)
    if held.paper.state in OUTCOMES:
        flash(*reversed(OUTCOMES[held.paper.state]))
        return redirect(url_for("trial.papers"), 303)
    try:
        stands = entry.finish(database, paper_id, access.staff().id, vault=access.vault(), now=access.now())
    except Unfinished:
        database.rollback()
        flash("A part of this paper is not typed yet.", "warning")
        return redirect(url_for("trial.paper_entry", paper_id=paper_id, number=unfinished(held)), 303)
    except (Settled, NotAsked, responses.NotOpen, responses.AlreadyAnswered) as error:
        return refused(error)
    return concluded(paper_id, stands)


def concluded(paper_id: str, stands: str) -> Page:
    access.database().commit()
    if stands == "differs":
        flash(
            "Both of you have typed this paper, and not all of it is the same. Decide with the paper in hand.",
            "warning",
        )
        return redirect(url_for("trial.paper_differences", paper_id=paper_id), 303)
    flash(*reversed(OUTCOMES[stands]))
    return redirect(url_for("trial.papers"), 303)


def refused(error: Exception) -> Page:
    """What could not be done is said, and nothing of it is kept."""
    access.database().rollback()
    said = {
        NotAsked: RULED_OUT,
        responses.NotOpen: "The day on the paper lies outside the days on which it is asked. Nothing was stored.",
        responses.AlreadyAnswered: "This person has said no in another way, and a no is final. Only that can count.",
        ChangedMeanwhile: "The entries were changed since you opened this page. Look at them again.",
        Unfinished: "Decide on every difference.",
    }
    flash(said.get(type(error), NOT_NOW), "warning")
    return redirect(url_for("trial.papers"), 303)


@pages.post("/staff/paper/<paper_id>/again")
@requires(Permission.ENTER_PAPER)
def paper_again(paper_id: str) -> Page:
    """Delete one's own entry, to type it anew or leave it to somebody else."""
    paper_with(paper_id)
    try:
        entry.start_again(access.database(), paper_id, access.staff().id, now=access.now())
    except Settled as error:
        return refused(error)
    return done("Your entry of this paper is deleted.", url_for("trial.papers"))


@pages.route("/staff/paper/<paper_id>/differences", methods=["GET", "POST"])
@requires(Permission.ENTER_PAPER)
def paper_differences(paper_id: str) -> Page:
    """What two people typed differently, beside each other, to be decided with the paper in hand."""
    held = paper_with(paper_id)
    both = entry.two_entries(access.database(), paper_id, vault=access.vault())
    if both is None or held.paper.state != "out":
        flash(*reversed(OUTCOMES.get(held.paper.state, ("warning", "Two people have to type this paper first."))))
        return redirect(url_for("trial.papers"), 303)
    differing = entry.differing(held, *both)
    if request.method != "POST":
        return differences_page(held, both, differing, faults={})
    chosen, faults = decisions(held, both, differing)
    if faults:
        return differences_page(held, both, differing, faults=faults), 422
    try:
        stands = entry.settle(
            access.database(), paper_id, chosen, request.form.get("basis", ""), vault=access.vault(), **by_whom()
        )
    except (Settled, NotAsked, ChangedMeanwhile, Unfinished, responses.NotOpen) as error:
        return refused(error)
    return concluded(paper_id, stands)


@pages.route("/staff/paper/<paper_id>/decision", methods=["GET", "POST"])
@requires(Permission.DECIDE_PAPER)
def paper_decision(paper_id: str) -> Page:
    """Which counts, where somebody answered on paper and in another way too. The answers are not shown."""
    held = paper_with(paper_id)
    form = forms.PaperDecision()
    if held.paper.state != "held":
        flash(NOT_NOW, "warning")
        return redirect(url_for("trial.papers"), 303)
    if not form.validate_on_submit():
        return page("paper_decision", form, serial=entry.spaced(held.paper.serial), title=held.instrument.title)
    try:
        stands = entry.decide(
            access.database(), paper_id, paper_counts=form.counts.data == "paper", vault=access.vault(), **by_whom()
        )
    except (Settled, NotAsked, responses.AlreadyAnswered, responses.NotOpen) as error:
        return refused(error)
    said = {"stored": "The paper counts. The other answers are kept sealed with it.",
            "unused": "The other answers count. What was typed from the paper is deleted."}  # fmt: skip
    return done(said[stands], url_for("trial.papers"))


def paper_with(paper_id: str) -> Held:
    held = entry.of_id(access.database(), paper_id)
    if held is None:
        abort(404)
    return held


def unfinished(held: Held) -> int:
    """The first part of which the caller has not typed everything."""
    own = entry.own_entry(access.database(), held.paper.id, access.staff().id)
    typed = Typed() if own is None else entry.typed_in(own, vault=access.vault())
    if typed.consent is None or typed.day is None:
        return 0
    parts = questionnaire.parts(held.instrument, words_read=held.paper.words_read)
    return next(
        (
            number
            for number, (_, items) in enumerate(parts, start=1)
            if any(one.kind != "information" and one.code not in typed.given for one in items)
        ),
        0,
    )


def entry_page(held: Held, number: int, *, texts: Mapping[str, str], faults: Mapping[str, str]) -> str:
    parts = questionnaire.parts(held.instrument, words_read=held.paper.words_read)
    return render_template(
        "trial/paper_entry.html",
        paper=held.paper,
        serial=entry.spaced(held.paper.serial),
        instrument=held.instrument,
        number=number,
        total=len(parts),
        part=parts[number - 1] if number else None,
        texts=texts,
        faults=faults,
        focus=next(iter(faults or texts), ""),  # the fingers stay on the keys
        boxes=questionnaire.boxes,
        refusals=questionnaire.refusals,
        consent_keys=CONSENT_KEYS,
        said=SAID,
    )


def texts_of(held: Held, items: tuple[Item, ...], typed: Typed) -> dict[str, str]:
    """What stands in the boxes of a page: the keys of what was typed there before."""
    key = next((key for key, code in CONSENT_KEYS.items() if code == typed.consent), "")
    if not items:
        return {CONSENT: key, DAY: "" if typed.day is None else keys.day_shown(typed.day)}
    return {one.code: keys.shown(held.instrument, one, typed.given.get(one.code)) for one in items}


def first_page(held: Held, texts: Mapping[str, str]) -> tuple[Typed, dict[str, str]]:
    """The consent and the day, as typed, and what is wrong with them."""
    faults = {}
    consent = CONSENT_KEYS.get(texts[CONSENT].strip())
    if consent is None:
        faults[CONSENT] = f"Type {', '.join(CONSENT_KEYS)}, as the boxes are ticked."
    day = None
    try:
        day = possible_day(held, texts[DAY])
    except ValueError as error:
        faults[DAY] = str(error)
    return Typed(consent, day), faults


def possible_day(held: Held, text: str) -> date:
    """The day a paper was filled in. ValueError when it cannot be, or when the paper came too late to count."""
    day = keys.read_day(text)
    if day > access.today():
        raise ValueError("This day is in the future. Check the day and the year.")
    if not held.opens_on <= day <= held.closes_on:
        raise ValueError(
            f"This is asked from {held.opens_on:%-d %B %Y} to {held.closes_on:%-d %B %Y}. Check the day. If it is "
            "right, the paper does not count: keep it with the trial's records."
        )
    return day


def answers(held: Held, items: tuple[Item, ...], texts: Mapping[str, str]) -> tuple[Typed, dict[str, str]]:
    """A page's answers as typed, and what is wrong with them."""
    given: dict[str, Given] = {}
    faults = {}
    for item in items:
        try:
            one = keys.read(held.instrument, item, texts[item.code])
        except ValueError as error:
            faults[item.code] = str(error)
            continue
        if one is None:
            faults[item.code] = f"Type what is ticked, or {questionnaire.BLANK} where nothing is."
        else:
            given[item.code] = one
    return Typed(given=given), faults


def differences_page(held: Held, both: tuple[Typed, Typed], differing: list[str], *, faults: Mapping[str, str]) -> str:
    rows = []
    for code in differing:
        if code == CONSENT:
            label, values = "Do you want to take part?", [SAID[one.consent or "none"] for one in both]
        elif code == DAY:
            label, values = "The day on the paper", [f"{one.day:%-d %B %Y}" for one in both]
        else:
            item = held.instrument.item(code)
            label, values = item.text, [keys.in_words(held.instrument, item, one.given[code]) for one in both]
        rows.append((code, label, values))
    return render_template(
        "trial/paper_differences.html",
        rows=rows,
        serial=entry.spaced(held.paper.serial),
        instrument=held.instrument,
        paper=held.paper,
        basis=entry.basis(held.paper.id, both, vault=access.vault()),
        faults=faults,
        sent=request.form,
        plain={CONSENT, DAY},
    )


def decisions(held: Held, both: tuple[Typed, Typed], differing: list[str]) -> tuple[Typed, dict[str, str]]:
    """What was decided on each difference: the first entry, the second, or something typed now."""
    chosen, faults = Typed(), {}
    for code in differing:
        pick = request.form.get(f"{code}-pick")
        taken = {"first": both[0], "second": both[1]}.get(pick or "")
        typed = request.form.get(f"{code}-other", "")
        try:
            one = one_of(taken, code) if taken else typed_now(held, code, typed) if pick == "other" else Typed()
        except ValueError as error:
            faults[code] = str(error)
            continue
        if one == Typed():
            faults[code] = "Choose what the paper says."
        chosen = Typed(chosen.consent or one.consent, chosen.day or one.day, {**chosen.given, **one.given})
    return chosen, faults


def one_of(typed: Typed, code: str) -> Typed:
    """What one of two people typed at one difference."""
    if code == CONSENT:
        return Typed(consent=typed.consent)
    return Typed(day=typed.day) if code == DAY else Typed(given={code: typed.given[code]})


def typed_now(held: Held, code: str, text: str) -> Typed:
    """What the third reading says, typed as on the entry pages. ValueError with a sentence."""
    if code == CONSENT:
        return Typed(consent=CONSENT_KEYS.get(text.strip()))
    if code == DAY:
        return Typed(day=possible_day(held, text))
    one = keys.read(held.instrument, held.instrument.item(code), text)
    return Typed() if one is None else Typed(given={code: one})
