"""The funder's one page, in English or Welsh: the latest release of a trial, and not a number from anywhere else."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import Domain, format_date

from evalapp import access, findings, languages, releases
from evalapp.access import Permission, requires
from evalapp.dashboard import release_words
from evalapp.dashboard.page import Chart, Page, choose_trial, csv_of, pages, trial_of
from evalapp.dashboard.release_pictures import Reader, Shown
from evalapp.figures import draw
from evalapp.models import Release, Trial
from evalapp.wording import N_

# The page's texts have a catalogue of their own: funder.po.
_catalogue = Domain(domain="funder")
# Texts that come from a plan, a register or a table, so that translators find them.
FROM_ELSEWHERE = (
    N_("Freedom from blame"), N_("Morale"), N_("Freedom from blame in this review"), N_("Parents affirmed"),
    N_("Hard things talked about"), N_("Parents who were recognised, affirmed, built upon and heard"),
    N_("Parents who felt like a failure"), N_("Parents who felt blamed"), N_("Parents who did not feel safe to speak"),
    N_("Professionals who say hard things were steered around"), N_("Professionals who left feeling smaller"),
    N_("Fidelity to the appreciative way"), N_("Reviews of high fidelity"), N_("Days on which people met"),
    N_("The time from trigger to report"), N_("Reviews that brought a new idea"),
    N_("Actions begun without being told"),
    N_("Appreciative"), N_("Traditional"),
    N_("Site survey"), N_("Before"), N_("Just after"), N_("Three months"), N_("A year"),
    N_("at the site survey"), N_("before the review"), N_("just after the review"), N_("three months after the review"),
    N_("a year after the review"),
    N_("Sites"), N_("Case reviews"), N_("Case reviews begun"), N_("Professionals"), N_("Parents and carers"), N_("Young people"),
    N_("to"), N_("not shown"), N_("Likely range"), N_("in 10"), N_("people in 10"), N_("People in ten who"), N_("People in 10"),
    N_("Means with 95 per cent intervals"), N_("Estimates with 95 per cent intervals"), N_("What"),
    N_("Row"), N_("Group"), N_("When"), N_("Mean"), N_("Interval from"), N_("Interval to"), N_("Why there is no number"),
    N_("Week"), N_("So far"), N_("Foreseen by then"),
)  # fmt: skip
# The frame around the page (templates/staff.html) and its menu (trial/menu.py), which on other pages are in English alone.
FRAME = (
    N_("Skip to the main content"), N_("Sign out"), N_("Staff pages"), N_("Start"), N_("Sites"), N_("Reviews and people"),
    N_("Board"), N_("Outcomes"), N_("Releases"), N_("Funder page"), N_("Accounts"),
    N_(
        "Evalapp compares ways of reviewing cases. What you see here is confidential: sign out when you leave this screen."
    ),
)  # fmt: skip


def say(text: str) -> str:
    """A text of the page in the language being read; what is not in the catalogue stays as it is."""
    return str(_catalogue.gettext(text)) if text else ""


@pages.get("/funder/", defaults={"slug": None}, endpoint="funder")
@pages.get("/funder/<slug>", endpoint="funder")
@requires(Permission.SEE_RELEASE)
def funder(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.funder", "Funder page")
    language = _language()
    trial = trial_of(slug)
    last = releases.latest(access.database(), trial.id)
    about = {"trial": trial, "_": say, "frame_words": say, "page_language": language, "switch": _switch(slug, language)}
    if last is None:
        ways = release_words.ways_of([label for _, label in findings.arms_of(trial)], say)
        plan = findings.plan_of(trial)
        planned = plan.planned_sites if plan else trial.planned_sites
        design = plan.design if plan else trial.design
        return render_template("dashboard/funder_empty.html", ways=ways, planned=planned, design=design, **about)
    content = releases.content_of(last)
    about |= {"content": content, "published": _day(content["published_on"]), "opens": _day(content["opens_on"])}
    if release_words.is_earlier_form(content):
        return render_template("dashboard/funder_earlier.html", outcomes=_outcomes(content), **about)
    reader = Reader(content, say, english=language == "en")
    return render_template(
        "dashboard/funder.html", reader=reader, short=reader.short(), certainty=reader.certainty(),
        own_scales=release_words.has_own_scales(content), chart_of=_charts(trial, language), **about,
    )  # fmt: skip


@pages.get("/funder/<slug>/<name>.csv")
@requires(Permission.SEE_RELEASE)
def funder_csv(slug: str, name: str) -> Page:
    language = _language()
    last = releases.latest(access.database(), trial_of(slug).id)
    found = _figures(last)
    if name not in found:
        abort(404)
    table = draw(found[name].figure, name, None if language == "en" else say).table
    return csv_of(table, f"{slug}-{name}")


def _figures(last: Release | None) -> dict[str, Shown]:
    content: dict[str, Any] | None = releases.content_of(last) if last else None
    if content is None or release_words.is_earlier_form(content):
        return {}
    return Reader(content, say, english=languages.current() == "en").figures()


def _charts(trial: Trial, language: str) -> Callable[[Shown], Chart]:
    """Draws a figure of the page, in its language."""
    more: dict[str, Any] = {} if language == "en" else {"language": language}

    def drawn(one: Shown) -> Chart:
        link = url_for("dashboard.funder_csv", slug=trial.slug, name=one.name, **more)
        return Chart(one.finding, draw(one.figure, one.name, None if language == "en" else say), link)

    return drawn


def _outcomes(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [content["parts"][key] for key in content["order"] if key.startswith("outcome/")]


def _language() -> str:
    """The address says which language; nothing is kept, so that an address always shows the same page."""
    wanted = request.args.get("language", "en")
    languages.choose(wanted if wanted in languages.REPORTED else "en", keep=False)
    return languages.current()


def _switch(slug: str, language: str) -> list[tuple[str, str, str]]:
    """(code, name, address) of the languages the page can be read in besides this one."""
    asked: dict[str, dict[str, Any]] = {code: {} if code == "en" else {"language": code} for code in languages.REPORTED}
    return [
        (code, languages.LANGUAGES[code], url_for("dashboard.funder", slug=slug, **asked[code]))
        for code in languages.REPORTED
        if code != language
    ]


def _day(written: str | None) -> str:
    return "" if written is None else str(format_date(date.fromisoformat(written), "d MMMM y"))
