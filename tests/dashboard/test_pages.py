"""The evaluator's and the funder's pages: the right numbers, the right words, and nothing before its day."""

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.compare import Question, compare
from analysis.results import Effect
from evalapp import findings
from evalapp.dashboard.page import csv_of, safe
from evalapp.dashboard.pictures import number, p_value
from evalapp.exchange import trial_file
from evalapp.figures import Table
from evalapp.findings import Measured
from evalapp.models import Release, Trial
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW
from tests.dashboard import crowd
from tests.security import visitors
from tests.security.visitors import Browser

REFERENCES = Path(__file__).parents[1] / "references"
SURE = {"sure": "yes"}  # the tick that a release needs


def evaluator(app: Flask, session: Session, role: str = "evaluator") -> Browser:
    return visitors.staff_browser(app, session, visitors.member(session, role))


def text_of(browser: Browser, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return re.sub(r"\s+", " ", answer.get_data(as_text=True))


def rows_of(browser: Browser, path: str) -> list[list[str]]:
    answer = browser.get(path)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True))))


def test_the_outcome_s_page_says_what_the_analysis_says(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=6)
    plan = findings.plan_of(of)
    assert plan is not None
    how = findings.measured(session, of, plan.outcomes[0], plan.design)
    table = findings.wide(findings.scores(session, of, how), how)
    result = compare(
        table,
        Question(
            outcome="outcome", arm="arm", site="site", review="review", participant="participant", baseline="baseline",
            treatment="appreciative", design="randomised", planned_sites=12,
        ),
    )  # fmt: skip
    effect = result.primary_result
    assert isinstance(effect, Effect)
    page = text_of(evaluator(app, session), "/dashboard/trial/outcomes/blame")
    low, high = effect.ci
    assert low is not None
    assert high is not None
    for said in (
        f"{number(effect.estimate, 2)} points out of 100", f"{number(low, 2)} to {number(high, 2)}",
        f"<dd>{number(effect.df, 1)}</dd>", f"<dd>{p_value(effect.p)}</dd>", "Mixed model with Kenward–Roger",
    ):  # fmt: skip
        assert said in page
    exact = rows_of(evaluator(app, session), "/dashboard/trial/outcomes/blame/difference.csv")[1]
    assert [float(cell) for cell in exact[1:4]] == pytest.approx([effect.estimate, low, high], rel=1e-12)
    assert "Pre-specified" in page
    assert "complete cases" in page
    assert "New scale, not yet validated" in page


def test_a_trial_brought_in_from_a_file_shows_what_r_says_of_the_file(
    app: Flask, session: Session, vault: Vault
) -> None:
    table = pd.read_csv(REFERENCES / "eight_sites_zero_variance.csv")
    said = json.loads((REFERENCES / "eight_sites_zero_variance.json").read_text())["cluster_summary"]
    columns = {name: name for name in ("site", "review", "participant", "arm", "baseline", "outcome")}
    about = trial_file.Described(slug="file", title="From a file", label="Knowledge", treatment="1", planned_sites=8)
    trial_file.bring_in(session, table, columns, about, vault=vault, now=NOW)
    session.commit()
    who = evaluator(app, session)
    row = rows_of(who, "/dashboard/file/outcomes/outcome/difference.csv")[1]
    assert [float(cell) for cell in row[1:4]] == pytest.approx([said["estimate"], *said["ci"]], rel=1e-6)
    page = text_of(who, "/dashboard/file/outcomes/outcome")
    assert "Site means, cluster-summary t" in page
    assert "New scale" not in page  # the file's own measure, of which nothing is known here
    who.fill("/dashboard/file/releases", SURE)
    funder = text_of(evaluator(app, session, "funder"), "/funder/file")
    assert "Knowledge" in funder
    for untrue in ("points out of 100", "0 to 100", "not yet validated"):
        assert untrue not in funder


