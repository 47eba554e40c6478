"""Releases: nothing rests on few people, nothing can be subtracted, nothing by arm before its day, nothing else for funders."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from evalapp import db, releases
from evalapp.models import Audit, Release, Response, Trial
from evalapp.releases import NothingNew, content_of, publish
from tests import make
from tests.conftest import NOW
from tests.dashboard import crowd
from tests.security import visitors


def published(session: Session, of: Trial, *, days: int = 0) -> dict[str, Any]:
    made = publish(session, of, actor="system", now=NOW + timedelta(days=days))
    session.commit()
    return content_of(made)


def numbers(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in part["cells"] if not cell["hidden"]]


def test_a_release_shows_both_arms_their_difference_and_people_in_ten(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    content = published(session, of)
    blame = content["parts"]["outcome/blame"]
    shown = [(cell["wave"], cell["group"], cell["people"]) for cell in numbers(blame)]
    arms = ("Appreciative", "Traditional")
    assert shown == [(wave, arm, 25) for wave in ("Before", "Three months") for arm in arms]  # 24, to the nearest five
    assert blame["comparison"]["low"] <= blame["comparison"]["estimate"] <= blame["comparison"]["high"]
    assert blame["comparison"]["verdict"] == "benefit"  # three sites an arm: tested on site means
    assert content["parts"]["recruitment/practitioners"] == {
        "label": "Professionals",
        "count": 50,
        "target": 100,
    }


def test_an_arm_with_too_few_people_hides_the_other_arm_and_the_difference(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, arms=["appreciative"])
    crowd.people(session, of, arms=["traditional"], reviews=1, each=3)
    blame = published(session, of)["parts"]["outcome/blame"]
    assert blame["groups"] == "pooled"
    assert {cell["group"] for cell in blame["cells"]} == {"Both groups together"}
    assert blame["comparison"] is None


def test_with_too_few_people_altogether_nothing_is_shown_and_the_page_says_why(session: Session, app: Flask) -> None:
    of = crowd.trial(session)
    crowd.people(session, of, sites=1, reviews=1, each=3)
    content = published(session, of)
    assert not numbers(content["parts"]["outcome/blame"])
    assert content["parts"]["recruitment/practitioners"]["count"] is None
    page = visitors.staff_browser(app, session, visitors.member(session, "funder")).get("/funder/trial")
    said = page.get_data(as_text=True)
    assert "too few people or reviews have answered" in said
    assert "Too few have answered so far for response to be shown" in said


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 6)), min_size=2, max_size=2),
    is_open=st.booleans(),
    seed=st.integers(0, 99),
)
def test_no_figure_of_a_release_rests_on_fewer_than_ten_people(
    migrated_file: Any,
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[tuple[int, int, int]],
    is_open: bool,
    seed: int,
) -> None:
    path = tmp_path_factory.mktemp("release") / "one.db"
    path.write_bytes(migrated_file.read_bytes())
    engine = db.make_engine(f"sqlite:///{path}")
    with db.writing(engine) as session:
        of = crowd.trial(session, results_open_at=NOW - timedelta(days=1) if is_open else None)
        for arm, (sites, reviews, each) in zip(crowd.ARMS, sizes, strict=True):
            crowd.people(session, of, arms=[arm], sites=sites, reviews=reviews, each=each, seed=seed)
        made = publish(session, of, actor="system", now=NOW)
        content, behind = content_of(made), json.loads(made.withheld)
        session.commit()
    engine.dispose()
    assert all(len(marks) >= 10 for marks in behind.values())
    for key, part in content["parts"].items():
        shown = [
            count for count in (part.get("count"), part.get("expected"), part.get("answered")) if count is not None
        ]
        if not key.startswith(("recruitment/sites", "recruitment/reviews")):
            assert all(count >= 10 and count % 5 == 0 for count in shown)
        for cell in part.get("cells", []):
            assert cell["hidden"] or cell["people"] >= 10
            assert cell["hidden"] or any(name.startswith(f"{key}|") for name in behind)
            assert not cell["hidden"] or {"mean", "low", "high", "in_ten"}.isdisjoint(cell)
    if not is_open:
        assert "ppreciative" not in made.content
        assert "raditional" not in made.content
        assert "ppreciative" not in made.withheld


def test_before_its_day_a_release_knows_no_arm_and_the_funder_sees_none(session: Session, app: Flask) -> None:
    of = crowd.trial(session, results_open_at=NOW + timedelta(days=30))
    crowd.people(session, of)
    made = publish(session, of, actor="system", now=NOW)
    session.commit()
    said = (
        visitors.staff_browser(app, session, visitors.member(session, "funder"))
        .get("/funder/trial")
        .get_data(as_text=True)
    )
    for arm in ("appreciative", "traditional"):
        assert arm not in made.content.lower()
        assert arm not in made.withheld.lower()
        assert arm not in said.lower()
    assert "The groups are kept together for now" in said
    assert "1 April 2026" in said


@pytest.mark.parametrize(("more", "renewed"), [(2, False), (3, True)])
def test_a_figure_is_renewed_only_when_ten_people_changed_it(session: Session, more: int, renewed: bool) -> None:
    """A site joins each arm: eight people more in an arm are too few to show, twelve are enough."""
    of = crowd.trial(session)
    crowd.people(session, of)
    first = published(session, of)
    crowd.people(session, of, sites=1, reviews=1, each=4 * more, arms=["appreciative"], prefix="New ", effect=40)
    crowd.people(session, of, sites=1, reviews=1, each=4 * more, arms=["traditional"], prefix="New ", effect=40)
    second = published(session, of, days=30)
    before, after = first["parts"]["outcome/blame"], second["parts"]["outcome/blame"]
    assert ("as_of" not in after) is renewed
    assert (numbers(before) != numbers(after)) is renewed
    if not renewed:
        assert after["as_of"] == 1
        assert {name: one for name, one in after.items() if name != "as_of"} == before


def test_swapping_a_few_people_for_others_is_noticed_though_their_number_stays(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    published(session, of)
    leaving = session.scalars(select(Response).where(Response.instrument == "practitioner_month3").limit(4)).all()
    for one in leaving:
        session.execute(text("DELETE FROM score WHERE response_id = :id"), {"id": one.id})
        session.delete(one)
    crowd.people(session, of, sites=1, reviews=1, each=4, arms=["appreciative"], prefix="New ", waves=["month3"])
    crowd.people(session, of, sites=6, reviews=1, each=4, arms=[None], prefix="Elsewhere ", waves=["before"])
    after = published(session, of, days=30)["parts"]
    assert after["outcome/blame"]["as_of"] == 1


def test_a_release_that_would_repeat_the_last_is_refused(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    published(session, of)
    with pytest.raises(NothingNew):
        publish(session, of, actor="system", now=NOW + timedelta(days=1))
    assert len(releases.every(session, of.id)) == 1


def test_opening_the_results_is_news_even_when_nobody_new_answered(session: Session) -> None:
    of = crowd.trial(session, results_open_at=NOW + timedelta(days=10))
    crowd.people(session, of)
    closed, opened = published(session, of), published(session, of, days=11)
    assert (closed["by_arm"], opened["by_arm"]) == (False, True)
    assert opened["parts"]["outcome/blame"]["groups"] == "arms"


def test_arms_stay_hidden_when_their_sum_was_shown_and_a_few_more_people_answered(session: Session) -> None:
    """Both arms now, less the two together then, would be the mean of four people."""
    of = crowd.trial(session, results_open_at=NOW + timedelta(days=10))
    crowd.people(session, of)
    published(session, of)
    crowd.people(session, of, sites=1, reviews=1, each=4, arms=["appreciative"], prefix="New ")
    after = published(session, of, days=11)["parts"]["outcome/blame"]
    assert after["groups"] == "pooled"
    assert after["as_of"] == 1


def test_no_change_is_drawn_where_the_questions_ask_about_something_else(session: Session) -> None:
    of = crowd.trial(session)
    for arm in crowd.ARMS:
        for number in range(3):
            site = make.site(session, of, f"{arm} {number}", arm=arm)
            for label in range(4):
                place = make.person(
                    session, make.review(session, site, f"R{label}", starts_on=crowd.LONG_AGO), "parent"
                )
                crowd.answer(session, place, "before", AFF=40.0)
                crowd.answer(session, place, "after", AFF=50.0 + 5 * label + 3 * number)
    session.commit()
    affirmed = published(session, of)["parts"]["outcome/affirmed"]
    assert affirmed["waves"] == ["Just after"]
    assert "services so far" in affirmed["why_not"]
    assert affirmed["comparison"]["adjusted"] is False


@pytest.mark.parametrize(("answered_on", "waves"), [(date(2026, 3, 1), 3), (date(2026, 3, 2), 1)])
def test_first_answers_count_as_a_start_only_when_given_before_the_site_knew_its_group(
    session: Session, answered_on: date, waves: int
) -> None:
    of = crowd.trial(session)  # sites learn their group on 2 March 2026
    for place in crowd.people(session, of, waves=["after", "month3"]):
        crowd.answer(session, place, "before", answered_on, BLG=45.0 + len(place.id) % 7)
    session.commit()
    blame = published(session, of)["parts"]["outcome/blame"]
    assert len(blame["waves"]) == waves
    assert blame["why_not"] == "" if waves == 3 else "knew their group" in blame["why_not"]


def test_publishing_is_recorded_and_a_changed_release_is_noticed(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    made = publish(session, of, actor="someone", now=NOW)
    session.commit()
    row = session.scalars(select(Audit).order_by(Audit.id.desc()).limit(1)).one()
    assert (row.actor, row.action, row.object) == ("someone", "release published", f"release {made.id}")
    forged = Release(number=1, content=made.content.replace("A trial", "Another"), sha256=made.sha256)
    with pytest.raises(ValueError, match="does not match"):
        content_of(forged)


def test_the_funder_s_page_reads_releases_and_nothing_live(session: Session, app: Flask, engine: Engine) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    published(session, of)
    who = visitors.staff_browser(app, session, visitors.member(session, "funder"))
    asked: list[str] = []
    live = app.extensions["evalapp"].engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement.lower())

    event.listen(live, "before_cursor_execute", note)
    try:
        for path in ("/funder/trial", "/funder/trial/recruitment.csv", "/funder/trial/blame-means.csv"):
            assert who.get(path).status_code == 200
    finally:
        event.remove(live, "before_cursor_execute", note)
    tables = {
        name
        for name in ("release", "trial", "staff_session", "staff_user")
        if any(f"from {name}" in one for one in asked)
    }
    assert tables >= {"release", "trial"}
    for name in (
        "response",
        "score",
        "answer",
        "assignment",
        "membership",
        "person",
        "site",
        "review",
        "allocation",
        "arm",
    ):
        assert not [one for one in asked if f"from {name}" in one or f"join {name}" in one], name


def test_what_is_withheld_never_reaches_the_funder_s_page(session: Session, app: Flask) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    made = publish(session, of, actor="system", now=NOW)
    session.commit()
    said = (
        visitors.staff_browser(app, session, visitors.member(session, "funder"))
        .get("/funder/trial")
        .get_data(as_text=True)
    )
    marks = {mark for group in json.loads(made.withheld).values() for mark in group}
    assert marks
    assert not [mark for mark in marks if mark in said]


def test_a_release_is_worked_out_by_a_reader_while_others_write(engine: Engine, session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    session.commit()
    with db.reading(engine) as reader:
        prepared = releases.prepare(reader, reader.get_one(Trial, of.id), now=NOW)
        session.get_one(Trial, of.id).title = "Sent meanwhile"
        session.commit()
    made = releases.store(session, prepared, actor="system", now=NOW)
    assert (made.number, made.content) == (1, prepared.content)


def test_a_release_overtaken_by_another_is_not_published(session: Session) -> None:
    of = crowd.trial(session)
    crowd.people(session, of)
    prepared = releases.prepare(session, of, now=NOW)
    published(session, of)
    with pytest.raises(releases.Overtaken):
        releases.store(session, prepared, actor="system", now=NOW)
    assert [one.number for one in releases.every(session, of.id)] == [1]
