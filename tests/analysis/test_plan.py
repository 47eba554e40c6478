"""A plan survives being written down, and a wrong one is refused by the name of its key."""

from typing import Any

import pytest

from analysis.errors import BadData
from analysis.plan import Plan


def outcome(**changes: Any) -> dict[str, Any]:
    usual = {
        "code": "BLG",
        "label": "Blame",
        "scale": "BLG",
        "wave": "month3",
        "baseline_wave": "baseline",
        "roles": ["practitioner"],
        "minimum": 0,
        "maximum": 100,
        "higher_is_better": False,
        "smallest_worthwhile": 8,
        "primary": True,
    }
    return {**usual, **changes}


def share(**changes: Any) -> dict[str, Any]:
    usual = {
        "code": "hurt", "label": "Hurt", "kind": "share", "items": ["HARM1"], "reply": "agree", "wave": "after",
        "roles": ["parent"], "higher_is_better": False,
    }  # fmt: skip
    return {**usual, **changes}


def process(**changes: Any) -> dict[str, Any]:
    usual = {
        "code": "days", "label": "Days", "kind": "process", "scale": "days_to_report", "wave": "after", "higher_is_better": False,
    }  # fmt: skip
    return {**usual, **changes}


def plan(**changes: Any) -> dict[str, Any]:
    usual = {"design": "randomised", "planned_sites": 20, "outcomes": [outcome()]}
    return {**usual, **changes}


def test_a_plan_reads_back_as_it_was_written() -> None:
    read = Plan.from_dict(plan())
    assert Plan.from_dict(read.to_dict()) == read
    assert read.primary.code == "BLG"
    assert (read.alpha, read.level, read.seed) == (0.05, 0.95, 1)


def test_a_plan_of_every_kind_reads_back_as_it_was_written() -> None:
    read = Plan.from_dict(plan(outcomes=[outcome(), share(), process(higher_is_better=None)]))
    assert Plan.from_dict(read.to_dict()) == read
    assert [one.kind for one in read.outcomes] == ["scale", "share", "process"]
    assert [(one.minimum, one.maximum) for one in read.outcomes[1:]] == [(0, 100), (0, 8.5)]


def test_an_outcome_written_before_there_were_kinds_is_a_scale() -> None:
    assert Plan.from_dict(plan()).outcomes[0].kind == "scale"


def test_a_plan_need_not_foresee_a_number_of_sites() -> None:
    assert Plan.from_dict(plan(planned_sites=None)).planned_sites is None


@pytest.mark.parametrize(
    ("values", "key"),
    [
        (plan(design="cohort"), "plan.design"),
        (plan(planned_sites=1), "plan.planned_sites"),
        (plan(planned_sites=20.5), "plan.planned_sites"),
        (plan(planned_sites=True), "plan.planned_sites"),
        (plan(alpha=0), "plan.alpha"),
        (plan(level=95), "plan.level"),
        (plan(seed="one"), "plan.seed"),
        (plan(alhpa=0.05), "plan.alhpa"),
        ({"planned_sites": 20, "outcomes": []}, "plan.design"),
        (plan(outcomes="BLG"), "plan.outcomes"),
        (plan(outcomes=[]), "0 are primary"),
        (plan(outcomes=[outcome(), outcome()]), '"BLG" is used twice'),
        (plan(outcomes=[outcome(), outcome(code="SAF")]), "2 are primary (BLG, SAF)"),
        (plan(outcomes=[3]), "outcomes[0]"),
        (plan(outcomes=[outcome(roles=["pilot"])]), "outcomes[0].roles"),
        (plan(outcomes=[outcome(label="")]), "outcomes[0].label"),
        (plan(outcomes=[outcome(minimum="low")]), "outcomes[0].minimum"),
        (plan(outcomes=[outcome(maximum=float("inf"))]), "outcomes[0].maximum"),
        (plan(outcomes=[outcome(maximum=0)]), "outcomes[0].maximum"),
        (plan(outcomes=[outcome(higher_is_better="yes")]), "outcomes[0].higher_is_better"),
        (plan(outcomes=[outcome(baseline_wave="month3")]), "outcomes[0].baseline_wave"),
        (plan(outcomes=[outcome(smallest_worthwhile=-8)]), "outcomes[0].smallest_worthwhile"),
        (plan(outcomes=[{k: v for k, v in outcome().items() if k != "wave"}]), "outcomes[0].wave"),
        (plan(outcomes=[{k: v for k, v in outcome().items() if k != "minimum"}]), "outcomes[0].minimum"),
        (plan(outcomes=[outcome(kind="rumour")]), "outcomes[0].kind"),
        (plan(outcomes=[outcome(items=["BLG1"])]), "outcomes[0].items"),
        (plan(outcomes=[outcome(higher_is_better=None)]), "outcomes[0].higher_is_better"),
        (plan(outcomes=[outcome(), share(items=[])]), "outcomes[1].items"),
        (plan(outcomes=[outcome(), share(items=[1])]), "outcomes[1].items"),
        (plan(outcomes=[outcome(), share(reply="maybe")]), "outcomes[1].reply"),
        (plan(outcomes=[outcome(), share(baseline_wave="before")]), "outcomes[1].baseline_wave"),
        (plan(outcomes=[outcome(), share(maximum=5)]), "outcomes[1].maximum"),
        (plan(outcomes=[share(primary=True)]), "outcomes[0].primary"),
        (plan(outcomes=[outcome(), process(scale="weather")]), "outcomes[1].scale"),
        (plan(outcomes=[outcome(), process(roles=["parent"])]), "outcomes[1].roles"),
    ],
)
def test_a_wrong_plan_is_refused_by_the_name_of_its_key(values: dict[str, Any], key: str) -> None:
    with pytest.raises(BadData) as refusal:
        Plan.from_dict(values)
    assert key in str(refusal.value)