def test_the_primary_stands_first_and_the_other_methods_are_folded_below(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=6)
    page = text_of(evaluator(app, session), "/dashboard/trial/outcomes/blame")
    folded = page.index('<details class="others">')
    assert page.index("Mixed model with Kenward–Roger") < folded < page.index("Randomisation test")
    assert "CR2" not in page[:folded]


def test_a_win_probability_is_a_chance_and_stands_among_no_differences(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=6)
    who = evaluator(app, session)
    page = text_of(who, "/dashboard/trial/outcomes/blame")
    table = page[page.index("<caption>Other methods</caption>") :]
    differences, after = table[: table.index("</table>")], table[table.index("</table>") :]
    assert "CR2" in differences
    assert "Win probability" not in differences
    assert re.search(
        r"Chance that somebody of \S+ has a higher score than somebody of .*?</dt>\s*<dd>\d+\.\d %", after, re.S
    )
    assert "with no difference it would be 50 %" in after
    figure = page[page.index('<details class="others">') : page.index("<caption>Other methods</caption>")]
    assert "Win probability" not in figure


@pytest.mark.parametrize("scheme", ["constrained", "minimised"])
def test_sites_drawn_in_a_way_nobody_wrote_down_have_no_randomisation_test(
    app: Flask, session: Session, scheme: str
) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=6, scheme=scheme)
    who = evaluator(app, session)
    rows = rows_of(who, "/dashboard/trial/outcomes/blame/methods.csv")
    row = next(row for row in rows if row[0] == "Randomisation test")
    assert row[2] == ""
    assert "the table does not hold how sites were drawn" in row[-1]


def test_methods_that_are_not_built_are_absent(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    page = text_of(evaluator(app, session), "/dashboard/trial/outcomes/blame").lower()
    for absent in ("not yet built", "not implemented", "not computed"):
        assert absent not in page


@pytest.mark.parametrize("opens", [None, NOW + timedelta(days=40), NOW + timedelta(seconds=1)])
def test_before_the_results_open_no_page_or_file_names_an_arm(app: Flask, session: Session, opens: Any) -> None:
    of = crowd.trial(session, results_open_at=opens)
    crowd.people(session, of)
    who = evaluator(app, session)
    paths = [
        "/dashboard/trial/", "/dashboard/trial/outcomes", "/dashboard/trial/outcomes/blame", "/dashboard/trial/releases",
        "/dashboard/trial/outcomes/blame/profile.csv", "/dashboard/trial/outcomes/blame/distribution.csv",
    ]  # fmt: skip
    for path in paths:
        said = re.sub(
            r"(?i)(appreciative|traditional)-\d", "", text_of(who, path)
        ).lower()  # names of sites in this trial
        assert "appreciative" not in said, path
        assert "traditional" not in said, path
    for hidden in ("difference", "sites", "methods"):
        assert who.get(f"/dashboard/trial/outcomes/blame/{hidden}.csv").status_code == 404
    said = text_of(who, "/dashboard/trial/outcomes/blame")
    assert "The groups are kept together for now" in said
    assert ("Results by group open on" in said) is (opens is not None)
    assert "Both groups together" in said


def test_results_open_at_their_moment(app: Flask, session: Session) -> None:
    of = crowd.trial(session, results_open_at=NOW)
    crowd.people(session, of)
    assert "Appreciative" in text_of(evaluator(app, session), "/dashboard/trial/outcomes/blame")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("nobody", "Nobody&#39;s answers have arrived yet"),
        ("unallocated", "No site has been allocated to a group yet"),
        ("one arm", "Nobody in the Traditional group has answered yet"),
        ("one site an arm", "Only one site of the Appreciative group has answered"),
    ],
)
def test_what_cannot_be_compared_says_why_in_a_sentence(app: Flask, session: Session, kind: str, says: str) -> None:
    of = crowd.trial(session)
    if kind == "unallocated":
        crowd.people(session, of, arms=[None])
    if kind == "one arm":
        crowd.people(session, of, arms=["appreciative"])
    if kind == "one site an arm":
        crowd.people(session, of, sites=1)
    session.commit()
    page = text_of(evaluator(app, session), "/dashboard/trial/outcomes/blame")
    assert says in page
    assert "<dt>p</dt>" not in page
    assert text_of(evaluator(app, session), "/dashboard/trial/outcomes")


