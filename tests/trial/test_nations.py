"""Each nation's own words are data, whole, and used in labels."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from evalapp.models import NATIONS
from evalapp.nations import nation, nations
from tests import make
from tests.security import visitors

PAGES_OF = {
    "admin": ["Start", "Sites", "Reviews and people", "Messages", "Board", "Accounts"],
    "evaluator": [
        "Start",
        "Sites",
        "Paper",
        "Board",
        "Outcomes",
        "Releases",
        "Funder page",
        "Released words",
        "Pages set aside",
    ],
    "coordinator": ["Start", "Sites", "Reviews and people", "Messages", "Paper", "Board", "Words to read"],
    "funder": ["Start", "Funder page"],
}


def test_every_nation_of_the_trial_has_its_words_and_no_other() -> None:
    assert tuple(nations()) == NATIONS


@pytest.mark.parametrize("code", NATIONS)
def test_a_nation_s_words_are_all_there_and_fit_their_columns(code: str) -> None:
    found = nation(code)
    assert all([found.name, found.body, found.review, found.guidance, found.review_types])
    assert all(len(kind) <= 80 for kind in found.review_types)
    assert len(set(found.review_types)) == len(found.review_types)


def test_old_names_are_not_offered() -> None:
    said = str(nations())
    assert not [old for old in ("LSCB", "Serious Case Review", "Safeguarding Children Board") if old in said]


def test_an_unknown_nation_is_an_error() -> None:
    with pytest.raises(KeyError):
        nation("france")


@pytest.mark.parametrize("code", NATIONS)
def test_a_new_review_offers_its_own_nation_s_kinds(app: Flask, session: Session, code: str) -> None:
    site = make.site(session, make.trial(session), nation=code)
    session.commit()
    who = visitors.staff_browser(app, session, visitors.member(session, "coordinator"))
    page = who.get(f"/staff/sites/{site.id}/reviews/new").get_data(as_text=True)
    offered = [kind for one in nations().values() for kind in one.review_types if f'<option value="{kind}">' in page]
    assert set(offered) == set(nation(code).review_types)
    assert nation(code).body in page
