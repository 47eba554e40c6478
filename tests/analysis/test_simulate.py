"""Simulated trials have the truth they were given, and are analysed as real ones are."""

import json
import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

from analysis.compare import Question, compare
from analysis.design.power import TrialDesign
from analysis.design.simulate import ANSWERS, Answers, People, Truth, complete_cases, simulate, simulate_methods
from analysis.errors import BadData
from analysis.question import METHODS
from analysis.results import Effect, Floats
from tests.calibration import run

DESIGN = TrialDesign(40, 4, 20, 0.10, 0.25, baseline_r=0.6, baseline_r_review=0.4, baseline_r_site=0.8)


def people(seed: int = 1, **changes: Any) -> People:
    return simulate(Truth(**{"design": DESIGN, **changes}), np.random.default_rng(seed))


def test_the_three_variances_and_their_correlations_over_waves_are_those_of_the_design() -> None:
    design = replace(DESIGN, sites=3000, reviews=2, people=3)
    found = simulate(Truth(design), np.random.default_rng(1))
    assert found.baseline is not None

    def products(one: Floats, other: Floats) -> tuple[float, float, float]:
        """Covariance of people of different reviews of a site, of different people of a review, and of a person."""
        a, b = one.reshape(3000, 2, 3), other.reshape(3000, 2, 3)
        return (
            float((a[:, 0, :, None] * b[:, 1, None, :]).mean()),
            float((a[:, :, 0] * b[:, :, 1]).mean()),
            float((a * b).mean()),
        )

    # Five standard errors of a mean over 3,000 sites of products that vary by about 1.
    near = 5 / math.sqrt(3000)
    assert products(found.outcome, found.outcome) == pytest.approx((0.10, 0.25, 1.0), abs=near)
    assert products(found.baseline, found.baseline) == pytest.approx((0.10, 0.25, 1.0), abs=near)
    over = (0.10 * 0.8, 0.10 * 0.8 + 0.15 * 0.4, 0.10 * 0.8 + 0.15 * 0.4 + 0.75 * 0.6)
    assert products(found.outcome, found.baseline) == pytest.approx(over, abs=near)


def test_people_vary_by_site_as_the_cv_says_and_leave_as_the_attrition_says() -> None:
    found = people(design=replace(DESIGN, sites=2000, reviews=1, people=30, cv=0.5, attrition=0.3))
    sizes = np.bincount(found.site, minlength=2000)
    assert sizes.mean() == pytest.approx(30, abs=5 * 15 / math.sqrt(2000))
    assert sizes.std() / sizes.mean() == pytest.approx(0.5, abs=0.05)
    assert np.isnan(found.outcome).mean() == pytest.approx(0.3, abs=0.01)


def test_those_who_leave_are_lower_where_the_truth_says_so() -> None:
    design = replace(DESIGN, sites=400, attrition=0.25)
    for leaves_low, lower in ((False, False), (True, True)):
        found = people(design=design, leaves_low=leaves_low)
        assert found.baseline is not None
        gone = np.isnan(found.outcome)
        assert (found.baseline[gone].mean() < found.baseline[~gone].mean() - 0.2) == lower


def test_arms_sites_and_effects_are_as_asked() -> None:
    found = people(design=replace(DESIGN, sites=600, treated=200, variance_ratio=4.0, site_attrition=0.1), effect=1.0)
    assert found.arm.sum() == 200
    there = ~np.isnan(found.outcome)
    assert len(np.unique(found.site[there])) == 540
    treated = found.arm[found.site] == 1
    assert found.outcome[there & treated].mean() - found.outcome[there & ~treated].mean() == pytest.approx(1.0, abs=0.2)
    assert found.outcome[there & treated].std() / found.outcome[there & ~treated].std() == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(("answers", "highest"), [("likert", 0.1), ("ceiling", 0.55)])
def test_answers_in_items_are_scores_from_0_to_100(answers: Answers, highest: float) -> None:
    found = people(answers=answers)
    assert found.baseline is not None
    for scores in (found.outcome, found.baseline):
        assert set(np.unique(scores)) <= set(np.arange(0.0, 101.0, 5.0))
    # The mean of an item's shares, in steps of 25.
    mean = 25 * float(np.array([0.1, 0.2, 0.4, 0.2, 0.1]) @ np.arange(5)) if answers == "likert" else 83.25
    assert found.outcome.mean() == pytest.approx(mean, abs=6)
    assert (found.outcome == 100).mean() == pytest.approx(highest**2.2, abs=0.12)
    assert set(ANSWERS) == set(get_args(Answers))