def test_a_trial_without_a_plan_and_a_plan_with_a_fault_say_so(app: Flask, session: Session) -> None:
    make.trial(session, "plain")
    make.trial(session, "faulty", plan={**crowd.PLAN, "planned_sites": 1})
    session.commit()
    who = evaluator(app, session)
    assert "No plan yet" in text_of(who, "/dashboard/plain/outcomes")
    assert "The plan cannot be read: plan.planned_sites" in text_of(who, "/dashboard/faulty/outcomes")
    assert who.get("/dashboard/faulty/outcomes/blame").status_code == 404


def test_with_no_trial_every_start_says_what_to_do(app: Flask, session: Session) -> None:
    who = evaluator(app, session)
    for path in ("/dashboard/", "/dashboard/responses", "/dashboard/outcomes", "/dashboard/releases", "/funder/"):
        assert "Bring one in from a file" in text_of(who, path)


def test_with_several_trials_an_address_without_one_asks_which(app: Flask, session: Session) -> None:
    make.trial(session, "one", title="The first")
    make.trial(session, "two", title="The second")
    session.commit()
    said = text_of(evaluator(app, session), "/dashboard/outcomes")
    assert "/dashboard/one/outcomes" in said
    assert "/dashboard/two/outcomes" in said


def _how(**facts: Any) -> Measured:
    plan = {**crowd.PLAN, "outcomes": [{**crowd.PLAN["outcomes"][0], **facts}]}
    found = findings.plan_of(Trial(plan=plan))
    assert found is not None
    return Measured(found.outcomes[0], ("month3",), False, "", (("a", "Appreciative"), ("t", "Traditional")))


@pytest.mark.parametrize(
    ("low", "high", "facts", "sites", "verdict", "why"),
    [
        (-2.0, 14.0, {}, 12, "cannot_tell", "0 lies within"),
        (-9.0, 9.0, {}, 12, "cannot_tell", "wider than the smallest worthwhile difference"),
        (0.0, 14.0, {}, 12, "cannot_tell", "0 is an end"),
        (-7.9, 7.9, {}, 12, "too_small", "wholly inside"),
        (1.0, 7.0, {}, 12, "too_small", "excludes 0 but is wholly inside"),
        (-8.0, 3.0, {}, 12, "cannot_tell", "the worthwhile difference itself is not ruled out"),
        (1.0, 9.0, {}, 12, "benefit", "above 0"),
        (-9.0, -1.0, {}, 12, "harm", "below 0"),
        (1.0, 9.0, {"higher_is_better": False}, 12, "harm", "higher is worse"),
        (-9.0, -1.0, {"higher_is_better": False}, 12, "benefit", "lower is better"),
        (-2.0, 2.0, {"smallest_worthwhile": None}, 12, "cannot_tell", "nothing was set as too small"),
        (1.0, 9.0, {}, 5, "described", "fewer than six sites"),
    ],
)
def test_words_follow_the_rule(
    low: float, high: float, facts: dict[str, Any], sites: int, verdict: str, why: str
) -> None:
    effect = Effect((low + high) / 2, 1.0, 10.0, 2.0, 0.05, (low, high))
    how = _how(**facts)
    found = findings.verdict(effect, how, sites, sites)
    assert found == verdict, why
    said = findings.sentence(found, effect, how, "randomised")
    words = {
        "cannot_tell": "we cannot tell yet", "too_small": "too small to matter", "benefit": "which is better",
        "harm": "which is worse", "described": "nothing is concluded",
    }  # fmt: skip
    assert words[verdict] in said
    assert not re.search(r"no effect|trend|significant", said)


