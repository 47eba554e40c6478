"""The funder's page of trials whose truth is known: it says what is so where the data can tell, and never anything else."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session

import evalapp
from evalapp import create_app, db, measures, releases
from evalapp.config import Settings
from evalapp.dashboard.funder import FROM_ELSEWHERE
from evalapp.dashboard.release_pictures import CRITERIA, Reader
from evalapp.models import Release, Review, Trial
from evalapp.releases import content_of
from evalapp.roster import usual_plan
from evalapp.vault import canonical
from tests.conftest import NOW, SECRETS, Clock
from tests.dashboard import truths
from tests.security import visitors
from tests.security.visitors import Browser


@pytest.fixture(scope="module")
def known(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with every trial of known truth, each with its release."""
    path = tmp_path_factory.mktemp("truths") / "truths.db"
    shutil.copy(migrated_file, path)
    url = f"sqlite:///{path}"
    engine = db.make_engine(url)
    with db.writing(engine) as session:
        for name in truths.TRIALS:
            truths.publish(session, truths.build(session, name, now=NOW), now=NOW)
        session.commit()
    engine.dispose()
    return url


@pytest.fixture
def session(known: str) -> Iterator[Session]:
    engine = db.make_engine(known)
    with db.writing(engine) as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def funder(known: str, session: Session, asset_folder: Path) -> Iterator[Browser]:
    settings = Settings(
        database_url=known, secret_key=SECRETS["EVALAPP_SECRET_KEY"], root_key=SECRETS["EVALAPP_ROOT_KEY"],
        assets=asset_folder, https=True, hosts=("127.0.0.1", "localhost"),
    )  # fmt: skip
    app: Flask = create_app(settings, clock=Clock())
    app.testing = False
    yield visitors.staff_browser(app, session, visitors.member(session, "funder"))
    app.extensions["evalapp"].engine.dispose()


def released(session: Session, name: str) -> dict[str, Any]:
    trial = session.scalars(select(Trial).where(Trial.slug == name)).one()
    last = releases.latest(session, trial.id)
    assert last is not None
    return content_of(last)


def page_of(funder: Browser, name: str, language: str = "en") -> str:
    answer = funder.get(f"/funder/{name}" + ("" if language == "en" else f"?language={language}"))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(answer.get_data(as_text=True)))


def rows_of(who: Browser, path: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(who.get(path).get_data(as_text=True))))


def answer_to(page: str, question: str) -> str:
    """What stands under one of the three questions of the short answer, without its tags."""
    found = re.search(rf'<h3 id="{question}">.*?</section>', page)
    assert found is not None, question
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found.group(0))).strip()


