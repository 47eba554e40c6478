"""Everything that was asked: the numbers the answers give, counted by the database, and nothing by arm before its day."""

import re
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from analysis.measures.reliability import Reliability, keyed, reliability
from analysis.results import NotEstimable
from evalapp import findings, responses
from evalapp.dashboard import items, missingness
from evalapp.dashboard import reliability as reliable
from evalapp.dashboard.items import Family, family_of
from evalapp.exchange import trial_file
from evalapp.models import Trial
from evalapp.responses import Asked
from evalapp.shelf import questionnaire
from tests import make
from tests.conftest import NOW
from tests.dashboard import asked, crowd
from tests.dashboard.test_pages import REFERENCES, evaluator, rows_of, text_of

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the counts: test_tallies.py
BLG = ("BLG1", "BLG2", "BLG3", "BLG4")
PRACTITIONER = ("practitioner_before", "practitioner_after", "practitioner_month3")
AT = "/dashboard/trial/questions/practitioner"
PAGES = ("", "/BLG", "/BLG?wave=before", "/BLG?wave=after", "/items/BLG1", "/BLG/reliability")
FILES = (
    "/BLG/profile.csv", "/BLG/distribution.csv", "/BLG/statements.csv", "/BLG/reliability.csv", "/items/BLG1/answers.csv",
)  # fmt: skip
BY_ARM = ("/BLG/sites.csv", "/BLG/multiples.csv", "/BLG/methods.csv")


def practitioners(session: Session, of: Trial) -> Family:
    return next(one for one in items.families(session, of) if one.name == "practitioner")


def test_reliability_is_that_of_each_role_s_own_answers_at_one_wave(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, each=5)
    found = reliable.groups(session, of, practitioners(session, of), "BLG", 0.95)
    assert [(one.wave, one.role) for one in found] == [("before", "practitioner"), ("month3", "practitioner")]
    for one, instrument in zip(found, ("practitioner_before", "practitioner_month3"), strict=True):
        rows = responses.answers_frame(session, of.id, instrument, BLG)
        wide = rows.pivot_table(index="participant", columns="item", values="value", aggfunc="first").astype(float)
        wide = wide.reindex(rows["participant"].unique())[list(BLG)]
        alone = reliability(keyed(wide, ("BLG1", "BLG2"), 1, 5), 0.95, 1, 5)
        assert isinstance(alone, Reliability)
        assert one.result is not None
        assert one.result.alpha == pytest.approx(alone.alpha, abs=1e-12)
        assert one.result.alpha_ci == pytest.approx(alone.alpha_ci, abs=1e-12)
        assert one.result.items["BLG2"].missing == pytest.approx(alone.items["BLG2"].missing)
        assert one.people == len(wide)
    page = text_of(evaluator(app, session), f"{AT}/BLG/reliability")
    assert "New scale, not yet validated" in page
    row = rows_of(evaluator(app, session), f"{AT}/BLG/reliability.csv")[1]
    assert found[0].result is not None
    assert float(row[4]) == found[0].result.alpha
    assert "turned round" in page


def test_languages_counted_together_are_named(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=1)
    review = make.review(session, make.site(session, of, "Llan", arm="traditional"), starts_on=crowd.LONG_AGO)
    rng = np.random.default_rng(3)
    for _ in range(3):
        asked.answer(session, make.person(session, review), "before", asked.blame(rng, 3), language="cy")
    session.commit()
    assert "Languages together: Welsh 3, English 16." in text_of(evaluator(app, session), f"{AT}/BLG/reliability")


def test_what_reliability_cannot_say_it_says_why(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=1, reviews=1, each=1, waves=["before"])
    found = reliable.groups(session, of, practitioners(session, of), "BLG", 0.95)
    assert isinstance(reliability(np_frame(2)), NotEstimable)
    assert found[0].result is None
    assert "Cannot be worked out" in text_of(evaluator(app, session), f"{AT}/BLG/reliability")
    assert rows_of(evaluator(app, session), f"{AT}/BLG/reliability.csv")[1][-1] == found[0].reason


def np_frame(people: int) -> Any:
    return pd.DataFrame({"a": [1.0] * people, "b": [2.0] * people})