def test_without_allocation_by_chance_a_difference_is_called_an_association() -> None:
    effect = Effect(5.0, 1.0, 10.0, 2.0, 0.01, (1.0, 9.0))
    assert "association" in findings.sentence("benefit", effect, _how(), "nonrandomised")


def test_a_difference_below_nought_is_told_by_its_size() -> None:
    effect = Effect(-5.0, 1.0, 10.0, 2.0, 0.01, (-9.0, -1.0))
    assert "by 5 points out of 100 (somewhere from 1 to 9)" in findings.sentence("harm", effect, _how(), "randomised")


def test_publishing_makes_the_next_release_and_says_so(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    who = evaluator(app, session)
    assert "Nothing has been released yet" in text_of(who, "/funder/trial")
    assert who.fill("/dashboard/trial/releases", SURE).status_code == 303
    assert "Release 1 is published" in text_of(who, "/dashboard/trial/releases")
    who.fill("/dashboard/trial/releases", SURE)
    assert "Nothing was published" in text_of(who, "/dashboard/trial/releases")
    session.expire_all()
    assert len(session.scalars(select(Release)).all()) == 1
    assert "Freedom from blame" in text_of(evaluator(app, session, "funder"), "/funder/trial")


def test_the_funder_s_words_and_numbers_are_the_release_s(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=6)
    who = evaluator(app, session)
    who.fill("/dashboard/trial/releases", SURE)
    crowd.people(session, of, sites=6, prefix="Later ", effect=-60)  # live answers change; the page must not
    said = text_of(evaluator(app, session, "funder"), "/funder/trial")
    released = json.loads(session.scalars(select(Release)).one().content)["parts"]["outcome/blame"]["comparison"]
    span = f"somewhere from {number(released['low'], 1)} to {number(released['high'], 1)}"
    assert "which is better, in the Appreciative group" in said
    assert span in said


def test_pages_and_files_are_never_kept_by_a_browser(app: Flask, session: Session) -> None:
    crowd.people(session, crowd.trial(session))
    who = evaluator(app, session)
    for path in (
        "/dashboard/",
        "/dashboard/trial/responses",
        "/dashboard/trial/responses.csv",
        "/dashboard/trial/outcomes/blame",
    ):
        assert who.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+44", "'+44"), ("-2", "'-2"), ("@SUM", "'@SUM"), ("\t=1", "'\t=1"), ("\r=1", "'\r=1"),
        ("＝1", "'＝1"), ("＋1", "'＋1"), (" =1", "' =1"), ('"=1', "'\"=1"), (";=1", "';=1"), (", @x", "', @x"),
        ("Northtown", "Northtown"), ("a=b", "a=b"), (-3.5, -3.5), (12, 12), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_of_a_csv_is_a_formula_and_numbers_stay_numbers(cell: Any, written: Any) -> None:
    assert safe(cell) == written


def test_heads_of_a_csv_are_made_safe_too(app: Flask) -> None:
    with app.app_context():
        said = csv_of(Table(("=cmd", "n"), (("-x", -1.5), ("y", None))), "name").get_data(as_text=True)
    assert said == "'=cmd,n\r\n'-x,-1.5\r\ny,\r\n"


def test_a_site_s_name_never_becomes_markup(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    site = make.site(session, of, "<script>alert(1)</script>", arm="appreciative")
    make.person(session, make.review(session, site))
    crowd.people(session, of)
    who = evaluator(app, session)
    for path in ("/dashboard/trial/responses?by=site", "/dashboard/trial/responses?by=review"):
        assert "<script>alert" not in text_of(who, path)


def test_a_release_needs_a_tick_and_somebody_who_answered(app: Flask, session: Session) -> None:
    make.trial(session, "empty")
    session.commit()
    who = evaluator(app, session)
    for sent, said in (({}, "Tick the box first"), (SURE, "nobody has answered yet")):
        assert who.fill("/dashboard/empty/releases", sent).status_code == 303
        assert said in text_of(who, "/dashboard/empty/releases")
    assert session.scalars(select(Release)).all() == []
