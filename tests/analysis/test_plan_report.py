"""A plan run on data: the numbers are the comparison's, and every result says whether it was planned."""

import json
from dataclasses import replace

import pytest

from analysis.compare import Comparison
from analysis.errors import BadData
from analysis.report.document import StatisticalAnalysisPlan, plan_from_dict
from analysis.report.run import Lock, Report, lock, lock_from_dict, run_plan
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import answers_of_r, table
from tests.analysis.test_plan_document import outcome, values

AT = "2026-01-05T09:00:00+00:00"
COLUMNS = {"arm": "arm", "site": "site", "review": "review", "participant": "participant", "treatment": "1"}


def television(**changes: object) -> StatisticalAnalysisPlan:
    knowledge = outcome(
        code="knowledge", label="Knowledge", column="outcome", baseline="baseline", sensitivity=["cr2", "cluster_summary"],
        smallest_worthwhile=0.2,
    )  # fmt: skip
    return plan_from_dict(values(planned_sites=[14, 14], columns=COLUMNS, outcomes=[knowledge], **changes))


def run(plan: StatisticalAnalysisPlan, locked: Lock | None = None, **more: object) -> Report:
    return run_plan(plan, table("tvsfp"), lock=locked, **more)  # type: ignore[arg-type]


def test_a_locked_plan_gives_r_s_numbers_and_calls_them_pre_specified() -> None:
    plan = television()
    found = run(plan, lock(plan, AT))
    assert [(one.part, one.method, one.tag) for one in found.entries] == [
        ("decides", "lmm_kenward_roger", "pre-specified"),
        ("beside", "cr2", "pre-specified"),
        ("beside", "cluster_summary", "pre-specified"),
    ]
    for one in found.entries:
        assert isinstance(one.result, Effect)
        assert one.result.estimate == pytest.approx(answers_of_r("tvsfp")[one.method]["estimate"], abs=1e-6)
    assert found.deviations == ()
    assert found.plan_sha256 == plan.sha256
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["locked_at"] == AT


def test_the_same_plan_and_data_give_the_same_report() -> None:
    plan = television()
    assert run(plan, lock(plan, AT)).to_dict() == run(plan, lock(plan, AT)).to_dict()


def test_without_a_lock_everything_is_exploratory() -> None:
    found = run(television())
    assert {one.tag for one in found.entries} == {"exploratory"}
    assert all("not locked" in one.note for one in found.entries)


def test_what_changed_after_locking_deviates_and_is_named() -> None:
    locked = lock(television(), AT)
    other = replace(locked.plan, outcomes=(replace(locked.plan.primary, smallest_worthwhile=0.1),))
    found = run(other, locked)
    assert {one.tag for one in found.entries} == {"deviation"}
    assert "knowledge.smallest_worthwhile" in found.entries[0].note
    assert "not the one locked" in found.deviations[0]
    everywhere = run(replace(locked.plan, seed=2), locked)
    assert "changed after the plan was locked: seed" in everywhere.entries[0].note


def test_an_outcome_added_later_is_exploratory_and_one_left_out_is_named() -> None:
    plan = television()
    more = replace(plan.primary, code="start", label="Start", column="baseline", baseline=None, family="secondary")
    grown = replace(plan, outcomes=(plan.primary, more))
    found = run(grown, lock(plan, AT))
    assert {(one.outcome, one.tag) for one in found.entries} == {
        ("knowledge", "pre-specified"),
        ("start", "exploratory"),
    }
    assert any("left out though planned: Start" in one for one in run(plan, lock(grown, AT)).deviations)


def test_what_is_asked_besides_the_plan_is_exploratory() -> None:
    plan = television()
    found = run(plan, lock(plan, AT), extra=[("knowledge", "did")])
    assert [(one.method, one.tag) for one in found.entries][-1] == ("did", "exploratory")
    with pytest.raises(BadData, match="no outcome"):
        run(plan, extra=[("morale", "did")])
    with pytest.raises(BadData, match="no method"):
        run(plan, extra=[("knowledge", "anova")])


def test_fewer_sites_than_foreseen_are_said_and_the_method_stays() -> None:
    plan = television()
    locked = lock(plan, AT)
    frame = table("tvsfp")
    sites = frame.groupby("arm")["site"].unique()
    kept = [*sites[0][:4], *sites[1][:4]]
    found = run_plan(plan, frame[frame["site"].isin(kept)], lock=locked)
    assert found.entries[0].method == "lmm_kenward_roger"
    assert any("14 and 14 sites were foreseen" in one and "4 and 4" in one for one in found.deviations)


def test_an_outcome_the_table_cannot_answer_says_why_and_the_others_stand() -> None:
    plan = television()
    gone = replace(plan.primary, code="gone", label="Gone", column="no_such", family="secondary")
    found = run(replace(plan, outcomes=(plan.primary, gone)))
    assert isinstance(found.comparisons["knowledge"], Comparison)
    assert isinstance(found.comparisons["gone"], NotEstimable)
    assert any("Gone: could not be compared" in one for one in found.deviations)
    with pytest.raises(BadData, match="no_such"):
        run(replace(plan, outcomes=(replace(gone, family="primary"),)))


def test_a_planned_method_that_cannot_be_estimated_is_a_result_with_its_reason() -> None:
    plan = television(design="nonrandomised")
    longitudinal = replace(plan, outcomes=(replace(plan.primary, sensitivity=("clda", "cluster_summary")),))
    found = run(longitudinal)
    refused = {one.method: one.result for one in found.entries if isinstance(one.result, NotEstimable)}
    assert set(refused) == {"clda", "cluster_summary"}
    assert "randomis" in refused["clda"].reason


def test_a_plan_that_can_never_decide_is_not_locked_and_a_lock_that_was_touched_is_noticed() -> None:
    with pytest.raises(BadData, match="can never reach alpha"):
        lock(plan_from_dict(values(planned_sites=[3, 3], outcomes=[outcome(method="randomisation")])), AT)
    written = lock(television(), AT).to_dict()
    assert lock_from_dict(written) == lock(television(), AT)
    with pytest.raises(BadData, match="changed after it was locked"):
        lock_from_dict({**written, "plan": {**written["plan"], "seed": 7}})
    with pytest.raises(BadData, match="no locked plan"):
        lock_from_dict({"plan": {}})
