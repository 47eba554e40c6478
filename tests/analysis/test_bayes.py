"""Probabilities under stated priors are those of a brute-force grid, are calibrated, and meet REML where data are many."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.bayes.nested import ALTERNATIVES, Bayesian, Priors, bayesian
from analysis.errors import BadData
from analysis.question import Question
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import REFERENCES, compare, question, trial

R = json.loads((REFERENCES / "sensitivity.json").read_text())
TABLE = pd.read_csv(REFERENCES / "sensitivity.csv")
TEN = TABLE[TABLE.case == "ten"].reset_index(drop=True)

# R's midpoint grid of 100 × 100 leaves about 1e-8; where the integrand has a slope at zero, a step squared: 1e-4.
GRID, EDGE = 1e-7, 2e-4


def found(frame: pd.DataFrame = TEN, **more: object) -> Bayesian:
    result = bayesian(frame, question(participant=None), **more)  # type: ignore[arg-type]
    assert isinstance(result, Bayesian), result
    return result


@pytest.mark.parametrize("name", R["bayes"])
def test_the_posterior_is_that_of_r_s_grid_with_dense_matrices(name: str) -> None:
    want = R["bayes"][name]
    got = found(smallest_worthwhile=0.5, priors=Priors(want["size"], "half_normal", want["scale"])).posterior
    assert got.mean == pytest.approx(want["mean"], abs=GRID)
    assert got.benefit == pytest.approx(want["above_zero"], abs=GRID)
    assert got.worthwhile == pytest.approx(want["above_half"], abs=GRID)
    assert got.ci == pytest.approx((want["low"], want["high"]), abs=GRID)
    assert (got.site_ratio, got.review_ratio) == pytest.approx((want["site_ratio"], want["review_ratio"]), abs=EDGE)


@pytest.mark.parametrize("priors", [Priors(), *ALTERNATIVES, Priors(shape="half_t", scale=0.2)])
def test_more_nodes_change_nothing(priors: Priors, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = found(priors=priors).posterior
    monkeypatch.setattr("analysis.bayes.nested._NODES", 90)
    finer = found(priors=priors).posterior
    assert (usual.mean, usual.sd, usual.benefit, *usual.ci) == pytest.approx(
        (finer.mean, finer.sd, finer.benefit, *finer.ci), abs=1e-8
    )


def test_with_many_sites_and_a_wide_prior_it_is_reml_s_t() -> None:
    frame = trial(seed=2, sites=60, reviews=3, people=6, effect=0.3, icc_site=0.1, icc_review=0.08)
    wide = found(frame, priors=Priors(effect=50.0, shape="half_t", scale=1.0)).posterior
    reml = compare(frame, question(methods=("lmm_kenward_roger",))).methods["lmm_kenward_roger"]
    assert isinstance(reml, Effect)
    assert wide.mean == pytest.approx(reml.estimate, abs=0.03 * reml.se)
    assert wide.sd == pytest.approx(reml.se, rel=0.05)
    assert wide.benefit == pytest.approx(1 - reml.p / 2, abs=0.003)
    assert wide.ci == pytest.approx(reml.ci, abs=0.06 * reml.se)


def test_probabilities_are_calibrated_over_trials_drawn_from_the_priors(monkeypatch: pytest.MonkeyPatch) -> None:
    """150 trials of 6 sites, everything drawn from the priors: the truth's place in its posterior is uniform.

    80 % intervals cover 120 ± 15 times (three SE), and P(effect > 0) averages the share of effects above 0.
    """
    monkeypatch.setattr("analysis.bayes.nested._NODES", 16)  # enough for three digits
    rng = np.random.default_rng(8)
    covered, said, true = 0, [], []
    site = np.repeat(np.arange(6), 8)
    review = np.tile(np.repeat(np.arange(2), 4), 6)
    for _ in range(150):
        site_sd, review_sd = np.abs(rng.normal(0, 0.5, 2))
        effect = rng.normal(0, 1.0 * (1 + site_sd**2 + review_sd**2) ** 0.5)
        clusters = rng.normal(0, site_sd, 6)[site] + rng.normal(0, review_sd, 12)[site * 2 + review]
        outcome = 3.0 + effect * (site % 2) + clusters + rng.normal(size=48)
        frame = pd.DataFrame({"site": site, "review": review, "arm": site % 2, "outcome": outcome})
        asked = Question("outcome", "arm", "site", review="review", design="randomised", level=0.8)
        result = bayesian(frame, asked, alternatives=[Priors()])
        assert isinstance(result, Bayesian)
        low, high = result.posterior.ci
        assert low is not None
        assert high is not None
        covered += low < effect < high
        said.append(result.posterior.benefit)
        true.append(effect > 0)
    assert covered == pytest.approx(120, abs=15)
    assert np.mean(said) == pytest.approx(np.mean(true), abs=0.05)
    confident = np.array(said) > 0.9
    assert np.array(true)[confident].mean() == pytest.approx(np.array(said)[confident].mean(), abs=0.05)


def test_the_answer_does_not_depend_on_units_labels_or_order() -> None:
    usual = found(smallest_worthwhile=0.5)
    moved = TEN.assign(outcome=TEN.outcome * 10 + 7, baseline=TEN.baseline * 3 - 1, site="s" + TEN.site.astype(str))
    other = found(moved.sample(frac=1.0, random_state=1), smallest_worthwhile=5.0)
    for one, two in zip((usual.posterior, *usual.alternatives), (other.posterior, *other.alternatives), strict=True):
        assert two.mean == pytest.approx(10 * one.mean, rel=1e-7)
        assert (two.benefit, two.worthwhile) == pytest.approx((one.benefit, one.worthwhile), abs=1e-8)


def test_where_lower_is_better_benefit_is_below_zero() -> None:
    up, down = found(smallest_worthwhile=0.5), found(smallest_worthwhile=0.5, higher_is_better=False)
    mirrored = found(TEN.assign(outcome=-TEN.outcome), smallest_worthwhile=0.5, higher_is_better=False)
    assert up.posterior.benefit + down.posterior.benefit == pytest.approx(1.0)
    assert mirrored.posterior.benefit == pytest.approx(up.posterior.benefit, abs=1e-9)
    assert mirrored.posterior.worthwhile == pytest.approx(up.posterior.worthwhile, abs=1e-9)


def test_the_priors_are_said_and_two_others_stand_beside() -> None:
    result = found()
    assert len(result.alternatives) == 2
    assert any("priors: effect normal about 0" in note for note in result.warnings)
    written = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert {one["priors"] for one in written["alternatives"]} == {one.in_words() for one in ALTERNATIVES}
    doubting = result.alternatives[0]
    assert abs(doubting.mean) < abs(result.posterior.mean)


def test_one_review_a_site_leaves_the_review_level_out_and_says_so() -> None:
    single = found(TEN.assign(review=1))
    assert single.posterior.review_ratio is None
    assert any("review level" in note for note in single.warnings)


def test_arms_that_were_not_randomised_are_associated() -> None:
    result = bayesian(TEN, question(participant=None, design="nonrandomised"))
    assert isinstance(result, Bayesian)
    assert any("associated" in note for note in result.warnings)


def test_what_cannot_be_estimated_or_makes_no_sense_is_refused() -> None:
    alone = TEN.drop_duplicates("site")
    refused = bayesian(alone, question(participant=None))
    assert isinstance(refused, NotEstimable)
    explained = bayesian(TEN.assign(outcome=TEN.baseline * 2), question(participant=None))
    assert isinstance(explained, NotEstimable)
    flat = bayesian(TEN.assign(outcome=TEN.site * 1.0), question(participant=None, baseline=None))
    assert isinstance(flat, NotEstimable)
    with pytest.raises(BadData, match="smallest worthwhile"):
        found(smallest_worthwhile=-1.0)
    with pytest.raises(BadData, match="other priors"):
        found(alternatives=[])
    with pytest.raises(BadData, match="above 0"):
        Priors(scale=0.0)
    with pytest.raises(BadData, match="no prior shape"):
        Priors(shape="flat")  # type: ignore[arg-type]