def test_a_family_is_one_questionnaire_through_the_waves(app: Flask, session: Session) -> None:
    names = (
        "practitioner_before",
        "practitioner_month12",
        "parent_easy_read_after",
        "parent_after",
        "measure",
        "site_survey_month12",
    )
    assert [family_of(one) for one in names] == [
        "practitioner", "practitioner", "parent_easy_read", "parent", "measure", "site_survey",
    ]  # fmt: skip
    of = crowd.trial(session)
    asked.people(session, of, sites=1)
    found = practitioners(session, of)
    assert found.title == "Practitioners and managers"
    told = {("parent_easy_read_after", "after"): "Parents and carers (easy read)",
            ("fidelity_observer", "after"): "Observers (fidelity)", ("young_person_after", "after"): "Young people"}  # fmt: skip
    for (name, wave), title in told.items():
        assert Family(family_of(name), (Asked(wave, name, 1, 1, 0),)).title == title
    assert found.waves_of("BLR") == ("after",)
    assert "COM5" in {item.code for item in found.alone}
    assert not {"BLG1"} & {item.code for item in found.alone}
    twice = Family("practitioner", (*found.asked, Asked("month3", "practitioner_month3", 1, 1, 0)))
    assert "Several versions are counted together: 1 and 2 three months after the review." in twice.mixed


def test_scales_that_ask_about_something_else_are_not_drawn_as_a_change(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    site = make.site(session, of, arm="appreciative")
    place = make.person(session, make.review(session, site, starts_on=crowd.LONG_AGO))
    for wave in ("before", "after"):
        asked.answer(session, place, wave, {"SAF1": 4, "SAF2": 2, "SAF3": 4, "SAF4": 2})
    session.commit()
    view = items.look(session, of, findings.plan_of(of), practitioners(session, of), "SAF", "after", by_arm=True)
    assert view.how.waves == ("after",)
    page = text_of(evaluator(app, session), f"{AT}/SAF?wave=after")
    assert "so no change is drawn" in page
    assert "usual meetings with other agencies" in page
    _, *rows = rows_of(evaluator(app, session), f"{AT}/SAF/statements.csv?wave=after")
    assert {row[1] for row in rows} == {"Just after, Appreciative", "Just after, Traditional"}


def test_each_statement_is_told_before_and_after_with_refusals_and_blanks_beside(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of)
    head, *rows = rows_of(evaluator(app, session), f"{AT}/BLG/statements.csv")
    assert head[2:7] == ["Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree"]
    assert len(rows) == 4 * 2 * 2
    tally = responses.answers_tally(session, of.id, PRACTITIONER, BLG, by_arm=True)
    mine = tally[(tally["item"] == "BLG2") & (tally["wave"] == "month3") & (tally["arm"] == "appreciative")]
    text = questionnaire("practitioner_month3", 1).item("BLG2").text
    row = next(one for one in rows if one[:2] == [text, "Three months, Appreciative"])
    assert [int(cell) for cell in row[2:7]] == [int(mine.loc[mine["value"] == k, "people"].sum()) for k in range(1, 6)]
    assert int(row[7]) == int(mine.loc[mine["reason"].notna(), "people"].sum())
    page = text_of(evaluator(app, session), f"{AT}/BLG")
    assert "Agreeing lowers the score." in page
    assert "refused" in page


@pytest.mark.parametrize("opens", [None, NOW + timedelta(seconds=1)])
def test_before_the_results_open_no_page_or_file_of_a_question_names_an_arm(
    app: Flask, session: Session, opens: Any
) -> None:
    of = crowd.trial(session, results_open_at=opens)
    asked.people(session, of)
    who = evaluator(app, session)
    paths = [*(AT + path for path in (*PAGES, *FILES)), "/dashboard/trial/questions", f"{AT}/BLG?compare=yes",
             "/dashboard/trial/missing", "/dashboard/trial/missing.csv", "/dashboard/trial/missing?by=site"]  # fmt: skip
    for path in paths:
        said = re.sub(r"(?i)(appreciative|traditional)-\d", "", text_of(who, path)).lower()
        assert "appreciative" not in said, path
        assert "traditional" not in said, path
    for path in BY_ARM:
        assert who.get(AT + path).status_code == 404, path
    for path in ("/dashboard/trial/missing?by=arm", "/dashboard/trial/missing.csv?by=arm"):
        assert who.get(path).status_code == 404
    page = text_of(who, f"{AT}/BLG")
    assert "The groups are kept together for now" in page
    assert not re.search(r"(Appreciative|Traditional)-\d", page), "sites would tell the groups to who knows them"


def test_while_results_are_closed_no_question_is_asked_of_the_database_by_arm(
    app: Flask, session: Session, clock: Any
) -> None:
    of = crowd.trial(session, results_open_at=NOW + timedelta(days=1))
    asked.people(session, of, sites=1)
    said: list[str] = []
    engine = app.extensions["evalapp"].engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement.lower()))
    who = evaluator(app, session)
    for path in (*PAGES, *FILES):
        text_of(who, AT + path)
    assert not [one for one in said if "from answer" in one.replace("\n", " ") and "allocation" in one]
    assert not [one for one in said if "score" in one and "allocation" in one]


