"""A plan run on data: the numbers are the comparison's, and every result says whether it was planned."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.compare import Comparison
from analysis.errors import BadData
from analysis.missing.tipping import Tipping
from analysis.moderation import ByBaseline, ByGroup, by_baseline, by_group
from analysis.multiplicity import hochberg, holm
from analysis.report.beside import Adjusted, Tipped
from analysis.report.document import StatisticalAnalysisPlan, concerns, plan_from_dict
from analysis.report.run import Lock, Report, lock, lock_from_dict, run_plan
from analysis.results import Effect, NotEstimable
from evalapp.exchange.plan_report import in_words
from tests.analysis.cases import answers_of_r, question, table, trial
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


def people() -> pd.DataFrame:
    """12 sites: an outcome with gaps, three that go with it, a role, a number; the last site of each arm is silent."""
    frame = trial(seed=9, sites=12, reviews=2, people=6, effect=0.6)
    rng = np.random.default_rng(2)
    frame["second"] = 0.8 * frame["outcome"] + 0.4 * rng.normal(size=len(frame))
    frame["third"] = rng.normal(size=len(frame)) + 0.1 * frame["arm"]
    frame["harm"] = rng.normal(size=len(frame))
    frame["role"] = np.where(rng.random(len(frame)) < 0.5, "manager", "practitioner")
    frame["years"] = rng.normal(10, 3, len(frame))
    frame.loc[rng.random(len(frame)) < 0.15 + 0.1 * frame["arm"], "outcome"] = np.nan
    silent = [frame.loc[frame["arm"] == arm, "site"].max() for arm in (0, 1)]
    frame.loc[frame["site"].isin(silent), "outcome"] = np.nan
    return frame


def planned(**changes: object) -> StatisticalAnalysisPlan:
    outcomes = [
        outcome(
            code="main",
            label="Main",
            column="outcome",
            baseline="baseline",
            smallest_worthwhile=0.3,
            method="cluster_summary",
        ),
        outcome(code="second", label="Second", column="second", baseline="baseline", family="secondary"),
        outcome(code="third", label="Third", column="third", baseline=None, family="secondary"),
        outcome(code="harm", label="Harm", column="harm", baseline=None, family="harm"),
    ]
    usual: dict[str, Any] = {
        "planned_sites": [6, 6], "columns": COLUMNS, "outcomes": outcomes,
        "moderations": [{"outcome": "main", "by": "role"}, {"outcome": "second", "by": "baseline"}],
    }  # fmt: skip
    return plan_from_dict(values(**{**usual, **changes}))


def report(plan: StatisticalAnalysisPlan, locked: StatisticalAnalysisPlan | None = None) -> Report:
    return run_plan(plan, people(), lock=lock(locked or plan, AT))


def secondary(found: Report) -> Adjusted:
    assert isinstance(found.secondary, Adjusted), found.secondary
    return found.secondary


def p_of(found: Report, code: str) -> float:
    result = next(one.result for one in found.entries if one.outcome == code and one.part == "decides")
    assert not isinstance(result, NotEstimable)
    return result.p


@pytest.mark.parametrize(("name", "rule"), [("holm", holm), ("hochberg", hochberg)])
def test_the_secondary_family_is_adjusted_as_planned_and_neither_primary_nor_harm_is_in_it(
    name: str, rule: Any
) -> None:
    found = report(planned(adjust=name))
    together = secondary(found)
    own = [p_of(found, "second"), p_of(found, "third")]
    assert dict(together.p) == dict(zip(("second", "third"), own, strict=True))
    assert list(together.adjusted_p.values()) == rule(np.array(own)).tolist()
    assert together.tag == "pre-specified"


def test_westfall_young_judges_the_family_over_the_allocations_of_all_sites() -> None:
    together = secondary(report(planned(adjust="westfall_young")))
    smallest = 2 / 924  # 12 sites, 6 an arm, an allocation and its mirror
    for code in ("second", "third"):
        p, changed = together.p[code], together.adjusted_p[code]
        assert p is not None
        assert changed is not None
        assert smallest <= p <= changed <= 1
        assert changed / smallest == pytest.approx(round(changed / smallest))
    assert any("complete randomisation assumed" in note for note in together.warnings)


def test_westfall_young_is_refused_where_sites_were_not_randomised() -> None:
    plan = planned(adjust="westfall_young", design="nonrandomised", moderations=[])
    assert any("name holm" in one for one in concerns(plan))
    refused = report(replace(plan, outcomes=(replace(plan.primary, method="did"), *plan.outcomes[1:]))).secondary
    assert isinstance(refused, NotEstimable)
    assert "not randomised" in refused.reason


def test_no_adjustment_and_no_family_are_nothing_to_show() -> None:
    assert report(planned(adjust="none")).secondary is None
    assert run(television()).secondary is None


def test_an_outcome_without_a_p_still_counts_in_the_family() -> None:
    plan = planned()
    gone = replace(plan, outcomes=(*plan.outcomes[:2], replace(plan.outcomes[2], column="no_such"), plan.outcomes[3]))
    found = report(gone)
    together = secondary(found)
    assert together.p["third"] is None
    assert together.adjusted_p["third"] is None
    assert together.adjusted_p["second"] == pytest.approx(min(1.0, 2 * p_of(found, "second")))


def test_a_family_that_grew_after_locking_deviates() -> None:
    plan = planned()
    before = replace(plan, outcomes=tuple(one for one in plan.outcomes if one.code != "third"))
    assert (secondary(report(plan, before)).tag, secondary(report(plan, before)).note) == (
        "deviation",
        "changed after the plan was locked: third",
    )
    assert secondary(report(before, plan)).tag == "deviation"
    changed = report(replace(plan, adjust="hochberg"), plan)
    assert secondary(changed).tag == "deviation"
    assert any("adjusted by holm, and is by hochberg" in one for one in changed.deviations)
    assert secondary(run_plan(plan, people())).tag == "exploratory"


def test_moderations_are_the_interaction_contrasts_and_tagged_like_everything_else() -> None:
    plan = planned()
    found = report(plan)
    by_role, by_start = found.moderations
    frame = people()
    asked = question(treatment="1", planned_sites=12)
    assert isinstance(by_role.result, ByGroup)
    assert by_role.result == by_group(frame, asked, "role")
    assert by_start.result == by_baseline(frame, replace(asked, outcome="second"))
    assert {one.tag for one in found.moderations} == {"pre-specified"}
    later = report(plan, replace(plan, moderations=plan.moderations[:1]))
    assert [one.tag for one in later.moderations] == ["pre-specified", "exploratory"]
    dropped = report(replace(plan, moderations=()), plan)
    assert any("left out though planned: main by role, second by baseline" in one for one in dropped.deviations)


def test_a_number_moderates_in_its_points_and_a_column_that_is_not_there_says_so() -> None:
    plan = planned(moderations=[{"outcome": "main", "by": "years"}, {"outcome": "main", "by": "nowhere"}])
    years, nowhere = report(plan).moderations
    assert isinstance(years.result, ByBaseline)
    assert years.result.at[1][0] == pytest.approx(10, abs=1)
    assert isinstance(nowhere.result, NotEstimable)


def test_the_primary_s_tipping_point_is_of_people_and_of_silent_sites_apart() -> None:
    found = report(planned()).tipping
    assert isinstance(found, Tipped)
    assert found.tag == "pre-specified"
    assert found.method == "cluster_summary"
    assert isinstance(found.people, Tipping)
    assert isinstance(found.sites, Tipping)
    assert found.sites.shares == (pytest.approx(1 / 6), pytest.approx(1 / 6))  # each site weighs the same
    assert found.people.shares[0] > 0.05
    decided = next(one.result for one in report(planned()).entries if one.part == "decides")
    assert isinstance(decided, Effect)
    point = found.people.point("treatment")
    assert point.estimate_zero == pytest.approx(-decided.estimate / found.people.shares[0])
    assert {one.treatment for one in found.people.grid} == {-0.6, -0.3, 0.0, 0.3, 0.6}


def test_tipping_that_was_not_asked_for_or_has_nothing_missing_or_nothing_that_decides() -> None:
    plan = planned()
    assert report(replace(plan, tipping=False)).tipping is None
    assert any("tipping point" in one for one in report(replace(plan, tipping=False), plan).deviations)
    later = report(plan, replace(plan, tipping=False)).tipping
    assert isinstance(later, Tipped)
    assert later.tag == "exploratory"
    complete = run(television()).tipping
    assert isinstance(complete, Tipped)
    assert isinstance(complete.people, NotEstimable)
    assert "nothing is missing" in complete.people.reason
    win = replace(plan, outcomes=(replace(plan.primary, method="win_probability"), *plan.outcomes[1:]))
    points = report(win).tipping
    assert isinstance(points, Tipped)
    assert isinstance(points.sites, NotEstimable)
    assert "not in points" in points.sites.reason


def test_everything_is_in_the_json_and_in_the_words() -> None:
    plan = planned()
    found = report(plan)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(written["secondary"]["adjusted_p"]) == {"second", "third"}
    assert [one["by"] for one in written["moderations"]] == ["role", "baseline"]
    assert written["tipping"]["people"]["points"][0]["direction"] == "treatment"
    words = in_words(plan, found)
    for said in (
        "Secondary outcomes together, adjusted by Holm",
        "Main: does the difference depend on role?",
        "practitioner less manager",
        "Second: does the difference depend on baseline?",
        "Main: how different would missing answers have to be?",
        "missing whole sites: 16.7 % and 16.7 %",
        "the missing of both arms alike",
    ):
        assert said in words
    assert max(len(line) for line in words.splitlines()) <= 110