# What a reader answers from the page, beside the truth the answers were drawn from.
ANSWERS = {
    "benefit": (
        ["Yes: better", "Freedom from blame was higher, which is better, in the Appreciative group"],
        ["3 out of 5", "Professionals: 360 of 430 asked have answered"],
        ["No harm was shown, nor is it ruled out", "Furthest apart: parents who felt blamed, 13 in 100 of the Appreciative"],
    ),
    "null": (
        ["No difference that matters", "any difference between the groups", "too small to matter"], ["3 out of 5"],
        ["No harm was shown, nor is it ruled out"],
    ),
    "harm": (
        ["No: worse", "Freedom from blame was lower, which is worse, in the Appreciative group"], ["3 out of 5"],
        ["Worse in the Appreciative group", "Freedom from blame", "Morale", "Hard things talked about",
         "Parents who felt like a failure", "hard things were steered around"],
    ),
    "four": (
        ["Yes: better", "Freedom from blame was higher, which is better, in the Appreciative group"],
        ["1 out of 5", "4 and 4, of 8 planned", "about 13 points out of 100 four times in five"], ["Harm is not ruled out"],
    ),
    "one": (
        ["We cannot tell yet", "it takes two sites of each before the groups can be set side by side, and 6 in all"],
        ["0 out of 5", "how few sites have answered", "1 and 0, of 24 planned"],
        ["Cannot tell yet", "Nothing has been compared yet"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(ANSWERS))
def test_the_three_answers_are_the_truth_as_far_as_the_data_tell(funder: Browser, name: str) -> None:
    page = page_of(funder, name)
    for question, wanted in zip(("worked", "sure", "badly"), ANSWERS[name], strict=True):
        for words in wanted:
            assert words in answer_to(page, question), question
    for words in ("could only have seen a very large effect", "more likely to be overstated than understated"):
        assert (words in page) is (name == "four")
    assert "standard deviations" not in page[: page.index("<details")]  # for whoever looks further


def test_a_trial_without_chance_is_never_answered_with_yes_or_no(session: Session) -> None:
    for name, mark in (("benefit", "Better"), ("harm", "Worse"), ("null", "Too small to matter")):
        short = Reader(released(session, name) | {"design": "nonrandomised"}, str).short()
        assert short is not None
        assert short.mark == mark


def test_the_page_tells_the_whole_rule_by_which_ranges_become_words(funder: Browser) -> None:
    page = page_of(funder, "null")
    rule = page[page.index("How to read this page") :]
    assert "(8 points out of 100 and 10 people in 100 either way): too small to matter." in rule
    assert "Otherwise, where it includes 0: we cannot tell yet" in rule
    assert rule.index("too small to matter") < rule.index("we cannot tell yet") < rule.index("better or worse")


def test_the_findings_are_listed_worst_first_in_one_order_empty_or_not(session: Session) -> None:
    order = [
        "Worse", "Better", "Cannot tell yet", "Too small to matter", "Neither better nor worse", "Not compared",
    ]  # fmt: skip
    for name in ("benefit", "null", "harm", "four", "one"):
        reader = Reader(released(session, name), str)
        assert [mark for _, mark, _ in reader.tally()] == order
        assert sum(len(found) for _, _, found in reader.tally()) == len(reader.findings)


def test_what_is_not_compared_is_called_so_wherever_it_stands(session: Session, funder: Browser) -> None:
    reader = Reader(released(session, "four"), str)
    shown = reader.shares("hard", "hard-shares", "harms")
    assert shown is not None
    rows = {str(row[0]) for row in shown.figure.table().rows}
    assert "Parents who felt like a failure: not compared" in rows
    assert "Parents who felt blamed: cannot tell yet" in rows
    page = page_of(funder, "four")
    assert (
        "Not compared, so that nothing can be said of one group against the other: Parents who felt like a failure."
        in page
    )
    assert "Not shown or not compared" not in page


def test_hard_truths_that_cannot_be_shown_are_named_and_not_left_blank(funder: Browser) -> None:
    page = page_of(funder, "one")
    hard = page[page.index('id="hard"') : page.index('<details class="fold ruled"')]
    assert "None of these can be shown or compared yet" in hard
    assert "Parents who felt blamed" in hard
    assert "<details" not in hard


def test_a_demonstration_says_so_on_every_page_the_empty_one_too(funder: Browser, session: Session) -> None:
    for name in truths.TRIALS:
        page = page_of(funder, name)
        assert "Demonstration: nobody real answered" in page
        assert "Whether children are safer is not measured." in page
        assert "Sites planned: 24" in page or re.search(r", of (24|8) planned", page)
        assert "Appreciative</strong>: 2 or 3 days together" in page
    content = released(session, "benefit") | {
        "arms": ["Panel", "Usual"]
    }  # nothing is said of ways the page does not know
    assert [name for name, _ in Reader(content, str).ways()] == ["Freedom from blame"]


@pytest.mark.parametrize(
    ("still_open", "come", "says"),
    [
        (True, 24, "More answers may come, so this may change"),
        (False, 23, "Only sites or reviews to come can change this"),
        (False, 24, "No more answers are expected"),
        (None, 24, ""),  # a release of before this was recorded
    ],
)
def test_whether_more_answers_may_come_is_said_as_it_was(
    session: Session, still_open: bool | None, come: int, says: str
) -> None:
    content = released(session, "benefit")
    assert content["open"] is False  # as the trial was made: every last day has passed
    content["open"] = still_open
    content["parts"]["recruitment/sites"] |= {"count": come, "target": 24}
    content["parts"]["recruitment/reviews"] |= {"count": 95, "target": 96}  # to the nearest five, as many as aimed for
    certainty = Reader(content, str).certainty()
    assert certainty is not None
    assert certainty.answers.removeprefix("Professionals: 360 of 430 asked have answered.").strip(" .") == says


@pytest.mark.parametrize("name", list(truths.TRIALS))
def test_no_page_claims_more_than_the_rule_allows(funder: Browser, name: str) -> None:
    page = page_of(funder, name)
    main = page[page.index("<main") : page.index("</main>")]
    assert not re.search(r"(?i)significan|no effect|\btrend|padlock|\bp =|\bAI\b|caused", main)


@pytest.mark.parametrize("name", [name for name, made in truths.TRIALS.items() if made.sites[1]])
def test_every_verdict_agrees_with_the_truth_or_claims_nothing(session: Session, name: str) -> None:
    """A benefit is never called a harm, nor a harm a benefit; and of what is the same in both arms nothing is claimed."""
    truth = truths.TRIALS[name].truth.effect
    for key, part in released(session, name)["parts"].items():
        if not key.startswith("outcome/") or part["kind"] != "scale" or not part["comparison"]:
            continue
        true = truth.get((part["scale"], "month3" if "three months" in part["when"] else "after"), 0.0)
        allowed = {"cannot_tell", "described", None} | ({"too_small"} if abs(true) * 25 < 8 else set())
        allowed |= {"benefit"} if true > 0 else {"harm"} if true < 0 else set()
        assert part["comparison"].get("verdict") in allowed, key


def test_a_harm_is_as_large_on_the_page_as_a_benefit(funder: Browser) -> None:
    better, worse = page_of(funder, "benefit"), page_of(funder, "harm")
    assert better.count('class="verdict benefit') >= 2
    assert worse.count('class="verdict harm') > better.count('class="verdict benefit') - 3
    assert worse.index('class="verdict harm') < worse.index("<details")  # above whatever is folded
    for outcome in ("Morale was lower", "Parents who felt like a failure: more common"):
        assert (
            outcome in worse[worse.index('id="hard"') : worse.index('<details class="fold', worse.index('id="hard"'))]
        )


def test_nobody_s_answers_yet_says_what_comes_and_that_nothing_can_be_said(funder: Browser) -> None:
    page = page_of(funder, "empty")
    assert "Nothing has been released yet" in page
    assert "nothing can be said yet" in page
    assert "publish a numbered release when enough people have answered" in page


def test_fidelity_is_told_in_both_groups_by_criterion_and_by_who_scored(session: Session, funder: Browser) -> None:
    reader = Reader(released(session, "benefit"), str)
    figure = reader.fidelity()
    assert figure is not None
    table = figure.figure.table()
    assert len(table.rows) == 2 * len(CRITERIA)
    scored = dict(reader.scored())
    facilitator, observer = (
        scored[f"Fidelity as those who {who} scored it"] for who in ("led the review", "watched it")
    )
    assert float(facilitator[0]) > float(observer[0])  # as the answers were drawn
    assert float(facilitator[0]) > float(facilitator[1])
    numbers = {one.code: one.numbers for one in reader.processes()}
    treated, control = (float(one.split()[0]) for one in numbers["high-fidelity"])
    assert (treated > 40, control) == (True, 5)  # none and nearly none are one class
    assert 2 <= float(numbers["contact-days"][0].removesuffix(" days")) <= 3
    assert "Was it truly appreciative?" in page_of(funder, "benefit")


def test_the_shares_are_those_of_the_people_who_gave_the_reply(session: Session) -> None:
    trial = session.scalars(select(Trial).where(Trial.slug == "harm")).one()
    content = released(session, "harm")["parts"]["outcome/failure"]
    given = session.execute(
        text(
            "SELECT a.code, answer.value FROM answer JOIN response r ON r.id = answer.response_id"
            " JOIN assignment s ON s.id = r.assignment_id JOIN membership m ON m.id = s.membership_id"
            " JOIN allocation l ON l.site_id = m.site_id JOIN arm a ON a.id = l.arm_id"
            " WHERE answer.item = 'HARM1' AND r.instrument = 'parent_after' AND a.trial_id = :trial"
        ),
        {"trial": trial.id},
    ).all()
    values = [(arm, int(value)) for arm, value in given if value not in {None, "null"}]
    for cell, arm in zip(content["cells"], ("appreciative", "traditional"), strict=True):
        mine = [value >= 4 for code, value in values if code == arm]
        assert cell["mean"] == pytest.approx(100 * sum(mine) / len(mine), abs=6)  # the mean of sites, not of people
        assert cell["people"] == pytest.approx(len(mine), abs=2.5)


def test_one_other_reply_settles_that_not_all_four_were_given(session: Session) -> None:
    trial = session.scalars(select(Trial).where(Trial.slug == "benefit")).one()
    outcome = next(one for one in released_plan(trial).outcomes if one.code == "all-four")
    replies = measures.replies(session, trial.id, outcome)
    by_person = {person: set(rows["value"]) for person, rows in replies.groupby("participant")}
    counts = replies.groupby("participant").size()
    found = measures.shares(session, trial.id, outcome).set_index("participant")["value"]
    assert set(found) == {0.0, 100.0}
    for person, values in by_person.items():
        wanted = 0.0 if 0.0 in values else 100.0 if counts[person] == 4 else None
        assert found.get(person) == wanted


def released_plan(trial: Trial) -> Any:
    from evalapp import findings

    plan = findings.plan_of(trial)
    assert plan is not None
    return plan


def test_days_are_compared_as_a_ratio_of_geometric_means(session: Session) -> None:
    part = released(session, "benefit")["parts"]["outcome/days-to-report"]
    treated, control = (cell["mean"] for cell in part["cells"])
    assert part["comparison"]["estimate"] == pytest.approx(treated / control, abs=0.02)  # the means are in whole days
    assert part["comparison"]["low"] < part["comparison"]["estimate"] < part["comparison"]["high"] < 1
    assert part["comparison"]["verdict"] == "benefit"


@pytest.mark.parametrize("name", [name for name in truths.TRIALS if name != "empty"])
def test_no_number_of_a_release_rests_on_fewer_than_the_rules_allow(session: Session, name: str) -> None:
    trial = session.scalars(select(Trial).where(Trial.slug == name)).one()
    last = releases.latest(session, trial.id)
    assert last is not None
    behind = json.loads(last.withheld)
    assert all(len(marks) >= 10 for marks in behind.values())
    for key, part in content_of(last)["parts"].items():
        for cell in part.get("cells", []):
            if not cell.get("hidden", False):
                assert any(one.startswith(f"{key}|") for one in behind), key
                assert cell.get("people", cell.get("reviews")) >= 10
        for item, cells in part.get("each", {}).items():
            assert not cells or any(one.startswith(f"{key}|each|{item}|") for one in behind)
            assert all(5 < cell["percent"] < 95 for cell in cells)
        if part.get("kind") == "share":
            assert all(cell["hidden"] or 0 < cell["mean"] < 100 for cell in part["cells"])


def test_numbers_about_reviews_need_ten_of_three_sites_in_each_group(session: Session) -> None:
    session.begin_nested()
    trial = truths.build(session, "four", now=NOW, slug="two-sites")
    keep = session.scalars(select(Review.id).where(Review.site_id.in_(_sites(session, trial.id, 2)))).all()
    session.execute(
        text("UPDATE review SET contact_days = NULL WHERE site_id IN (SELECT id FROM site WHERE trial_id = :trial)"),
        {"trial": trial.id},
    )
    for review in keep:
        session.execute(text("UPDATE review SET contact_days = 2 + (id < '8') WHERE id = :id"), {"id": review})
    made = truths.publish(session, trial, now=NOW)
    assert made is not None
    days = content_of(made)["parts"]["outcome/contact-days"]
    session.rollback()
    assert days["groups"] == "pooled"  # sixteen reviews of four sites, but eight of two in each group
    assert {cell["group"] for cell in days["cells"]} == {"Both groups together"}


def _sites(session: Session, trial_id: str, each: int) -> list[str]:
    found = session.execute(
        text("SELECT s.id, l.arm_id FROM site s JOIN allocation l ON l.site_id = s.id WHERE s.trial_id = :trial"),
        {"trial": trial_id},
    ).all()
    return [one for arm in {arm for _, arm in found} for one in [site for site, its in found if its == arm][:each]]


def test_before_the_results_open_the_page_is_whole_and_names_no_group(session: Session) -> None:
    session.begin_nested()
    trial = truths.build(session, "four", now=NOW, slug="closed", results_open_at=NOW + timedelta(days=9))
    made = truths.publish(session, trial, now=NOW)
    assert made is not None
    content = content_of(made)
    session.rollback()
    for arm in ('ppreciative"', "raditional"):
        assert arm not in made.content
    reader = Reader(content, str)
    short = reader.short()
    assert short is not None
    assert short.verdict == "pooled"
    assert "both groups together" in short.worked
    assert content["parts"]["certainty"]["facts"]["lost_apart"] is None
    assert content["parts"]["certainty"]["facts"]["sites"] == [8]
    assert {one.verdict for one in reader.findings} <= {"pooled", "suppressed"}


def test_who_came_is_told_week_by_week_beside_what_was_foreseen(session: Session) -> None:
    content = released(session, "benefit")
    lines = {one["label"]: one for one in content["parts"]["recruiting"]["lines"]}
    assert lines["Sites"]["points"] == [[week, 2 * week + 2] for week in range(12)]  # a site of each group a week
    assert lines["Sites"]["target"] == 24
    for label, one in lines.items():
        counts = [count for _, count in one["points"]]
        assert counts == sorted(set(counts)), label
        key = {"Case reviews begun": "reviews", "Parents and carers": "parents"}.get(label, label.lower())
        key = "practitioners" if label == "Professionals" else key
        assert counts[-1] == content["parts"][f"recruitment/{key}"]["count"]  # the line ends where the bar does
        if label not in {"Sites"}:
            assert all(count % 5 == 0 for count in counts)
    people = [count for _, count in lines["Professionals"]["points"]]
    assert people[0] >= 10
    shown = Reader(content, str).climb()
    assert shown is not None
    assert "Sites: 24, where 24 were foreseen by now" in shown.finding


@pytest.mark.parametrize(
    ("weeks", "least", "points"),
    [
        ([0, 0, 1, 1, 1, 4], 1, [[0, 2], [1, 5], [4, 6]]),
        ([0] * 9, 10, []),  # fewer than may be told
        ([0] * 9 + [3] * 9 + [4] * 2, 10, [[3, 20]]),  # eighteen by week 3; the two of week 4 are told of in all alone
        ([0] * 12 + [1] * 4 + [2] * 9, 10, [[0, 10], [2, 25]]),
        ([], 1, []),
    ],
)
def test_no_step_of_people_tells_of_a_few(weeks: list[int], least: int, points: list[list[int]]) -> None:
    assert releases._rises(weeks, least, releases.Rules()) == points


def test_the_first_week_and_a_trial_without_a_day_for_its_targets_are_told_as_they_are(session: Session) -> None:
    content = released(session, "one")
    content["published_on"] = content["parts"]["recruiting"]["starts_on"]
    content["parts"]["recruiting"] |= {
        "weeks": None, "lines": [{"label": "Sites", "points": [[0, 1]], "target": 24}],
    }  # fmt: skip
    shown = Reader(content, str).climb()
    assert shown is not None
    assert shown.finding == "The first week. Sites: 1 of 24; no day was set by which the targets are to be reached."
    del content["parts"]["recruiting"]
    content["order"].remove("recruiting")
    assert Reader(content, str).climb() is None


def test_the_certainty_is_by_bands_and_from_what_is_shown(session: Session) -> None:
    found = released(session, "benefit")["parts"]["certainty"]
    assert found["facts"]["lost"] == [10, 20]  # the truth is 15 %
    assert found["facts"]["sites"] == [12, 12]
    assert found["facts"]["smallest"] == pytest.approx(0.37, abs=0.02)
    assert found["overall"] == min(found["ratings"][one] for one in ("design", "size", "attrition"))


def test_a_release_of_the_earlier_form_is_shown_in_its_own_words(session: Session, funder: Browser) -> None:
    trial = session.scalars(select(Trial).where(Trial.slug == "empty")).one()
    written = canonical(
        {
            "number": 1, "published_on": "2026-01-05", "title": "An earlier trial", "demo": True, "design": "randomised",
            "planned_sites": 24, "by_arm": True, "opens_on": None, "rules": {"people": 10, "reviews": 3, "step": 5},
            "order": ["recruitment/sites", "outcome/blame"],
            "parts": {
                "recruitment/sites": {"label": "Sites", "count": 24, "target": 24},
                "outcome/blame": {
                    "label": "Freedom from blame", "scale": "BLG", "primary": True, "unit": "points out of 100",
                    "range": [0, 100], "higher_is_better": True, "smallest_worthwhile": 8, "waves": ["Before", "Three months"],
                    "when": "three months after the review", "why_not": "", "groups": "arms",
                    "arms": ["Appreciative", "Traditional"],
                    "cells": [
                        {"wave": "Three months", "group": "Appreciative", "look": "treatment", "hidden": False, "people": 25,
                         "mean": 61.0, "low": 55.0, "high": 66.0, "in_ten": None},
                        {"wave": "Three months", "group": "Traditional", "look": "control", "hidden": True},
                    ],
                    "comparison": {"hidden": False, "estimate": 9.1, "low": 2.0, "high": 16.2, "people": 50, "adjusted": True,
                                   "verdict": "benefit", "sentence": "It was 9.1 points higher, as was said then."},
                },
            },
        }
    )  # fmt: skip
    import hashlib

    session.add(
        Release(
            trial_id=trial.id, number=1, published_at=NOW, published_by="system", content=written,
            sha256=hashlib.sha256(written.encode()).hexdigest(),
        )
    )  # fmt: skip
    session.flush()
    content = content_of(releases.latest(session, trial.id) or Release())
    session.commit()
    try:
        for language, notice in (("en", "an earlier form of this page"), ("cy", "ffurf gynharach")):
            page = page_of(funder, "empty", language)
            assert notice in page
            assert "It was 9.1 points higher, as was said then." in page
            assert "Three months, Appreciative: 61 points out of 100" in page
        assert funder.get("/funder/empty/blame-means.csv").status_code == 404
        assert content["number"] == 1
    finally:
        _forget(session, trial.id)


def _forget(session: Session, trial_id: str) -> None:
    """Take the release away again, whatever the database's own rule, so that the next test has its empty trial."""
    for (name,) in session.execute(
        text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'release'")
    ).all():
        session.execute(text(f'DROP TRIGGER "{name}"'))
    session.execute(text("DELETE FROM release WHERE trial_id = :trial"), {"trial": trial_id})
    session.commit()


def test_the_welsh_page_holds_the_english_page_s_numbers(funder: Browser) -> None:
    def numbers(page: str) -> list[str]:
        main = page[page.index("<main") : page.index("</main>")]
        main = re.sub(r"<script.*?</script>|<svg.*?</svg>|<[^>]+>|“.*?”", " ", main)
        return sorted(re.findall(r"(?<![\w.])[−+]?\d+(?:\.\d+)?", main))

    for name in ("benefit", "harm", "four", "one"):
        english, welsh = page_of(funder, name), page_of(funder, name, "cy")
        assert '<html lang="cy">' in welsh
        assert "Pa mor sicr y gallwn fod?" in welsh
        assert numbers(welsh) == numbers(english), name
    for left in (
        "Freedom from blame",
        "points out of 100",
        "which is worse",
        "not shown",
        "Why there is no number",
        "out of 5",
    ):
        assert left not in page_of(funder, "harm", "cy").replace('lang="en"', ""), left


def texts_of(page: str) -> list[str]:
    """Everything a reader sees or hears of a page: text, labels, titles, what the charts say; not what is named English."""
    whole = re.sub(r'<(\w+)[^>]*\blang="en"[^>]*>.*?</\1>', " ", page)
    charts = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', whole)
    found = [one for chart in charts for one in _strings(json.loads(chart))]
    whole = re.sub(r"<(script|style)\b.*?</\1>", " ", whole)
    found += re.findall(r'\b(?:aria-label|title|alt|placeholder)="([^"]*)"', whole)
    return found + [unescape(one).strip() for one in re.findall(r">([^<]+)<", whole)]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in ("text", "ticktext", "title", "name", "data", "layout", "xaxis", "yaxis", "annotations"):
            yield from _strings(value.get(name))
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    elif isinstance(value, str):
        yield value


@pytest.fixture(scope="module")
def english() -> list[re.Pattern[str]]:
    """Every text of the source as it may stand on a page, whatever its places hold."""
    with (Path(evalapp.__file__).parent / "translations/cy/LC_MESSAGES/funder.po").open("rb") as file:
        catalogue = read_po(file, locale="cy")
    texts = [str(message.id) for message in catalogue if message.id and message.id != message.string]
    ends = [r"(?<!\w)" + re.sub(r"%\\\(\w+\\\)[sd]", ".+?", re.escape(one)) + r"(?!\w)" for one in texts]
    return [re.compile(one) for one in ends]


@pytest.mark.parametrize("name", list(truths.TRIALS))
def test_no_english_stands_on_the_welsh_page(funder: Browser, english: list[re.Pattern[str]], name: str) -> None:
    page = page_of(funder, name, "cy").replace(truths.TRIALS[name].title, "")
    left = {one.pattern: text for text in texts_of(page) for one in english if one.search(text)}
    assert left == {}
    small = re.compile(
        r"(?i)(?<!\w)(the|and|was|were|which|with|from|than|that|not|have|been|this|are|who|no|of)(?!\w)"
    )
    assert [text for text in texts_of(page) if small.search(text)] == []


def test_before_the_results_open_no_english_stands_on_the_welsh_page(
    funder: Browser, session: Session, english: list[re.Pattern[str]]
) -> None:
    for slug, facts in (("cy-closed", {"results_open_at": NOW + timedelta(days=9)}), ("cy-no-plan", {"plan": {}})):
        truths.publish(session, truths.build(session, "four", now=NOW, slug=slug, **facts), now=NOW)
        session.commit()
        page = page_of(funder, slug, "cy").replace(truths.TRIALS["four"].title, "")
        assert {one.pattern: text for text in texts_of(page) for one in english if one.search(text)} == {}, slug


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Only one site of the Appreciative group has answered. A site …", "dim ond un safle"),
        ("2 sites, fewer than 4, so the arms are described and not compared", "llai na phedwar safle"),
        ("the difference has no interval", "Ni ellir rhoi ystod"),
        ("something nobody has foreseen", "yn rhoi'r rheswm yn Saesneg"),
    ],
)
def test_why_nothing_was_compared_is_told_in_welsh_too(session: Session, reason: str, says: str) -> None:
    with (Path(evalapp.__file__).parent / "translations/cy/LC_MESSAGES/funder.po").open("rb") as file:
        catalogue = read_po(file, locale="cy")
    content = released(session, "benefit")
    content["parts"]["outcome/blame"]["comparison"] = {"hidden": False, "not_estimable": reason}
    told = Reader(content, lambda text: str(catalogue[text].string), english=False).findings[0]
    assert says in told.sentence
    assert reason not in told.sentence
    assert Reader(content, str).findings[0].sentence.endswith(".")


