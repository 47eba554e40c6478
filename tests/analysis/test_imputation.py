"""Filled tables pool to R's answer within chance, and their intervals cover the truth."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import BadData
from analysis.missing.imputation import Pooled, impute, multiply_imputed, pool
from analysis.question import Question
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import REFERENCES, compare, question, trial

R = json.loads((REFERENCES / "sensitivity.json").read_text())
TABLE = pd.read_csv(REFERENCES / "sensitivity.csv")
TWENTY_FOUR = TABLE[TABLE.case == "twenty_four"].reset_index(drop=True)


def asked(**changes: object) -> Question:
    return question(outcome="outcome_gap", baseline="baseline_gap", participant=None, review=None, **changes)


@pytest.mark.parametrize("which", ["few", "many"])
def test_pooling_is_mitml_s(which: str) -> None:
    of = R["pooled"]
    want = of[which]
    found = pool(np.array(of["estimates"]), np.array(of["variances"]), want.get("complete_df", np.inf))
    assert isinstance(found, Pooled)
    got = (found.effect.estimate, found.effect.se, found.effect.df, found.relative_increase)
    assert got == pytest.approx((want["estimate"], want["se"], want["df"], want["riv"]), rel=1e-10)
    assert found.fraction_missing == pytest.approx(want["fmi"], rel=1e-10)


def test_imputation_of_each_arm_agrees_with_jomo_within_chance() -> None:
    """60 imputations (seed 1) against R's 200 (seed 7): chance leaves SD/√60 and SD/√200 of the filled estimates' spread.

    Four such standard errors; the standard error and df within 5 %, as the two priors of the covariances differ.
    """
    want = R["imputed"]
    found = multiply_imputed(TWENTY_FOUR, asked(seed=1), imputations=60, auxiliary=["mediator"], between=15)
    assert isinstance(found, Pooled)
    chance = want["spread"] * (1 / 60 + 1 / want["sets"]) ** 0.5
    assert found.effect.estimate == pytest.approx(want["estimate"], abs=4 * chance)
    assert found.effect.se == pytest.approx(want["se"], rel=0.05)
    assert (found.complete_df, found.effect.df) == pytest.approx((want["complete_df"], want["df"]), rel=0.05)
    assert dict(found.filled) == {
        "outcome_gap": int(TWENTY_FOUR.outcome_gap.isna().sum()),
        "baseline_gap": int(TWENTY_FOUR.baseline_gap.isna().sum()),
    }


def test_known_values_are_kept_and_the_same_seed_fills_the_same() -> None:
    values = TWENTY_FOUR[["outcome_gap", "baseline_gap"]].to_numpy()
    site, review = TWENTY_FOUR["site"].to_numpy(), TWENTY_FOUR["review"].to_numpy()

    def filled(seed: int) -> np.typing.NDArray[np.float64]:
        rng = np.random.default_rng(seed)
        return impute(values, np.empty((len(values), 0)), site, review, imputations=2, rng=rng, burn=5, between=2)

    found = filled(1)
    known = ~np.isnan(values)
    assert not np.isnan(found).any()
    assert (found[:, known] == values[known]).all()
    assert (found == filled(1)).all()
    assert (found != filled(2)).any()
    assert (found[0] != found[1]).any()


def test_what_is_filled_follows_the_site_the_review_and_the_other_variable() -> None:
    """Strong structure is seen in the filled values: 60 sites of 3 reviews of 6, variances 4, 1 and 0.25, slope 2."""
    rng = np.random.default_rng(5)
    site = np.repeat(np.arange(60), 18)
    review = np.tile(np.repeat(np.arange(3), 6), 60)
    clusters = rng.normal(0, 2, 60)[site] + rng.normal(0, 1, 180)[site * 3 + review]
    other = rng.normal(size=len(site))
    truth = clusters + 2 * other + rng.normal(0, 0.5, len(site))
    values = np.where(rng.random(len(site)) < 0.3, np.nan, truth)[:, None]
    gaps = np.isnan(values[:, 0])
    filled = impute(values, other[:, None], site, review, imputations=10, rng=rng, burn=100, between=5)
    error = filled[:, gaps, 0] - truth[gaps]
    # Both a draw and the truth have the residual 0.25 and what about 4 answers leave unknown of their review, 0.25/4.2.
    assert error.std() == pytest.approx((2 * (0.25 + 0.25 / 4.2)) ** 0.5, rel=0.1)
    assert error.mean() == pytest.approx(0.0, abs=0.1)


def test_pooled_intervals_cover_the_truth_where_complete_cases_are_biased() -> None:
    """40 trials of 20 sites, truth 0.4; answers are lost where the mediating score is low, more so in the treatment arm.

    Chance: mean estimate ± 0.03 (one SE), coverage of 40 at 95 %: 35 or more with probability 0.99.
    """
    rng = np.random.default_rng(21)
    complete, imputed, covered = [], [], 0
    for seed in range(40):
        frame = trial(seed=seed, sites=20, reviews=2, people=5, effect=0.4)
        frame["helper"] = frame["outcome"] + rng.normal(0, 0.5, len(frame))
        chance = 1 / (1 + np.exp(1.2 + 2.5 * frame["helper"] * np.where(frame["arm"] == 1, 1.0, -0.2)))
        frame["outcome"] = frame["outcome"].where(rng.random(len(frame)) >= chance)
        found = multiply_imputed(
            frame, question(planned_sites=20), imputations=5, auxiliary=["helper"], seed=seed, burn=40, between=8
        )
        assert isinstance(found, Pooled), found
        low, high = found.effect.ci
        assert low is not None
        assert high is not None
        covered += low <= 0.4 <= high
        imputed.append(found.effect.estimate)
        plain = compare(frame, question(planned_sites=20, methods=("lmm_kenward_roger",))).methods["lmm_kenward_roger"]
        assert isinstance(plain, Effect)
        complete.append(plain.estimate)
    assert np.mean(imputed) == pytest.approx(0.4, abs=0.1)
    assert abs(np.mean(complete) - 0.4) > 0.15
    assert covered >= 35


def test_df_never_exceed_those_of_complete_data() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        df = float(rng.uniform(1, 30))
        found = pool(rng.normal(size=5), rng.uniform(0.1, 2, 5), df)
        assert isinstance(found, Pooled)
        assert found.effect.df < df


def test_gaps_that_cannot_be_filled_are_refused_with_their_reason() -> None:
    whole = question(participant=None)
    nothing = multiply_imputed(TWENTY_FOUR, whole)
    assert isinstance(nothing, NotEstimable)
    assert "nothing is missing" in nothing.reason
    long = TWENTY_FOUR.assign(wave=1, participant=range(len(TWENTY_FOUR)))
    waves = Question("outcome_gap", "arm", "site", participant="participant", wave="wave")
    assert isinstance(multiply_imputed(long, waves), NotEstimable)
    empty = TWENTY_FOUR.assign(outcome_gap=TWENTY_FOUR.outcome_gap.where(TWENTY_FOUR.arm == 0))
    few = multiply_imputed(empty, asked())
    assert isinstance(few, NotEstimable)
    assert "too few" in few.reason
    holed = TWENTY_FOUR.assign(mediator=TWENTY_FOUR.mediator.where(TWENTY_FOUR.site > 1))
    with pytest.raises(BadData, match='column "mediator" lacks values'):
        multiply_imputed(holed, asked(), auxiliary=["mediator"])
    with pytest.raises(BadData, match="no column elsewhere"):
        multiply_imputed(TWENTY_FOUR, asked(), auxiliary=["elsewhere"])
    with pytest.raises(BadData, match="two or more"):
        pool(np.array([1.0]), np.array([1.0]), 5.0)
    resampled = multiply_imputed(TWENTY_FOUR, asked(), imputations=2, burn=1, between=1, method="randomisation")
    assert isinstance(resampled, NotEstimable)
    assert "cannot be pooled" in resampled.reason
