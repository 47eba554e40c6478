"""The response board: whole for evaluators, in steps for those who must not learn whether one person answered."""

import re

import pandas as pd
import pytest
from flask import Flask
from sqlalchemy.orm import Session

from evalapp import responses
from evalapp.dashboard import board
from evalapp.dashboard.board import Line
from evalapp.models import Person, Site
from tests import make
from tests.dashboard import crowd
from tests.dashboard.test_pages import evaluator, rows_of, text_of
from tests.security import visitors


def tally(expected: int, answered: int, opened: int = 0, wave: str = "before") -> pd.DataFrame:
    """One review's questionnaires at one wave, as `responses.board_tally` counts them."""
    return pd.DataFrame(
        {
            "site": ["s"], "site_name": "Northtown", "review": "r", "review_label": "Review 1", "role": "practitioner",
            "wave": wave, "expected": expected, "opened": answered + opened, "answered": answered,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("people", "answered", "opened", "shown", "why"),
    [
        (9, 5, 0, (None, None), "fewer than ten expected"),
        (10, 4, 0, (0, 0), "four is shown as none"),
        (10, 5, 0, (5, 5), "a step"),
        (14, 9, 4, (10, 5), "opened and answered in steps"),
        (30, 30, 0, (30, 30), "all"),
    ],
)
def test_counts_come_in_steps_of_five_and_only_where_ten_are_expected(
    people: int, answered: int, opened: int, shown: tuple[int | None, int | None], why: str
) -> None:
    counts = board.counted(tally(people, answered, opened), "wave", {})
    assert board.lines(counts, {"before": people}) == [Line("Before", people, *shown)], why
    assert board.lines(counts, None) == [Line("Before", people, answered + opened, answered)]


def test_ten_questionnaires_of_four_people_are_not_ten_people() -> None:
    counts = board.counted(pd.concat([tally(4, 4, wave=wave) for wave in ("before", "after", "month3")]), "site", {})
    assert board.lines(counts, {"s": 4}) == [Line("Northtown", 12, None, None)]


def test_somebody_in_two_reviews_is_one_person_expected(session: Session) -> None:
    of = crowd.trial(session)
    places = crowd.people(session, of, sites=1, reviews=1, each=3)
    other = make.review(session, session.get_one(Site, places[0].site_id), "Review 9")
    make.person(session, other, person=session.get_one(Person, places[0].person_id))
    assert responses.people_expected(session, of.id, "role", {}) == {"practitioner": 6}
    assert responses.people_expected(session, of.id, "site", {"site": places[0].site_id}) == {places[0].site_id: 3}


@pytest.mark.parametrize("by", list(board.BY))
def test_the_lines_of_every_way_to_count_add_up_to_all_that_is_expected(app: Flask, session: Session, by: str) -> None:
    crowd.people(session, crowd.trial(session))
    rows = rows_of(evaluator(app, session), f"/dashboard/trial/responses.csv?by={by}")
    assert rows[0][:4] == ["Group", "Expected", "Opened", "Answered"]
    assert [sum(int(row[column]) for row in rows[1:]) for column in (1, 3)] == [48 * 5, 48 * 2]


def test_a_long_board_comes_in_pages_and_its_file_whole(
    app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.people(session, crowd.trial(session))  # twelve reviews
    monkeypatch.setattr(board, "LINES_A_PAGE", 5)
    who = evaluator(app, session)
    path = "/dashboard/trial/responses?by=review"
    names = [row[0] for row in rows_of(who, path.replace("responses?", "responses.csv?"))[1:]]
    assert len(names) == 12
    pages = [visitors.TOKEN.sub("", text_of(who, f"{path}&page={number}")) for number in (1, 2, 3, 9)]
    for number, page in enumerate(pages[:3]):
        shown = [name for name in names if f"{name}<" in page]
        assert shown == names[5 * number : 5 * number + 5]
        assert "96 of 240 questionnaires" in page
    assert pages[3] == pages[0]
    assert "Pages of the board" not in text_of(who, path.replace("review", "wave"))


def test_the_board_narrows_by_links_alone(app: Flask, session: Session) -> None:
    crowd.people(session, crowd.trial(session))
    who = evaluator(app, session)
    page = text_of(who, "/dashboard/trial/responses?by=site")
    link = re.search(r'href="(/dashboard/trial/responses\?[^"]*wave=month3[^"]*)"', page)
    assert link is not None
    assert "48 of 48 questionnaires" in text_of(who, link.group(1).replace("&amp;", "&"))
    assert who.get("/dashboard/trial/responses?by=name").status_code == 404
    assert "Nobody is expected here" in text_of(who, "/dashboard/trial/responses?role=nobody")


@pytest.mark.parametrize("role", ["coordinator", "admin"])
def test_one_more_answer_changes_nothing_a_coordinator_sees(app: Flask, session: Session, role: str) -> None:
    of = crowd.trial(session)
    site = make.site(session, of)
    places = [make.person(session, make.review(session, site, starts_on=crowd.LONG_AGO)) for _ in range(1)]
    review = make.review(session, site, "Review 2", starts_on=crowd.LONG_AGO)
    places = [make.person(session, review) for _ in range(12)]
    for place in places[:6]:
        crowd.answer(session, place, "before", BLG=50.0)
    session.commit()
    who = evaluator(app, session, role)
    paths = [f"/dashboard/trial/responses{kind}?by={by}" for kind in ("", ".csv") for by in board.BY]

    def seen() -> list[str]:
        """The pages whole, but for the form's token, which carries the second it was made in."""
        return [visitors.TOKEN.sub("", who.get(path).get_data(as_text=True)) for path in paths]

    before = seen()
    crowd.answer(session, places[6], "before", BLG=50.0)
    session.commit()
    assert seen() == before


def test_a_coordinator_cannot_narrow_by_two_things_at_once(app: Flask, session: Session) -> None:
    crowd.people(session, crowd.trial(session))
    who = evaluator(app, session, "coordinator")
    one = who.get("/dashboard/trial/responses.csv?by=review&wave=before").get_data()
    assert who.get("/dashboard/trial/responses.csv?by=review&wave=before&role=practitioner").get_data() == one


def test_with_nobody_expected_the_board_says_what_to_do(app: Flask, session: Session) -> None:
    make.trial(session)
    session.commit()
    assert "Nobody is expected yet" in text_of(evaluator(app, session, "coordinator"), "/dashboard/trial/responses")
