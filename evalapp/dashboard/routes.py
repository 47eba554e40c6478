"""The evaluator's pages: trials, the response board, the comparison of an outcome, releases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from flask import abort, flash, redirect, render_template, request, url_for

from analysis.errors import BadData
from analysis.plan import Outcome, Plan
from evalapp import access, db, findings, releases, responses, roster
from evalapp.access import Permission, requires
from evalapp.dashboard import board as boards
from evalapp.dashboard import flow as flows
from evalapp.dashboard import pictures
from evalapp.dashboard.board import Line
from evalapp.dashboard.page import Chart, Page, all_trials, chart, choose_trial, csv_of, day, opening, pages, trial_of
from evalapp.figures import Drawn, Figure, draw
from evalapp.findings import Answer
from evalapp.kept import kept
from evalapp.models import Trial

if TYPE_CHECKING:
    import pandas as pd

    from analysis.compare import Comparison


@pages.get("/dashboard/")
@requires(Permission.SEE_BOARD)
def home() -> Page:
    return render_template("dashboard/trials.html", trials=all_trials())


@pages.get("/dashboard/responses", defaults={"slug": None}, endpoint="board")
@pages.get("/dashboard/<slug>/responses", endpoint="board")
@requires(Permission.SEE_BOARD)
def board(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.board", "Board")
    trial = trial_of(slug)
    by, filters, whole = _asked_of_board()
    tally = _tally(trial)
    lines = _lines(trial, tally, by, filters, whole=whole)
    page, last = _page_of(lines)
    drawn = None
    if lines:
        asked: dict[str, Any] = {"slug": slug, "by": by, **filters}
        link = url_for("dashboard.board_csv", **asked)
        shown = lines[boards.LINES_A_PAGE * (page - 1) : boards.LINES_A_PAGE * page]
        drawn = chart("board", boards.finding(lines, whole=whole), boards.figure(shown, by), link)
    return render_template(
        "dashboard/board.html", trial=trial, lines=lines, drawn=drawn, by=by, filters=filters, whole=whole,
        page=page, last=last, ways=boards.BY, choices=_choices(tally), expected_any=len(tally) > 0,
        flow=flows.table(_flow(trial)) if whole else None, **_gate(trial, whole=whole),
    )  # fmt: skip


@pages.get("/dashboard/<slug>/responses.csv")
@requires(Permission.SEE_BOARD)
def board_csv(slug: str) -> Page:
    trial = trial_of(slug)
    by, filters, whole = _asked_of_board()
    found = _lines(trial, _tally(trial), by, filters, whole=whole)
    return csv_of(boards.figure(found, by).table(), f"{slug}-responses")


@pages.get("/dashboard/<slug>/flow.csv")
@requires(Permission.SEE_BOARD_WHOLE)
def flow_csv(slug: str) -> Page:
    """What became of everyone expected, by wave."""
    return csv_of(flows.table(_flow(trial_of(slug))), f"{slug}-flow")


@pages.get("/dashboard/<slug>/")
@requires(Permission.SEE_BOARD)
def overview(slug: str) -> Page:
    trial = trial_of(slug)
    sees_results = access.may(access.visitor().role, Permission.SEE_RESULTS)
    plan, problem = _plan(trial)
    return render_template(
        "dashboard/overview.html", trial=trial, plan=plan, problem=problem, sees_results=sees_results,
        last=releases.latest(access.database(), trial.id) if sees_results else None,
        is_open=findings.is_open(trial, access.now()), opens=opening(trial), day=day,
    )  # fmt: skip


@pages.get("/dashboard/outcomes", defaults={"slug": None}, endpoint="outcomes")
@pages.get("/dashboard/<slug>/outcomes", endpoint="outcomes")
@requires(Permission.SEE_RESULTS)
def outcomes(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.outcomes", "Outcomes")
    trial = trial_of(slug)
    plan, problem = _plan(trial)
    return render_template(
        "dashboard/outcomes.html", trial=trial, plan=plan, problem=problem, phrases=findings.WAVE_PHRASES,
        is_open=findings.is_open(trial, access.now()), opens=opening(trial),
    )  # fmt: skip


@pages.get("/dashboard/<slug>/outcomes/<code>")
@requires(Permission.SEE_RESULTS)
def outcome(slug: str, code: str) -> Page:
    trial = trial_of(slug)
    view = _look(trial, code)
    charts = {
        name: Chart(finding, view.drawn[name], url_for("dashboard.outcome_csv", slug=slug, code=code, name=name))
        for name, (finding, _) in view.figures.items()
    }
    found, how = view.found, view.how
    comparison = found.comparison if found else None
    return render_template(
        "dashboard/outcome.html", trial=trial, plan=view.plan, how=how, outcome=how.outcome, charts=charts,
        by_arm=found is not None, opens=opening(trial), found=found, phrases=findings.WAVE_PHRASES,
        facts=pictures.facts(found, how) if found else [],
        counted=pictures.people_counted(found, how) if found else [],
        others=pictures.other_methods(comparison, how) if comparison else [],
        chance=pictures.chance(comparison, how) if comparison else [],
        weights=_weights(comparison), warnings=_warnings(comparison), excluded=_excluded(comparison),
    )  # fmt: skip


@pages.get("/dashboard/<slug>/outcomes/<code>/<name>.csv")
@requires(Permission.SEE_RESULTS)
def outcome_csv(slug: str, code: str, name: str) -> Page:
    view = _look(trial_of(slug), code)
    figure = view.figures.get(name)
    if figure is None:
        abort(404)
    comparison = view.found.comparison if view.found else None
    table = pictures.method_table(comparison, view.how) if name == "methods" and comparison else figure[1].table()
    return csv_of(table, f"{slug}-{code}-{name}")


@pages.get("/dashboard/releases", defaults={"slug": None}, endpoint="releases")
@pages.get("/dashboard/<slug>/releases", endpoint="releases")
@requires(Permission.SEE_RESULTS)
def release_list(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.releases", "Releases")
    trial = trial_of(slug)
    return render_template(
        "dashboard/releases.html", trial=trial, published=releases.every(access.database(), trial.id), day=day,
        is_open=findings.is_open(trial, access.now()), opens=opening(trial),
    )  # fmt: skip


@pages.post("/dashboard/<slug>/releases")
@requires(Permission.PUBLISH)
def publish(slug: str) -> Page:
    trial = trial_of(slug)
    if request.form.get("sure") != "yes":
        flash("Nothing was published. Tick the box first: a release cannot be taken back.", "warning")
        return redirect(url_for("dashboard.releases", slug=slug), 303)
    who = access.staff().id
    access.database().commit()  # what this page holds is let go: working a release out takes seconds
    try:
        with db.reading(access.current_engine()) as reader:
            prepared = releases.prepare(reader, reader.get_one(Trial, trial.id), now=access.now())
        made = releases.store(access.database(), prepared, actor=who, now=access.now())
    except releases.Overtaken:
        flash(
            "Nothing was published: somebody else published a release at this moment. Look at theirs first.", "warning"
        )
    except releases.NobodyAnswered:
        flash("Nothing was published: nobody has answered yet, so there is nothing to show.", "warning")
    except releases.NothingNew:
        flash(
            "Nothing was published: no figure has changed by ten people or more since the last release, so a new "
            "one would say the same.",
            "warning",
        )
    else:
        access.database().commit()
        flash(f"Release {made.number} is published. Funders see it from now on.", "done")
    return redirect(url_for("dashboard.releases", slug=slug), 303)


@dataclass(frozen=True)
class _View:
    """One outcome as its page shows it; without an answer while results are closed, and then with the arms together.

    figures : the page's figures by name, each with its finding; none while nobody has answered.
    """

    plan: Plan
    how: findings.Measured
    found: Answer | None
    figures: dict[str, tuple[str, Figure]]

    @cached_property
    def drawn(self) -> dict[str, Drawn]:
        """The figures as they are drawn: kept with the rest, since 150 sites take a quarter of a second to draw."""
        return {name: draw(figure, name) for name, (_, figure) in self.figures.items()}


def _look(trial: Trial, code: str) -> _View:
    plan, problem = _plan(trial)
    wanted = _outcome_of(plan, code)
    if plan is None or wanted is None or problem:
        abort(404)
    is_open = findings.is_open(trial, access.now())
    key = (trial.id, "outcome", code, "open" if is_open else "closed")
    return kept(access.database(), key, lambda: _view(trial, plan, wanted, is_open=is_open))


def _view(trial: Trial, plan: Plan, outcome: Outcome, *, is_open: bool) -> _View:
    session = access.database()
    how = findings.measured(session, trial, outcome, plan.design)
    frame = findings.scores(session, trial, how)
    if not is_open:
        # Arms end here: nothing below can tell them apart.
        frame = findings.pooled(frame)
        return _View(plan, how, None, _figures(how, plan.level, frame, findings.wide(frame, how), None, {}))
    table = findings.wide(frame, how)
    found = findings.answer(session, trial, plan, how, table)
    names = findings.arm_by_site(session, trial.id)
    return _View(plan, how, found, _figures(how, plan.level, frame, table, found, names))


def _figures(
    how: findings.Measured, level: float, frame: pd.DataFrame, table: pd.DataFrame, found: Answer | None,
    names: dict[str, tuple[str, str | None]],
) -> dict[str, tuple[str, Figure]]:  # fmt: skip
    when = how.when
    if table.empty:
        return {}
    figures: dict[str, tuple[str, Figure]] = {}
    if found and found.effect:
        figures["difference"] = (found.sentence, pictures.difference(found.effect, how))
    spread = f"people {when}" if when else "case reviews"
    groups = "Each group's mean" if found else "The mean of both groups together"
    waves = f"{groups} with its interval{f', {when}' if when else ''}."
    if len(how.waves) > 1:
        waves = f"{groups} with its interval, at each of {len(how.waves)} times."
    figures["profile"] = (waves, pictures.profile(frame, how, level, by_arm=found is not None))
    if found:
        figures["sites"] = (
            f"Each site's mean{f' {when}' if when else ''}, with its interval: how much sites differ within a group.",
            pictures.sites(frame, how, names, level),
        )
    figures["distribution"] = (
        f"How {how.outcome.label.lower()} was spread over {len(table)} {spread}.",
        pictures.distribution(frame, how, level, by_arm=found is not None),
    )
    if found and found.comparison and found.effect:
        figures["methods"] = ("The same difference by every method.", pictures.methods(found.comparison, how))
    return figures


def _plan(trial: Trial) -> tuple[Plan | None, str]:
    """The trial's plan, or what is wrong with it."""
    try:
        return findings.plan_of(trial), ""
    except BadData as error:
        return None, str(error)


