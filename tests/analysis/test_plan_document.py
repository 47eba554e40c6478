"""A plan is read strictly, told what it could never conclude, and known by its hash."""

import json
from importlib.resources import files
from typing import Any

import pytest

from analysis.errors import BadData
from analysis.report.document import (
    StatisticalAnalysisPlan,
    attainable_p,
    concerns,
    fatal,
    plan_from_dict,
    plan_from_toml,
)

DEFAULT = files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8")


def values(**changes: Any) -> dict[str, Any]:
    outcome = {
        "code": "blame",
        "label": "Blame",
        "column": "y",
        "baseline": "x",
        "family": "primary",
        "smallest_worthwhile": 8,
    }
    usual: dict[str, Any] = {
        "title": "A trial", "estimand": "Everyone, as allocated.", "design": "randomised", "planned_sites": [12, 12],
        "columns": {"arm": "arm", "site": "site", "review": "review", "participant": "who"}, "outcomes": [outcome],
    }  # fmt: skip
    return {**usual, **changes}


def outcome(**changes: Any) -> dict[str, Any]:
    return {**values()["outcomes"][0], **changes}


def plan(**changes: Any) -> StatisticalAnalysisPlan:
    return plan_from_dict(values(**changes))


def test_the_default_plan_is_sound_and_reads_back_as_it_was_written() -> None:
    read = plan_from_toml(DEFAULT)
    assert plan_from_dict(read.to_dict()) == read
    assert plan_from_toml(json.dumps(read.to_dict())) == read
    assert concerns(read) == ()
    assert read.method_of(read.primary) == "lmm_kenward_roger"


def test_the_hash_is_of_what_a_plan_says_and_not_of_how_it_is_typed() -> None:
    spaced = DEFAULT.replace("\n\n", "\n# a remark\n\n\n").replace("seed = 1 ", "seed   =  1 ")
    assert plan_from_toml(spaced).sha256 == plan_from_toml(DEFAULT).sha256
    assert plan_from_toml(DEFAULT.replace("seed = 1 ", "seed = 2 ")).sha256 != plan_from_toml(DEFAULT).sha256


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": ""}, "plan.title: a text is needed"),
        ({"design": "cohort"}, 'plan.design: "cohort" is not one of randomised, nonrandomised'),
        ({"planned_sites": 24}, "plan.planned_sites: two whole numbers"),
        ({"planned_sites": [12, True]}, "plan.planned_sites: two whole numbers"),
        ({"planned_sites": [12, 0]}, "plan.planned_sites: two whole numbers"),
        ({"alpha": 0.9}, "plan.alpha: 0.9 is not a proportion"),
        ({"alpha": 0.01}, "plan.level: 0.95 does not go with alpha 0.01"),
        ({"seed": 1.5}, "plan.seed: a whole number"),
        ({"adjust": "bonferroni"}, 'plan.adjust: "bonferroni" is not one of'),
        ({"sites": 3}, "plan.sites: there is no such key"),
        ({"outcomes": []}, "plan.outcomes: 0 are primary (none)"),
        ({"outcomes": "blame"}, "plan.outcomes: a list of tables is needed"),
        ({"outcomes": [outcome(), outcome()]}, 'the code "blame" is used twice'),
        ({"outcomes": [outcome(), outcome(code="b")]}, "2 are primary (blame, b)"),
        ({"outcomes": [outcome(method="anova")]}, 'plan.outcomes[0].method: "anova" is not one of'),
        ({"outcomes": [outcome(sensitivity=["z"])]}, 'plan.outcomes[0].sensitivity: "z" is not one of'),
        ({"outcomes": [outcome(smallest_worthwhile=-1)]}, "smallest_worthwhile: a difference above 0"),
        ({"outcomes": [outcome(smallest_worthwhile=float("nan"))]}, "smallest_worthwhile: a number is needed"),
        ({"outcomes": [outcome(baseline="y")]}, 'column "y" is named both'),
        ({"moderations": [{"outcome": "morale", "by": "role"}]}, 'there is no outcome "morale"'),
        ({"allocation": "pairs"}, "plan.columns.pairs: is missing"),
        ({"columns": {"arm": "arm"}}, "plan.columns.site: is missing"),
        ({"columns": []}, "plan.columns: a table of keys and values"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_refused_by_the_name_of_its_key(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadData) as caught:
        plan(**changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_that_is_no_toml_says_where() -> None:
    with pytest.raises(BadData, match=r"cannot be read: .*line 2"):
        plan_from_toml("design = 'randomised'\ntitle = ?")


@pytest.mark.parametrize(
    ("changes", "lowest"),
    [
        ({"planned_sites": [3, 3]}, 2 / 20),
        ({"planned_sites": [4, 4]}, 2 / 70),
        ({"planned_sites": [3, 4]}, 1 / 35),
        ({"planned_sites": [5, 5], "allocation": "pairs"}, 2 / 32),
    ],
)
def test_the_smallest_p_is_known_before_there_are_data(changes: dict[str, Any], lowest: float) -> None:
    columns = {**values()["columns"], "pairs": "pair"} if changes.get("allocation") else values()["columns"]
    assert attainable_p(plan(**changes, columns=columns)) == pytest.approx(lowest)


@pytest.mark.parametrize(
    ("planned", "method"),
    [
        ([12, 12], "lmm_kenward_roger"),
        ([14, 10], "lmm_kenward_roger"),
        ([15, 10], "cr2"),
        ([6, 14], "cr2"),
        ([4, 4], "cluster_summary"),
        ([2, 4], "cr2"),
        ([2, 3], "cluster_summary"),
        ([1, 2], None),
    ],
)
def test_the_ladder_takes_cr2_where_planned_arms_are_uneven(planned: list[int], method: str | None) -> None:
    made = plan(planned_sites=planned)
    assert made.method_of(made.primary) == method
    assert any("uneven" in one for one in concerns(made)) == (method == "cr2")


# What must stop a plan from being locked: its primary could never decide.
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"planned_sites": [3, 3], "outcomes": [outcome(method="randomisation")]}, "can never reach alpha 0.05"),
        ({"planned_sites": [1, 2]}, "nothing to lock"),
        ({"design": "nonrandomised", "outcomes": [outcome(method="cluster_summary")]}, "name did"),
        ({"design": "nonrandomised", "outcomes": [outcome(method="did", baseline=None)]}, "needs a baseline"),
        ({"outcomes": [outcome(method="clda")]}, "needs a wave column"),
    ],
)  # fmt: skip
def test_a_plan_whose_primary_can_never_decide_is_told_before_it_is_locked(changes: dict[str, Any], said: str) -> None:
    found = fatal(plan(**changes))
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"planned_sites": [2, 3]}, "nothing is called significant"),
        ({"planned_sites": [3, 3]}, "cannot confirm the primary by itself"),
        ({"outcomes": [outcome(method="cr2")]}, "the usual choice is lmm_kenward_roger"),
        ({"planned_sites": [4, 4], "outcomes": [outcome(method="lmm_kenward_roger")]}, "is conservative"),
        ({"outcomes": [outcome(smallest_worthwhile=None)]}, "too small to matter"),
        ({"columns": {"arm": "arm", "site": "site", "review": "review"}}, "counted twice"),
        ({"columns": {"arm": "arm", "site": "site", "participant": "who"}}, "more alike"),
    ],
)
def test_what_is_worth_knowing_before_locking_is_said(changes: dict[str, Any], said: str) -> None:
    made = plan(**changes)
    assert fatal(made) == ()
    assert any(said in one for one in concerns(made))