def test_on_the_empty_day_every_page_says_so(app: Flask, session: Session) -> None:
    crowd.trial(session)
    session.commit()
    who = evaluator(app, session)
    assert "Nobody is asked anything yet" in text_of(who, "/dashboard/trial/questions")
    assert "Nobody has been asked yet" in text_of(who, "/dashboard/trial/missing")
    assert len(rows_of(who, "/dashboard/trial/missing.csv")) == 1
    assert who.get(f"{AT}/BLG").status_code == 404


def test_before_the_first_answer_every_page_says_so(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    make.person(session, make.review(session, make.site(session, of, arm="appreciative"), starts_on=crowd.LONG_AGO))
    session.commit()
    who = evaluator(app, session)
    for path in ("/BLG", "/items/BLG1", "/BLG/reliability", "/BLR?wave=after"):
        assert "Nobody has answered yet" in text_of(who, AT + path), path
    assert "0 of 1 questionnaires" in text_of(who, "/dashboard/trial/missing?by=role")
    assert "Freedom from blame at work" in text_of(who, "/dashboard/trial/questions")
    text_of(who, f"{AT}/BLG?compare=yes")


def test_one_site_has_means_and_no_interval_and_is_not_compared(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=1, arms=["appreciative"])
    who = evaluator(app, session)
    page = text_of(who, f"{AT}/BLG")
    assert "Appreciative-0" in page
    rows = rows_of(who, f"{AT}/BLG/profile.csv")
    assert "fewer than two sites" in rows[1][-1]
    text_of(who, "/dashboard/trial/missing?by=arm")


def test_a_scale_outside_the_plan_is_compared_only_when_asked_and_called_exploratory(
    app: Flask, session: Session
) -> None:
    plan = {**crowd.PLAN, "outcomes": [crowd.PLAN["outcomes"][1] | {"primary": True}]}
    of = crowd.trial(session, plan=plan)
    asked.people(session, of, sites=6)
    who = evaluator(app, session)
    page = text_of(who, f"{AT}/BLG")
    assert "Exploratory: not in the plan" in page
    assert "<dt>p</dt>" not in page
    made = text_of(who, f"{AT}/BLG?compare=yes")
    assert "<dd>Exploratory: not in the plan</dd>" in made
    assert "Pre-specified" not in made
    assert "Randomisation test" in made
    assert float(rows_of(who, f"{AT}/BLG/methods.csv")[1][2])
    planned = crowd.trial(session, slug="planned")
    asked.people(session, planned, sites=2, seed=9)
    page = text_of(who, "/dashboard/planned/questions/practitioner/BLG")
    assert "/dashboard/planned/outcomes/blame" in page
    assert "The groups compared, outside the plan" not in page


def test_many_sites_come_a_page_at_a_time_and_stay_light(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=30, reviews=1, each=2)
    who = evaluator(app, session)
    answer = who.get(f"{AT}/BLG?sites=2")
    assert len(answer.get_data()) < 400_000
    rows = [row[0] for page in (1, 2, 3) for row in rows_of(who, f"{AT}/BLG/multiples.csv?sites={page}")[1:]]
    assert len(set(rows)) == 60
    assert "24 of 60 sites" in re.sub(r"\s+", " ", answer.get_data(as_text=True))
    assert rows_of(who, f"{AT}/BLG/multiples.csv?sites=9") == rows_of(who, f"{AT}/BLG/multiples.csv")


def test_a_page_asks_the_database_a_handful_of_times_and_less_when_nothing_was_sent_since(
    app: Flask, session: Session
) -> None:
    of = crowd.trial(session)
    places = asked.people(session, of)
    who = evaluator(app, session)
    said: list[str] = []
    event.listen(
        app.extensions["evalapp"].engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement)
    )

    def counting(path: str) -> int:
        said.clear()
        text_of(who, path)
        return len([one for one in said if "JOIN response" in one])

    for path in (f"{AT}/BLG", f"{AT}/items/BLG1", f"{AT}/BLG/reliability", "/dashboard/trial/missing", AT):
        first = counting(path)
        assert first <= 8, (path, said)
        assert counting(path) < first, path
    before = text_of(who, f"{AT}/items/BLG1")
    late = places[0]
    asked.answer(session, late, "after", {"BLG1": 1})
    session.commit()
    assert text_of(who, f"{AT}/items/BLG1") != before


