"""The evaluator's pages of everything that was asked: scales, questions, who did not answer, and reliability."""

from __future__ import annotations

from typing import Any

from flask import abort, render_template, request, url_for

from analysis.errors import BadData
from analysis.plan import Plan
from analysis.question import Design
from evalapp import access, findings
from evalapp.access import Permission, requires
from evalapp.dashboard import agreement, items, missingness, pictures, reliability
from evalapp.dashboard.items import Arms, Counts, Family, Named, View
from evalapp.dashboard.page import Chart, Page, chart, choose_trial, csv_of, opening, pages, trial_of
from evalapp.findings import Answer, Measured
from evalapp.kept import kept
from evalapp.models import Trial


@pages.get("/dashboard/questions", defaults={"slug": None}, endpoint="questions")
@pages.get("/dashboard/<slug>/questions", endpoint="questions")
@requires(Permission.SEE_RESULTS)
def questions(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.questions", "Questions")
    trial = trial_of(slug)
    plan = _plan(trial)
    found = items.families(access.database(), trial)
    return render_template(
        "dashboard/questions.html", trial=trial, families=found, waves=findings.WAVE_NAMES,
        planned={(one.name, code) for one in found for code in one.scales if items.planned_outcome(plan, one, code)},
    )  # fmt: skip


@pages.get("/dashboard/<slug>/questions/<family>")
@requires(Permission.SEE_RESULTS)
def family(slug: str, family: str) -> Page:
    """How many answered each question of a questionnaire, and how many did not, wave by wave; never by arm."""
    trial = trial_of(slug)
    asked = _family(trial, family)
    counts = _counts(trial, asked, list(asked.items), by_arm=False)
    return render_template(
        "dashboard/family.html", trial=trial, family=asked, counts=items.item_counts(asked, counts),
        waves=findings.WAVE_NAMES,
    )  # fmt: skip


@pages.get("/dashboard/<slug>/questions/<family>/<scale>")
@requires(Permission.SEE_RESULTS)
def scale(slug: str, family: str, scale: str) -> Page:
    trial = trial_of(slug)
    view, counts = _look(trial, family, scale)
    page = _page(view)
    link = {"slug": slug, "family": family, "scale": scale, "wave": view.wave, "sites": page}
    found = _compared(trial, view) if request.args.get("compare") == "yes" and view.by_arm else None
    named = items.figures(view, counts, page)
    if found and found[0].comparison and found[0].effect:
        named["methods"] = ("The same difference by every method.", pictures.methods(found[0].comparison, found[1]))
    charts = _charts("dashboard.scale_csv", named, link)
    comparison = found[0].comparison if found else None
    return render_template(
        "dashboard/scale.html", trial=trial, view=view, charts=charts, page=page, opens=opening(trial),
        waves=findings.WAVE_NAMES, phrases=findings.WAVE_PHRASES, found=found[0] if found else None,
        facts=_facts(*found) if found else [], why_not=found[1].why_not if found else "",
        others=pictures.other_methods(comparison, found[1]) if comparison and found else [],
        validation=view.family.instruments[view.wave].validation,
    )  # fmt: skip


@pages.get("/dashboard/<slug>/questions/<family>/<scale>/<name>.csv")
@requires(Permission.SEE_RESULTS)
def scale_csv(slug: str, family: str, scale: str, name: str) -> Page:
    trial = trial_of(slug)
    if name == "reliability":
        found = _reliability(trial, _family(trial, family), scale)
        return csv_of(reliability.table(found), f"{slug}-{family}-{scale}-reliability")
    view, counts = _look(trial, family, scale)
    if name == "methods" and view.by_arm:
        answer, how = _compared(trial, view)
        if answer.comparison is None:
            abort(404)
        return csv_of(pictures.method_table(answer.comparison, how), f"{slug}-{family}-{scale}-methods")
    figure = items.figures(view, counts, _page(view)).get(name)
    if figure is None:
        abort(404)
    return csv_of(figure[1].table(), f"{slug}-{family}-{scale}-{name}")


@pages.get("/dashboard/<slug>/questions/<family>/<scale>/reliability")
@requires(Permission.SEE_RESULTS)
def scale_reliability(slug: str, family: str, scale: str) -> Page:
    trial = trial_of(slug)
    asked = _family(trial, family)
    found = _reliability(trial, asked, scale)
    csv = url_for("dashboard.scale_csv", slug=slug, family=family, scale=scale, name="reliability")
    title = asked.scales[scale].title
    drawn = chart("alpha", reliability.finding(found), reliability.figure(found, title), csv) if found else None
    return render_template(
        "dashboard/reliability.html", trial=trial, family=asked, code=scale, title=title, drawn=drawn, csv=csv,
        groups=[(one, reliability.coefficients(one), reliability.lines(one), reliability.warnings(one)) for one in found],
        validation=next(iter(asked.instruments.values())).validation,
    )  # fmt: skip


@pages.get("/dashboard/<slug>/questions/<family>/items/<item>")
@requires(Permission.SEE_RESULTS)
def item(slug: str, family: str, item: str) -> Page:
    trial = trial_of(slug)
    asked, arms, counts = _item(trial, family, item)
    by_arm = findings.is_open(trial, access.now())
    found = asked.items[item]
    named = items.item_figures(arms, asked, found, counts, by_arm=by_arm)
    charts = _charts("dashboard.item_csv", named, {"slug": slug, "family": family, "item": item})
    return render_template(
        "dashboard/item.html", trial=trial, family=asked, item=found, charts=charts, by_arm=by_arm, opens=opening(trial),
        table=items.answer_table(arms, asked, found, counts, by_arm=by_arm),
        scales=[one for one in asked.scales.values() if item in one.items],
    )  # fmt: skip


@pages.get("/dashboard/<slug>/questions/<family>/items/<item>/<name>.csv")
@requires(Permission.SEE_RESULTS)
def item_csv(slug: str, family: str, item: str, name: str) -> Page:
    trial = trial_of(slug)
    asked, arms, counts = _item(trial, family, item)
    by_arm = findings.is_open(trial, access.now())
    figure = items.item_figures(arms, asked, asked.items[item], counts, by_arm=by_arm).get(name)
    if figure is None:
        abort(404)
    return csv_of(figure[1].table(), f"{slug}-{family}-{item}-{name}")


@pages.get("/dashboard/missing", defaults={"slug": None}, endpoint="missing")
@pages.get("/dashboard/<slug>/missing", endpoint="missing")
@requires(Permission.SEE_RESULTS)
def missing(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.missing", "Who did not answer")
    trial = trial_of(slug)
    by = _asked_by(trial)
    found, waves, wave = _missing(trial, by)
    link = url_for("dashboard.missing_csv", slug=slug, by=by, wave=wave or None)
    drawn = chart("missing", missingness.finding(found, by), missingness.figure(found, by), link) if found else None
    is_open = findings.is_open(trial, access.now())
    return render_template(
        "dashboard/missing.html", trial=trial, by=by, ways=_ways(trial), drawn=drawn, waves=waves, wave=wave,
        names=findings.WAVE_NAMES, table=missingness.table(found, by), everyone=missingness.everyone(found), csv=link,
        gaps=missingness.gaps(found) if by == "arm" else [], is_open=is_open, opens=opening(trial),
        telling=missingness.TELLING,
    )  # fmt: skip


@pages.get("/dashboard/<slug>/missing.csv")
@requires(Permission.SEE_RESULTS)
def missing_csv(slug: str) -> Page:
    trial = trial_of(slug)
    by = _asked_by(trial)
    found, _, _ = _missing(trial, by)
    return csv_of(missingness.table(found, by), f"{slug}-missing-by-{by}")


@pages.get("/dashboard/<slug>/fidelity")
@requires(Permission.SEE_RESULTS)
def fidelity(slug: str) -> Page:
    """How far those who scored the same review agree."""
    trial = trial_of(slug)
    found = _agreement(trial)
    csv = url_for("dashboard.fidelity_csv", slug=slug)
    drawn = chart("agreement", agreement.finding(found), agreement.figure(found), csv) if found.known else None
    return render_template(
        "dashboard/agreement.html", trial=trial, found=found, drawn=drawn, csv=csv, coverage=agreement.coverage(found),
        leaning=agreement.leaning(found), fewest=agreement.FEWEST, opens=opening(trial),
        is_open=findings.is_open(trial, access.now()),
    )  # fmt: skip


@pages.get("/dashboard/<slug>/fidelity.csv")
@requires(Permission.SEE_RESULTS)
def fidelity_csv(slug: str) -> Page:
    return csv_of(agreement.table(_agreement(trial_of(slug))), f"{slug}-fidelity-agreement")


def _agreement(trial: Trial) -> agreement.Found:
    session, plan = access.database(), _plan(trial)
    level, by_arm = plan.level if plan else 0.95, findings.is_open(trial, access.now())
    key = (trial.id, "agreement", str(level), str(by_arm))
    found: agreement.Found = kept(session, key, lambda: agreement.found(session, trial, level, by_arm=by_arm))
    return found


def _family(trial: Trial, name: str) -> Family:
    found = next((one for one in items.families(access.database(), trial) if one.name == name), None)
    if found is None:
        abort(404)
    return found


def _look(trial: Trial, family: str, code: str) -> tuple[View, Counts]:
    """A scale at the wave asked for, and the answers to its statements; arms end here while results are closed."""
    asked = _family(trial, family)
    wave = request.args.get("wave", "")
    if code not in asked.scales or (wave and wave not in asked.waves_of(code)):
        abort(404)
    by_arm = findings.is_open(trial, access.now())
    view = items.look(access.database(), trial, _plan(trial), asked, code, wave, by_arm=by_arm)
    return view, _counts(trial, asked, list(view.scale.items), by_arm=by_arm)


def _counts(trial: Trial, family: Family, codes: list[str], *, by_arm: bool) -> Counts:
    session = access.database()
    key = (trial.id, family.name, "answers", str(by_arm), *codes)
    counts: Counts = kept(session, key, lambda: items.counts(session, trial, family, codes, by_arm=by_arm))
    return counts


def _item(trial: Trial, family: str, code: str) -> tuple[Family, Arms, Counts]:
    asked = _family(trial, family)
    if code not in asked.items:
        abort(404)
    by_arm = findings.is_open(trial, access.now())
    return asked, findings.arms_of(trial), _counts(trial, asked, [code], by_arm=by_arm)


def _reliability(trial: Trial, family: Family, code: str) -> list[reliability.Group]:
    if code not in family.scales:
        abort(404)
    session, plan = access.database(), _plan(trial)
    level = plan.level if plan else 0.95
    key = (trial.id, family.name, "reliability", code)
    found: list[reliability.Group] = kept(session, key, lambda: reliability.groups(session, trial, family, code, level))
    return found


def _compared(trial: Trial, view: View) -> tuple[Answer, Measured]:
    """The groups compared on a scale by the plan's own methods, outside the plan: for an open trial alone."""
    session, plan = access.database(), _plan(trial)
    used = plan or Plan(_design(trial), trial.planned_sites, 0.05, 0.95, 1, (view.how.outcome,))
    how = items.exploratory(session, trial, view, used.design)
    table = findings.wide(findings.scores(session, trial, how), how)
    return findings.answer(session, trial, used, how, table), how


def _facts(found: Answer, how: Measured) -> list[tuple[str, str]]:
    """The facts of a comparison, told as what it is: not in the plan."""
    told = dict(pictures.facts(found, how))
    if told:
        told["Status"] = "Exploratory: not in the plan"
    return list(told.items())


def _charts(endpoint: str, named: Named, link: dict[str, Any]) -> dict[str, Chart]:
    return {
        name: chart(name, finding, figure, url_for(endpoint, name=name, **link))
        for name, (finding, figure) in named.items()
    }


def _page(view: View) -> int:
    """Which page of sites is asked for; the first where that is none."""
    page = request.args.get("sites", 1, type=int)
    return page if 1 <= page <= view.pages else 1


def _plan(trial: Trial) -> Plan | None:
    """The trial's plan; None where there is none that can be read, which the outcomes' page tells."""
    try:
        return findings.plan_of(trial)
    except BadData:
        return None


def _design(trial: Trial) -> Design:
    return "randomised" if trial.design == "randomised" else "nonrandomised"


def _ways(trial: Trial) -> dict[str, str]:
    """By what the answers missing may be told apart: not by arm before its day."""
    is_open = findings.is_open(trial, access.now())
    return {code: label for code, label in missingness.BY.items() if is_open or code != "arm"}


def _asked_by(trial: Trial) -> str:
    ways = _ways(trial)
    by = request.args.get("by", "arm" if "arm" in ways else "role")
    if by not in ways:
        abort(404)
    return by


def _missing(trial: Trial, by: str) -> tuple[list[missingness.Line], list[str], str]:
    """The lines, the waves that have opened, and the only wave shown (one at a time by site, or the page grows long)."""
    session, today = access.database(), access.today()
    key = (trial.id, "missing", by, today.isoformat())
    found: list[missingness.Line] = kept(session, key, lambda: missingness.lines(session, trial, by, today))
    waves = list(dict.fromkeys(one.wave for one in found))
    if by != "site" or not waves:
        return found, waves, ""
    wave = request.args.get("wave", waves[-1])
    if wave not in waves:
        abort(404)
    return [one for one in found if one.wave == wave], waves, wave
