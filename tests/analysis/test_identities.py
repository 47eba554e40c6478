"""What must be so whatever the data: names, order and units change nothing, and known equalities hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.compare import Comparison, compare
from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.reml import RemlFit
from analysis.model_matrix import model_matrix
from analysis.results import Effect
from analysis.robust.cluster_robust import cluster_robust, site_scores
from analysis.robust.did import did
from analysis.two_stage.cluster_summary import cluster_summary
from tests.analysis.cases import question, trial

few = settings(max_examples=12, deadline=None)
seeds = st.integers(0, 10_000)


def numbers(result: Comparison) -> dict[str, list[float]]:
    """Estimate, spread, df and p of every method, and variances."""
    found = {
        name: [one.estimate, one.se, one.df, one.p] for name, one in result.methods.items() if isinstance(one, Effect)
    }
    plain = result.to_dict()
    found["variance"] = [plain["variance"][name] for name in ("site", "review", "residual")]
    found["randomisation"] = [plain["methods"]["randomisation"]["p"]]
    return found


def same(one: Comparison, other: Comparison) -> None:
    got = numbers(other)
    for name, values in numbers(one).items():
        # Sums in another order differ in the last digits; the search for variances then stops elsewhere by 1e-7.
        assert got[name] == pytest.approx(values, rel=1e-5, abs=1e-7), name


@few
@given(seeds)
def test_names_of_sites_reviews_and_arms_change_nothing(seed: int) -> None:
    frame = trial(seed, effect=0.3)
    renamed = frame.assign(
        site=frame.site.map(lambda s: f"site {(7 * s) % 11}"),
        review=frame.review.map(lambda r: f"review {r}"),
        arm=frame.arm.map({0: "usual care", 1: "appreciative"}),
    )
    same(compare(frame, question()), compare(renamed, question()))


@few
@given(seeds)
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    frame = trial(seed, effect=0.3)
    same(compare(frame, question()), compare(frame.sample(frac=1, random_state=seed), question()))


@few
@given(seeds, st.floats(-1000, 1000))
def test_a_baseline_shifted_for_everyone_changes_nothing(seed: int, shift: float) -> None:
    frame = trial(seed, effect=0.3)
    same(compare(frame, question()), compare(frame.assign(baseline=frame.baseline + shift), question()))


@few
@given(seeds, st.floats(-1000, 1000), st.floats(0.01, 100))
def test_units_of_the_outcome_scale_the_difference_and_nothing_else(seed: int, shift: float, scale: float) -> None:
    frame = trial(seed, effect=0.3)
    moved = frame.assign(outcome=shift + scale * frame.outcome, baseline=shift + scale * frame.baseline)
    one, other = numbers(compare(frame, question())), numbers(compare(moved, question()))
    assert other["win_probability"] == pytest.approx(one["win_probability"], rel=1e-5)  # it knows only the order
    for name in set(one) - {"variance", "randomisation", "win_probability"}:
        estimate, se, df, p = one[name]
        assert other[name] == pytest.approx([scale * estimate, scale * se, df, p], rel=1e-5, abs=1e-7 * scale), name
    assert other["randomisation"] == one["randomisation"]


@few
@given(seeds)
def test_swapping_the_arms_turns_the_sign(seed: int) -> None:
    frame = trial(seed, effect=0.3)
    one, other = (compare(frame, question(treatment=label)).to_dict() for label in ("1", "0"))
    for name in ("lmm_kenward_roger", "cr2", "cluster_summary", "did"):
        assert other["methods"][name]["estimate"] == pytest.approx(-one["methods"][name]["estimate"], rel=1e-6)
        assert other["methods"][name]["p"] == pytest.approx(one["methods"][name]["p"], rel=1e-4)
    assert other["methods"]["randomisation"]["p"] == one["methods"]["randomisation"]["p"]


@few
@given(seeds, st.sampled_from([6, 8, 12, 20]))
def test_in_a_balanced_trial_kenward_roger_is_the_t_test_of_site_means(seed: int, sites: int) -> None:
    frame = trial(seed, sites=sites, uneven=False, icc_site=0.3, icc_review=0.05)
    arm = frame.groupby("site").arm.first().to_numpy(float)
    means = frame.groupby("site").outcome.mean().to_numpy(float)
    matrix = model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))])
    fit = reml.fit(matrix, frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp))
    assert isinstance(fit, RemlFit)
    if fit.boundary:  # the equality holds where all variances are estimated above zero
        return
    mixed, simple = kenward_roger(fit, 1), cluster_summary(means, arm)
    assert isinstance(mixed, Effect)
    assert isinstance(simple, Effect)
    assert mixed.df == pytest.approx(sites - 2, rel=1e-6)
    assert mixed.statistic == pytest.approx(simple.statistic, rel=1e-6)


@few
@given(seeds, st.integers(5, 12))
def test_cr3_is_the_delete_one_site_jackknife(seed: int, sites: int) -> None:
    frame = trial(seed, sites=sites)
    x = np.column_stack((np.ones(len(frame)), frame.baseline, frame.arm))
    y, site = frame.outcome.to_numpy(float), frame.site.to_numpy(np.intp)

    def slope(keep: np.typing.NDArray[np.bool_]) -> float:
        return float(np.linalg.lstsq(x[keep], y[keep])[0][2])

    whole = slope(site >= 0)
    jackknife = sum((slope(site != k) - whole) ** 2 for k in range(sites)) ** 0.5
    matrix = model_matrix(y, [("baseline", x[:, 1]), ("arm", x[:, 2])])
    got = cluster_robust(site_scores(matrix, site), 2, "cr3")
    assert isinstance(got, Effect)
    assert got.se == pytest.approx(jackknife, rel=1e-9)


@few
@given(seeds)
def test_cr2_and_its_df_are_those_of_the_whole_matrices(seed: int) -> None:
    frame = trial(seed, sites=6, reviews=1)
    x = np.column_stack((np.ones(len(frame)), frame.baseline, frame.arm))
    y, site = frame.outcome.to_numpy(float), frame.site.to_numpy(np.intp)
    bread = np.linalg.inv(x.T @ x)
    hat = np.eye(len(y)) - x @ bread @ x.T
    columns, variance = [], 0.0
    for k in range(6):
        mine = site == k
        values, vectors = np.linalg.eigh(hat[np.ix_(mine, mine)])
        root = (vectors / np.sqrt(values)) @ vectors.T
        weights = root @ x[mine] @ bread[:, 2]
        variance += float(weights @ (hat @ y)[mine]) ** 2
        columns.append(hat[:, mine] @ weights)
    gram = np.array(columns) @ np.array(columns).T
    got = cluster_robust(site_scores(model_matrix(y, [("baseline", x[:, 1]), ("arm", x[:, 2])]), site), 2, "cr2")
    assert isinstance(got, Effect)
    assert got.se == pytest.approx(variance**0.5, rel=1e-8)
    assert got.df == pytest.approx(gram.trace() ** 2 / (gram * gram).sum(), rel=1e-8)


@few
@given(seeds)
def test_with_pairs_the_cluster_summary_is_the_paired_t_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pair, arm = np.repeat(np.arange(7), 2), np.tile([1.0, 0.0], 7)
    means = rng.normal(size=14) + rng.normal(size=7)[pair]
    differences = means[::2] - means[1::2]
    got = cluster_summary(means, arm, pair)
    assert isinstance(got, Effect)
    assert got.df == 6
    assert got.estimate == pytest.approx(differences.mean())
    assert got.se == pytest.approx(differences.std(ddof=1) / 7**0.5)


@few
@given(seeds)
def test_did_is_the_difference_of_mean_changes_with_the_variances_of_each_arm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    arm = np.repeat([1.0, 0.0], [4, 7])
    change = rng.normal(size=11)
    got = did(change, np.arange(11), arm)
    assert isinstance(got, Effect)
    one, other = change[arm == 1], change[arm == 0]
    assert got.estimate == pytest.approx(one.mean() - other.mean())
    assert got.se == pytest.approx((one.var(ddof=1) / 4 + other.var(ddof=1) / 7) ** 0.5)
    spread = (1 / 4 + 1 / 7) ** 2 / (1 / (4**2 * 3) + 1 / (7**2 * 6))
    assert got.df == pytest.approx(spread)


def test_reviews_that_share_a_label_across_sites_are_different_reviews() -> None:
    frame = trial(3)
    unique = frame.assign(review=frame.site * 100 + frame.review)
    one, other = compare(frame, question()), compare(unique, question())
    assert one.counts.reviews == other.counts.reviews
    same(one, other)


def test_a_column_in_years_loses_no_digits() -> None:
    frame = trial(3)
    far = frame.assign(baseline=frame.baseline + 1e7)
    same(
        compare(frame, question(methods=("lmm_kenward_roger", "cr2", "randomisation"))),
        compare(far, question(methods=("lmm_kenward_roger", "cr2", "randomisation"))),
    )


def test_a_covariate_that_repeats_another_is_left_out_and_named() -> None:
    frame = trial(3).assign(twice=lambda f: 2 * f.baseline + 1)
    result = compare(frame, question(covariates=("twice",)))
    same(compare(frame, question()), result)
    assert any("twice" in note for note in result.warnings)