@pytest.mark.parametrize("by", ["role", "arm", "site"])
def test_those_who_did_not_answer_are_counted_and_add_up(app: Flask, session: Session, by: str) -> None:
    of = crowd.trial(session)
    places = asked.people(session, of)
    today = date(2026, 3, 2)
    people = responses.people_frame(session, of.id)
    people = people[people["opens_on"] <= today]  # a year on nobody has been asked yet
    lines = missingness.lines(session, of, by, today)
    assert sum(one.expected for one in lines) == len(people) == 3 * len(places)
    assert sum(one.answered for one in lines) == int((people["state"] == "submitted").sum())
    month3 = [one for one in lines if one.wave == "month3"]
    assert sum(one.both for one in month3) == sum(one.answered for one in month3)  # everyone answered before
    assert sum(one.asked_both for one in month3) == len(places)
    assert sum(one.asked_both for one in lines if one.wave == "before") == 0
    rows = responses.answers_frame(session, of.id, "practitioner_before", BLG)
    before = [one for one in lines if one.wave == "before"]
    assert sum(one.shown for one in before) == len(rows)
    assert sum(one.refused for one in before) == int(rows["reason"].notna().sum())
    assert sum(one.blank for one in before) == int((rows["reason"].isna() & rows["value"].isna()).sum())


def test_people_not_yet_asked_are_not_missing(session: Session) -> None:
    of = crowd.trial(session)
    make.person(session, make.review(session, make.site(session, of), starts_on=date(2026, 3, 10)))
    session.commit()
    lines = missingness.lines(session, of, "role", date(2026, 3, 2))
    assert [(one.wave, one.expected) for one in lines] == [("before", 1)]


def test_a_gap_between_the_arms_is_pointed_out_in_words(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    for arm, answering in (("appreciative", 9), ("traditional", 6)):
        review = make.review(session, make.site(session, of, f"{arm} town", arm=arm), starts_on=crowd.LONG_AGO)
        for number in range(10):
            place = make.person(session, review)
            asked.answer(session, place, "before", {"BLG1": 3})
            if number < answering:
                asked.answer(session, place, "month3", {"BLG1": 3})
    session.commit()
    gaps = missingness.gaps(missingness.lines(session, of, "arm", date(2026, 3, 2)))
    told = {one.sentence: one.telling for one in gaps}
    wide = "90 % of those asked answered three months after the review in Appreciative, 60 % in Traditional: "
    assert told[f"{wide}30 points apart, enough to bend the comparison if those missing differ."]
    assert not told[
        "100 % of those asked answered before the review in Appreciative, 100 % in Traditional: less than 5 points apart."
    ]
    page = text_of(evaluator(app, session), "/dashboard/trial/missing")
    assert "90 % answered in Appreciative and 60 % in Traditional, 30 points apart." in page
    assert wide in page
    assert "Worth weighing" in page


def test_a_measure_from_a_file_has_its_page_too(app: Flask, session: Session, vault: Any) -> None:
    table = pd.read_csv(REFERENCES / "eight_sites_zero_variance.csv")
    columns = {name: name for name in ("site", "review", "participant", "arm", "baseline", "outcome")}
    about = trial_file.Described(slug="file", title="From a file", label="Knowledge", treatment="1", planned_sites=8)
    trial_file.bring_in(session, table, columns, about, vault=vault, now=NOW)
    session.commit()
    who = evaluator(app, session)
    for path in ("", "/measure", "/measure/MEASURE", "/measure/items/value", "/measure/MEASURE/reliability"):
        text_of(who, f"/dashboard/file/questions{path}")
    rows = rows_of(who, "/dashboard/file/questions/measure/MEASURE/distribution.csv")
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == int(table["outcome"].notna().sum())


def test_words_that_are_nowhere_are_not_found(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=1)
    who = evaluator(app, session)
    nowhere = (
        "/nobody", "/practitioner/NONE", "/practitioner/BLG?wave=never", "/practitioner/BLR?wave=before",
        "/practitioner/items/NONE", "/practitioner/items/NONE/answers.csv", "/practitioner/BLG/none.csv",
        "/practitioner/NONE/reliability", "/practitioner/NONE/reliability.csv", "/practitioner/items/BLG1/none.csv",
    )  # fmt: skip
    for path in nowhere:
        assert who.get(f"/dashboard/trial/questions{path}").status_code == 404, path
    for path in ("missing?by=name", "missing?by=site&wave=never"):
        assert who.get(f"/dashboard/trial/{path}").status_code == 404, path


def test_where_nobody_of_a_time_has_answered_yet_the_one_before_is_told(app: Flask, session: Session) -> None:
    of = crowd.trial(session)
    asked.people(session, of, sites=2, waves=["before"])
    page = text_of(evaluator(app, session), "/dashboard/trial/missing")
    assert "Before the review, 100 % answered in Traditional and 100 % in Appreciative, 0 points apart." in page