def test_a_simulated_trial_is_analysed_as_its_table_would_be() -> None:
    truth = Truth(replace(DESIGN, sites=14, people=6, attrition=0.3), 0.4, uneven=True, baseline_missing=0.2)
    found = simulate(truth, np.random.default_rng(np.random.SeedSequence(9, spawn_key=(0,))))
    frame = pd.DataFrame(
        {"outcome": found.outcome, "baseline": found.baseline, "site": found.site, "review": found.review,
         "arm": found.arm[found.site].astype(int)}
    )  # fmt: skip
    question = Question(
        "outcome", "arm", "site", review="review", baseline="baseline", design="randomised", planned_sites=14
    )
    table = compare(frame, question)
    data = complete_cases(found)
    assert data is not None
    assert data.counts.analysed == table.counts.analysed < len(frame)
    ours = simulate_methods(truth, tuple(METHODS), 1, seed=9)
    for name, result in table.methods.items():
        if isinstance(result, Effect):
            assert ours[name].estimate == pytest.approx(result.estimate, rel=1e-9), name
            assert ours[name].rejected == float(result.p < 0.05)


def test_the_answer_does_not_depend_on_who_shares_the_work() -> None:
    truth = Truth(replace(DESIGN, sites=8, people=4))
    one, two = (simulate_methods(truth, ("cluster_summary",), 102, seed=3, jobs=jobs) for jobs in (1, 2))
    assert one == two
    assert one != simulate_methods(truth, ("cluster_summary",), 102, seed=4)


def test_a_trial_that_cannot_be_analysed_is_counted_and_not_a_zero() -> None:
    nearly_nobody = Truth(TrialDesign(4, 1, 1, 0.0, 0.0, attrition=0.8))
    found = simulate_methods(nearly_nobody, ("cluster_summary",), 40, seed=1)["cluster_summary"]
    assert found.trials + found.refused == 40
    assert found.refused > 20
    nobody = simulate_methods(Truth(TrialDesign(4, 1, 1, 0, 0, attrition=0.9999)), ("cr2",), 5, seed=1)["cr2"]
    assert (nobody.trials, nobody.refused) == (0, 5)
    assert math.isnan(nobody.rejected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"design": replace(DESIGN, analysis="change")}, "one wave after"),
        ({"design": replace(DESIGN, waves=2)}, "one wave after"),
        ({"design": replace(DESIGN, site_covariates=1)}, "one wave after"),
        ({"design": replace(DESIGN, reviews=1.5)}, "whole number"),
        ({"baseline_missing": 1.0}, "baseline_missing: 1"),
    ],
)
def test_a_truth_that_cannot_be_drawn_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        Truth(**{"design": DESIGN, **changes})


# The calibration's own machinery; its tables take minutes and are made by `make calibrate`.


def test_the_calibration_has_a_column_for_every_method_that_decides() -> None:
    cells = [run.cell(condition, sites, 0.0, 4, 1, 1) for condition in run.CONDITIONS for sites in (6, 20)]
    for cell in cells:
        assert cell.primary in cell.methods
        assert cell.methods[cell.primary].trials == 4
        assert ("studentised" in cell.methods) == (cell.arms[0] != cell.arms[1])
    assert {cell.primary for cell in cells} == {"cluster_summary", "lmm_kenward_roger"}


def test_the_calibration_page_marks_what_decides_and_names_what_rejects_too_often() -> None:
    cells = [run.cell(condition, sites, 0.0, 3, 1, 1) for condition in run.CONDITIONS for sites in run.SITES[:1]]
    fair = replace(cells[0].methods["cluster_summary"], trials=2000, rejected=0.05)
    cells = [replace(cell, methods={**cell.methods, "cluster_summary": fair}) for cell in cells]
    assert run.breaches(cells) == []
    page = run.report(cells, cells, 2000, 60.0)
    assert "**5.0**" in page
    assert f"in none of the {len(cells)} rows." in page
    cells[3] = replace(cells[3], methods={**cells[3].methods, "cluster_summary": replace(fair, rejected=0.081)})
    page = run.report(cells, cells, 2000, 60.0)
    assert "in 1 of the 8 rows:" in page
    assert "- ceiling, 6 sites (3 + 3): cluster summary 8.1 %" in page


def test_the_committed_page_is_that_of_the_committed_numbers() -> None:
    known = json.loads(run.NUMBERS.read_text())
    null, real = ([run.read(cell) for cell in known[part]] for part in ("null", "real"))
    assert run.report(null, real, known["trials"], known["seconds"]) == run.REPORT.read_text(encoding="utf-8")
    assert len(null) == len(run.CONDITIONS) * len(run.SITES)
    assert len(real) == len(run.REAL) * len(run.SITES)
    # What decides where arms are equal holds its level, by more than chance among so many rows.
    equal = [cell for cell in null if cell.arms[0] == cell.arms[1]]
    assert run.breaches(equal) == []