def _outcome_of(plan: Plan | None, code: str) -> Outcome | None:
    return next((one for one in plan.outcomes if one.code == code), None) if plan else None


def _asked_of_board() -> tuple[str, dict[str, str], bool]:
    """How the board is asked for: counted by what, narrowed to what, and whether its reader sees counts whole."""
    by = request.args.get("by", "wave")
    if by not in boards.BY:
        abort(404)
    filters = {name: request.args[name] for name in boards.FILTERS if request.args.get(name)}
    whole = access.may(access.visitor().role, Permission.SEE_BOARD_WHOLE)
    if not whole:
        filters = dict(list(filters.items())[:1])  # one at a time, so that two boards cannot be subtracted
    return by, filters, whole


def _page_of(lines: list[Line]) -> tuple[int, int]:
    """Which page of the board is asked for (the first where that is none), and the last there is."""
    last = max(1, -(-len(lines) // boards.LINES_A_PAGE))
    page = request.args.get("page", 1, type=int)
    return page if 1 <= page <= last else 1, last


def _tally(trial: Trial) -> pd.DataFrame:
    session = access.database()
    return kept(session, (trial.id, "board"), lambda: responses.board_tally(session, trial.id))


def _flow(trial: Trial) -> pd.DataFrame:
    session, today = access.database(), access.today()
    key = (trial.id, "flow", today.isoformat())  # what is missed is so by its day
    return kept(session, key, lambda: responses.flow_tally(session, trial.id, today))


def _gate(trial: Trial, *, whole: bool) -> dict[str, Any]:
    """The gate before parents are asked, where any are expected."""
    session = access.database()
    counts = kept(session, (trial.id, "gate"), lambda: roster.gate_counts(session, trial.id))
    if not any(counts.values()):
        return {"gate": [], "gate_finding": ""}
    return {"gate": flows.gate(counts, whole=whole), "gate_finding": flows.finding(counts, whole=whole)}


def _lines(trial: Trial, tally: pd.DataFrame, by: str, filters: dict[str, str], *, whole: bool) -> list[Line]:
    session, people = access.database(), None
    if not whole:
        key = (trial.id, "people expected", by, *(f"{name} {value}" for name, value in filters.items()))
        people = kept(session, key, lambda: responses.people_expected(session, trial.id, by, filters))
    return boards.lines(boards.counted(tally, by, filters), people)


def _choices(tally: pd.DataFrame) -> dict[str, list[tuple[str, str]]]:
    """What the board may be narrowed to: (value, label), by filter."""
    if tally.empty:
        return {}
    sites = tally[["site", "site_name"]].drop_duplicates().sort_values(["site_name", "site"])
    waves, roles = set(tally["wave"]), set(tally["role"])
    return {
        "site": list(sites.itertuples(index=False, name=None)),
        "wave": [(code, label) for code, label in findings.WAVE_NAMES.items() if code in waves],
        "role": [(code, label) for code, label in boards.ROLE_NAMES.items() if code in roles],
    }


def _weights(found: Comparison | None) -> str:
    from analysis.compare import WEIGHTS  # noqa: PLC0415  (the statistics stay out of the participant's path)

    return WEIGHTS.get(found.primary.method or "", "") if found else ""


def _warnings(found: Comparison | None) -> list[str]:
    """What the analysis notes of the data and of the method that decides."""
    if found is None:
        return []
    own = getattr(found.primary_result, "warnings", ())
    return [f"{one[0].upper()}{one[1:]}." for one in (*found.warnings, *own)]


def _excluded(found: Comparison | None) -> list[tuple[str, int]]:
    return [(why, count) for why, count in found.counts.excluded.items() if count] if found else []