def test_every_name_a_usual_plan_gives_is_there_to_be_translated() -> None:
    labels = {one["label"] for one in usual_plan(design="randomised", planned_sites=24)["outcomes"]}
    assert labels <= set(FROM_ELSEWHERE)


def test_every_figure_of_a_page_can_be_fetched(funder: Browser, session: Session) -> None:
    for name in Reader(released(session, "harm"), str).figures():
        for language in ("", "?language=cy"):
            answer = funder.get(f"/funder/harm/{name}.csv{language}")
            assert answer.status_code == 200, name
            assert answer.mimetype == "text/csv"
    assert funder.get("/funder/harm/nothing.csv").status_code == 404


def test_the_plan_s_outcomes_reach_the_evaluator_s_pages_too(known: str, session: Session, asset_folder: Path) -> None:
    settings = Settings(
        database_url=known, secret_key=SECRETS["EVALAPP_SECRET_KEY"], root_key=SECRETS["EVALAPP_ROOT_KEY"],
        assets=asset_folder, https=True, hosts=("127.0.0.1", "localhost"),
    )  # fmt: skip
    app = create_app(settings, clock=Clock())
    who = visitors.staff_browser(app, session, visitors.member(session, "evaluator"))
    for one in usual_plan(design="randomised", planned_sites=24)["outcomes"]:
        answer = who.get(f"/dashboard/four/outcomes/{one['code']}")
        assert answer.status_code == 200, one["code"]
    page = re.sub(r"\s+", " ", unescape(who.get("/dashboard/benefit/outcomes/days-to-report").get_data(as_text=True)))
    said = re.search(r"The Appreciative group took (0\.\d\d) times as long as the Traditional group", page)
    assert said is not None
    ratio = float(said.group(1))
    means = {
        row[0]: float(row[1]) for row in rows_of(who, "/dashboard/benefit/outcomes/days-to-report/profile.csv")[1:]
    }
    assert means["Appreciative"] / means["Traditional"] == pytest.approx(ratio, abs=0.006)  # geometric means, in days
    assert 30 < means["Appreciative"] < 101
    assert "log-days" not in page
    head = rows_of(who, "/dashboard/benefit/outcomes/days-to-report/methods.csv")[0]
    assert "What is estimated" in head
    app.extensions["evalapp"].engine.dispose()


def test_what_was_carried_from_the_earlier_form_keeps_its_numbers(session: Session) -> None:
    """Too few changed since: the old numbers are told in the new words, and not the new numbers."""
    block = releases._Block(
        "outcome/blame", {"kind": "scale", "cells": ["new"], "comparison": "new"}, {"outcome/blame|a": {"1"}}
    )
    old = {"number": 3, "parts": {"outcome/blame": {"cells": ["old"], "comparison": "old"}}, "by_arm": True}
    kept = releases._renewed_or_carried(block, old, {"outcome/blame|a": {"2"}}, releases.Rules(), by_arm=True)
    assert kept.content == {"as_of": 3, "kind": "scale", "cells": ["old"], "comparison": "old"}
