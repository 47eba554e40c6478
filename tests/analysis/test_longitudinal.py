"""The longitudinal model agrees with R and with its definition, and says what it cannot tell apart."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from analysis.compare import Comparison, Question, compare
from analysis.errors import BadData
from analysis.lmm import longitudinal, search
from analysis.lmm.clda import Longitudinal, clda
from analysis.lmm.kenward_roger import JointTest, combination, contrast, joint_test
from analysis.lmm.longitudinal import LEVELS, LongitudinalFit, Sample, criteria, evaluate
from analysis.long_data import LongData
from analysis.model_matrix import model_matrix
from analysis.results import Effect, Floats, NotEstimable
from tests.analysis.cases import REFERENCES, answers_of_r

R = json.loads((REFERENCES / "longitudinal.json").read_text())
TABLE = pd.read_csv(REFERENCES / "longitudinal.csv")
ASKED = Question(
    outcome="outcome",
    arm="arm",
    site="site",
    review="review",
    participant="participant",
    wave="wave",
    design="randomised",
    methods=("clda",),
)

# As in test_references: R's optimiser leaves about 1e-6 in a variance.
ESTIMATE, SPREAD, LOGLIK = 1e-6, 1e-5, 1e-6


def case_of_r(name: str) -> pd.DataFrame:
    return TABLE[TABLE.case == list(R).index(name) + 1].drop(columns="case").reset_index(drop=True)


def long_data(frame: pd.DataFrame, covariates: tuple[str, ...] = ()) -> LongData:
    waves = sorted(frame.wave.unique())
    site = np.unique(frame.site, return_inverse=True)[1]
    return LongData(
        outcome=frame.outcome.to_numpy(float),
        arm=frame.arm.to_numpy(float),
        sample=Sample(
            wave=frame.wave.map({label: place for place, label in enumerate(waves)}).to_numpy(np.intp),
            site=site.astype(np.intp),
            review=frame.review.to_numpy(np.intp),
            person=frame.participant.to_numpy(np.intp),
            waves=len(waves),
        ),
        waves=tuple(str(wave) for wave in waves),
        covariates=tuple((name, frame[name].to_numpy(float)) for name in covariates),
        site_arm=frame.groupby("site").arm.first().to_numpy(float),
        people=frame.participant.nunique(),
        warnings=(),
    )


def ours(frame: pd.DataFrame, review_wave: bool = False, covariates: tuple[str, ...] = ()) -> Longitudinal:
    found = clda(long_data(frame, covariates), "randomised", review_wave=review_wave)
    assert isinstance(found, Longitudinal), found
    return found


def clda_of(result: Comparison) -> Longitudinal:
    found = result.methods["clda"]
    assert isinstance(found, Longitudinal), found
    return found


def trial(
    seed: int, sites: int = 10, waves: int = 3, lost: float = 0.2, site: float = 0.3, uneven: bool = True
) -> pd.DataFrame:
    """A simulated trial of several waves, some of them missed; an effect at the last wave."""
    rng = np.random.default_rng(seed)
    arms = rng.permutation(np.arange(sites) % 2)
    rows = []
    person = 0
    for s in range(sites):
        u, u_wave = rng.normal(0, site), rng.normal(0, 0.2, waves)
        for review in range(int(rng.integers(1, 4)) if uneven else 2):
            v = rng.normal(0, 0.2)
            for _ in range(int(rng.integers(2, 6)) if uneven else 4):
                person += 1
                x = rng.normal(0, 0.7)
                rows += [
                    (s, review, person, arms[s], w, u + u_wave[w] + v + x + 0.5 * arms[s] * w + rng.normal(0, 0.6))
                    for w in range(waves)
                    if rng.random() >= lost
                ]
    return pd.DataFrame(rows, columns=["site", "review", "participant", "arm", "wave", "outcome"])


class Dense:
    """The same model by whole matrices, from the definitions."""

    def __init__(self, data: LongData) -> None:
        sample = data.sample
        assert sample.review is not None
        review = sample.site * 1000 + sample.review
        self.y = data.outcome
        later = [(sample.wave == w) * 1.0 for w in range(1, sample.waves)]
        self.x = np.column_stack((np.ones(len(self.y)), *later, *(data.arm * here for here in later)))
        keys = [sample.person, review, review * 10 + sample.wave, sample.site, sample.site * 10 + sample.wave]
        self.g = [np.eye(len(self.y)), *((key[:, None] == key) * 1.0 for key in keys)]

    def loglik(self, sigma: Floats) -> float:
        v = np.tensordot(sigma, self.g, 1)
        vx, vy = np.linalg.solve(v, self.x), np.linalg.solve(v, self.y)
        xx = self.x.T @ vx
        beta = np.linalg.solve(xx, self.x.T @ vy)
        quadratic = float(self.y @ vy - beta @ (self.x.T @ vy))
        n, p = self.x.shape
        logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(xx)[1]
        return float(-0.5 * ((n - p) * np.log(2 * np.pi) + logs + quadratic))

    def kenward_roger(self, sigma: Floats, levels: list[int], column: int) -> tuple[float, float, float]:
        """Estimate, adjusted standard error and df from the formulae of Kenward & Roger (1997)."""
        vi = np.linalg.inv(np.tensordot(sigma, self.g, 1))
        g = [self.g[0], *(self.g[1 + k] for k in levels)]
        phi = np.linalg.inv(self.x.T @ vi @ self.x)
        gv = [gk @ vi for gk in g]
        big_p = np.eye(len(vi)) - self.x @ phi @ self.x.T @ vi
        p_ = [-self.x.T @ vi @ one @ self.x for one in gv]
        q_ = [[self.x.T @ vi @ one @ two @ self.x for two in gv] for one in gv]
        information = [[np.sum((one @ big_p) * (two @ big_p).T) / 2 for two in gv] for one in gv]
        w = np.linalg.inv(np.array(information))
        span = range(len(g))
        adjusted = phi + 2 * phi @ sum(w[k, m] * (q_[k][m] - p_[k] @ phi @ p_[m]) for k in span for m in span) @ phi
        gradient = np.array([-(phi @ pk @ phi)[column, column] for pk in p_])
        estimate = (phi @ self.x.T @ vi @ self.y)[column]
        df = 2 * phi[column, column] ** 2 / (gradient @ w @ gradient)
        return float(estimate), float(adjusted[column, column] ** 0.5), float(df)


def fitted(frame: pd.DataFrame, review_wave: bool = False) -> LongitudinalFit:
    data = long_data(frame)
    wave = data.sample.wave
    later = [(wave == w) * 1.0 for w in range(1, data.sample.waves)]
    columns = [(f"{k}", here) for k, here in enumerate([*later, *(data.arm * here for here in later)])]
    fit = longitudinal.fit(model_matrix(data.outcome, columns), data.sample, review_wave)
    assert isinstance(fit, LongitudinalFit)
    return fit


def test_the_twenty_sites_are_those_of_r() -> None:
    want = answers_of_r("clda_twenty_sites")
    frame = pd.read_csv(REFERENCES / "clda_twenty_sites.csv")
    got = clda_of(compare(frame, ASKED))
    kenward_roger = want["clda_kenward_roger"]
    assert got.estimate == pytest.approx(kenward_roger["estimate"], abs=ESTIMATE)
    assert (got.se, got.df) == pytest.approx((kenward_roger["se"], kenward_roger["df"]), rel=SPREAD)
    assert got.ci == pytest.approx(kenward_roger["ci"], abs=SPREAD)
    assert got.reml_loglik == pytest.approx(want["reml_loglik"], abs=LOGLIK)
    assert (got.people, got.rows) == (want["n"]["participants"], want["n"]["rows"])
    for ours_, theirs in (("site:wave", "site_wave"), ("participant", "participant"), ("residual", "Residual")):
        assert got.variance[ours_] == pytest.approx(want["variance"][theirs], abs=ESTIMATE)
    assert got.boundary == ("site:wave",)


@pytest.mark.parametrize("name", R)
def test_every_contrast_is_that_of_lme4_and_pbkrtest(name: str) -> None:
    want = R[name]
    got = ours(case_of_r(name), want["review_wave"], tuple(want["covariates"]))
    assert got.rows == want["rows"]
    assert got.reml_loglik == pytest.approx(want["reml_loglik"], abs=LOGLIK)
    assert got.reml_loglik >= want["reml_loglik"] - 1e-9
    for level, value in want["variance"].items():
        assert got.variance[level.replace("_", ":")] == pytest.approx(value, abs=2e-6), level
    assert set(got.boundary) == {k.replace("_", ":") for k, value in want["variance"].items() if value < 1e-9}
    assert set(got.contrasts) == set(want["contrasts"])
    for wave, answer in want["contrasts"].items():
        effect = got.contrasts[wave]
        assert isinstance(effect, Effect)
        assert effect.estimate == pytest.approx(answer["estimate"], abs=ESTIMATE)
        assert (effect.se, effect.df) == pytest.approx((answer["se"], answer["df"]), rel=SPREAD)


@pytest.mark.parametrize("name", R)
def test_levels_and_all_waves_together_are_those_of_pbkrtest(name: str) -> None:
    want = R[name]
    got = ours(case_of_r(name), want["review_wave"], tuple(want["covariates"]))
    waves = list(got.levels)
    for key, answer in want.get("levels", {}).items():
        arm = "control" if key == "first" else key
        level = got.levels[waves[0] if key == "first" else waves[-1]][arm]
        assert level.estimate == pytest.approx(answer["estimate"], abs=ESTIMATE)
        assert (level.se, level.df) == pytest.approx((answer["se"], answer["df"]), rel=SPREAD)
    if got.together is None:
        assert len(want["contrasts"]) == 1
        return
    assert isinstance(got.together, JointTest)
    test = want["together"]
    # The statistic is a square, and R's own answer carries its optimiser's 1e-6 twice.
    assert got.together.statistic == pytest.approx(test["F"], rel=1e-5)
    assert (got.together.df, got.together.scale) == pytest.approx((test["df"], test["scaling"]), rel=SPREAD)
    assert got.together.p == pytest.approx(test["p"], rel=1e-4)


# Seeds chosen to hold optima inside and on one or several boundaries; tests below say what must be there.
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("review_wave", [False, True])
def test_the_answer_is_the_paper_written_out_in_full(seed: int, review_wave: bool) -> None:
    frame = trial(seed, sites=6)
    fit, whole = fitted(frame, review_wave), Dense(long_data(frame))
    sigma = np.array([fit.sigma2, *(fit.variance.get(level, 0.0) for level in LEVELS)])
    assert fit.loglik == pytest.approx(whole.loglik(sigma), abs=1e-8)
    got = ours(frame, review_wave)
    want = whole.kenward_roger(sigma, list(fit.levels), 4)
    assert (got.estimate, got.se, got.df) == pytest.approx(want, rel=1e-7)


@pytest.mark.parametrize("review_wave", [False, True])
def test_derivatives_are_those_of_the_criterion(review_wave: bool) -> None:
    fit = fitted(trial(3), review_wave)
    sums, levels = fit.sums, fit.levels
    dof, step = sums.rows - sums.rank, 1e-5
    theta = np.array([0.6, 0.11, 0.07 if review_wave else 0.0, 0.2, 0.05])
    at = evaluate(sums, levels, theta)
    slopes, curves = search.gradient(at, dof), search.curvatures(at, dof)[0]
    for place, k in enumerate(levels):
        up, down = (evaluate(sums, levels, theta + sign * step * np.eye(5)[k]) for sign in (1, -1))
        assert slopes[place] == pytest.approx((up.criterion - down.criterion) / (2 * step), rel=1e-5)
        bend = (search.gradient(up, dof) - search.gradient(down, dof)) / (2 * step)
        assert curves[place] == pytest.approx(bend, rel=1e-5, abs=1e-6)
        # H⁻¹GₖH⁻¹ is what the cross-products lose as θₖ grows.
        crosses = [np.linalg.inv(e.lower) @ np.linalg.inv(e.lower).T for e in (up, down)]
        assert at.n1[place] == pytest.approx(
            -at.lower @ ((crosses[0] - crosses[1]) / (2 * step)) @ at.lower.T, rel=1e-4, abs=1e-6
        )


def test_many_criteria_at_once_are_the_same_criteria() -> None:
    fit = fitted(trial(4), review_wave=True)
    thetas = np.random.default_rng(1).choice([0.0, 0.1, 1.0, 30.0], size=(40, 5))
    one_by_one = [evaluate(fit.sums, fit.levels, theta).criterion for theta in thetas]
    assert criteria(fit.sums, fit.levels, thetas) == pytest.approx(one_by_one, rel=1e-10)


def test_no_point_anywhere_is_better_than_the_fit() -> None:
    rng = np.random.default_rng(1)
    boundaries = set()
    for seed in range(12):
        fit = fitted(trial(seed, sites=6, site=0.1))
        boundaries.update(fit.boundary)
        thetas = np.zeros((400, 5))
        sizes = 10.0 ** rng.uniform(-4, 1.5, (400, len(fit.levels)))
        thetas[:, fit.levels] = sizes * (rng.random(sizes.shape) < 0.7)
        near = fit.at.theta * rng.uniform(0.8, 1.25, (400, 5))
        assert fit.at.criterion <= criteria(fit.sums, fit.levels, np.concatenate((thetas, near))).min() + 1e-9
    assert {"site", "site:wave", "review"} <= boundaries  # the boundary was met


def test_variances_a_million_times_the_residual_lose_no_digits() -> None:
    frame = trial(1)
    frame["outcome"] += frame.site.map(dict(enumerate(np.random.default_rng(1).normal(0, 1000, 10))))
    found = ours(frame)
    plain = trial(1)
    assert found.variance["site"] / found.variance["residual"] > 1e5
    # With sites this far apart a contrast of waves is within sites, and what sites differ by is out of it.
    assert found.variance["residual"] == pytest.approx(ours(plain).variance["residual"], rel=0.02)


few = settings(max_examples=10, deadline=None)
seeds = st.integers(0, 10_000)


def numbers(found: Longitudinal) -> list[float]:
    effects = [effect for effect in found.contrasts.values() if isinstance(effect, Effect)]
    return [x for one in effects for x in (one.estimate, one.se, one.df, one.p)]


@few
@given(seeds)
def test_labels_and_the_order_of_rows_change_nothing(seed: int) -> None:
    frame = trial(seed)
    renamed = frame.assign(
        site=frame.site.map(lambda s: f"site {(7 * s) % 11}"),
        review=frame.review.map(lambda r: f"review {r}"),
        participant=frame.participant.map(lambda p: f"p{(p * 37) % 1009}"),
        arm=frame.arm.map({0: "usual care", 1: "appreciative"}),
        wave=frame.wave.map({0: "before", 1: "after", 2: "month3"}),
    ).sample(frac=1, random_state=seed)
    asked = Question(**{**vars(ASKED), "wave_order": ("before", "after", "month3")})
    one, other = clda_of(compare(frame, ASKED)), clda_of(compare(renamed, asked))
    # Sums in another order differ in the last digits; the search then stops elsewhere by 1e-7.
    assert numbers(other) == pytest.approx(numbers(one), rel=1e-5, abs=1e-7)


@few
@given(seeds, st.floats(-1000, 1000), st.floats(0.01, 100))
def test_units_of_the_outcome_scale_the_difference_and_nothing_else(seed: int, shift: float, scale: float) -> None:
    frame = trial(seed)
    one, other = ours(frame), ours(frame.assign(outcome=shift + scale * frame.outcome))
    assert other.estimate == pytest.approx(scale * one.estimate, rel=1e-5, abs=1e-6 * scale)
    assert (other.se, other.df, other.p) == pytest.approx((scale * one.se, one.df, one.p), rel=1e-5)
    for wave, arms in one.levels.items():
        for arm, level in arms.items():
            assert other.levels[wave][arm].estimate == pytest.approx(
                shift + scale * level.estimate, rel=1e-5, abs=1e-5 * scale
            )


@few
@given(seeds)
def test_contrasts_together_do_not_depend_on_how_they_are_written_and_one_alone_is_its_t_test(seed: int) -> None:
    fit = fitted(trial(seed))
    pair = np.column_stack([combination(fit, {3: 1.0}), combination(fit, {4: 1.0})])
    one, other = joint_test(fit, pair), joint_test(fit, pair @ np.array([[1.0, 3.0], [-1.0, 0.5]]))
    assert isinstance(one, JointTest)
    assert isinstance(other, JointTest)
    assert (other.statistic, other.df, other.p) == pytest.approx((one.statistic, one.df, one.p), rel=1e-8)
    alone, single = joint_test(fit, pair[:, 1:]), contrast(fit, pair[:, 1])
    assert isinstance(alone, JointTest)
    assert isinstance(single, Effect)
    assert (alone.statistic, alone.df, alone.scale) == pytest.approx((single.statistic**2, single.df, 1.0), rel=1e-8)
    assert alone.p == pytest.approx(single.p, rel=1e-6)


def test_with_eight_sites_and_no_effect_it_rejects_seldom() -> None:
    """Nominal 5 %: Kenward–Roger is conservative at 8 sites; leaving site:wave out would reject about one in five."""
    rejected = 0
    for seed in range(100):
        null = trial(seed, sites=8, waves=2, lost=0.1)
        rejected += ours(null.assign(outcome=null.outcome - 0.5 * null.arm * null.wave)).p < 0.05
    assert rejected <= 9  # at 5 % more come in one sample of thirty-five, at 19 % fewer in one of two hundred


@pytest.mark.parametrize(
    "arms", [{0: False, 1: True}, {0: "usual care", 1: "appreciative"}, {0: 0.0, 1: 1.0}, {0: "no", 1: "yes"}]
)
def test_arms_may_be_words_numbers_or_truth_values(arms: dict[int, Any]) -> None:
    frame = trial(1)
    want = clda_of(compare(frame, ASKED))
    for kind in (object, "category"):
        got = clda_of(compare(frame.assign(arm=frame.arm.map(arms).astype(kind)), ASKED))
        assert numbers(got) == pytest.approx(numbers(want), rel=1e-9)


def test_review_labels_that_repeat_across_sites_are_nested() -> None:
    frame = trial(1)
    unique = frame.assign(review=frame.site * 100 + frame.review)
    assert numbers(ours(unique)) == pytest.approx(numbers(ours(frame)), rel=1e-9)


def test_reviews_may_vary_by_wave_where_the_question_says_so() -> None:
    frame = trial(1)
    asked = Question(**{**vars(ASKED), "review_wave": True})
    assert "review:wave" in clda_of(compare(frame, asked)).variance
    assert "review:wave" not in clda_of(compare(frame, ASKED)).variance


def test_people_with_some_waves_missing_count() -> None:
    frame = trial(1, lost=0.0)
    fewer = frame.drop(frame[(frame.participant % 3 == 0) & (frame.wave == 2)].index)
    got = clda_of(compare(fewer, ASKED))
    assert got.people == frame.participant.nunique()
    assert got.rows == len(fewer)
    whole = fewer[fewer.participant % 3 != 0]
    assert got.se < clda_of(compare(whole, ASKED)).se


def test_rows_without_an_outcome_are_left_out_and_said() -> None:
    frame = trial(1)
    gaps = frame.assign(outcome=frame.outcome.where(frame.index % 7 != 0))
    got = clda_of(compare(gaps, ASKED))
    assert numbers(got) == pytest.approx(numbers(clda_of(compare(gaps.dropna(), ASKED))), rel=1e-9)
    assert any('without "outcome" left out' in note for note in got.warnings)


def test_sites_that_were_not_randomised_are_refused() -> None:
    refused = compare(trial(1), Question(**{**vars(ASKED), "design": "nonrandomised"})).methods["clda"]
    assert isinstance(refused, NotEstimable)
    assert "refused" in refused.reason
    assert clda(long_data(trial(1)), "nonrandomised") == refused


def test_site_by_wave_cannot_be_left_out() -> None:
    assert "site:wave" in ours(trial(1)).variance
    assert "site:wave" in ours(trial(1).assign(review=0)).variance
    flat = ours(case_of_r("zero_site_wave"))
    assert flat.variance["site:wave"] == 0.0
    assert flat.df < 12  # kept at zero, it still holds the degrees of freedom near the number of sites
    assert any("site:wave is estimated as zero" in note for note in flat.warnings)


@pytest.mark.parametrize(
    ("changes", "missing", "words"),
    [
        ({"review": 0}, "review", "exactly one review"),
        ({"review": lambda f: f.participant}, "review", "exactly one person"),
        ({"participant": lambda f: np.arange(len(f))}, "participant", "one wave only"),
    ],
)
def test_levels_that_cannot_be_told_apart_are_left_out_and_said(
    changes: dict[str, Any], missing: str, words: str
) -> None:
    found = ours(trial(1).assign(**changes))
    assert missing not in found.variance
    assert any(words in note for note in found.warnings)


def test_a_review_level_asked_for_by_wave_is_left_out_where_no_review_has_two_answers() -> None:
    frame = trial(1, lost=0.0)
    frame = frame[frame.groupby(["site", "review", "wave"]).cumcount() == 0]
    fit = longitudinal.fit(
        model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))]), long_data(frame).sample, True
    )
    reasons = fit.reason if isinstance(fit, NotEstimable) else " ".join(fit.notes)
    assert "one person" in reasons


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (trial(1).groupby(["site", "wave"]).head(1), "one answer a site and wave"),
        (trial(1).query("(wave == 0 and site < 5) or (wave == 2 and site >= 5)"), "one wave only"),
        (trial(1).query("wave != 2 or arm == 1"), 'only one arm answered at wave "2"'),
        (trial(1).assign(outcome=lambda f: f.wave * 1.0), "nothing of the outcome unexplained"),
        (trial(1).query("arm == 0 or site == site[arm == 1].iloc[0]"), "fewer than two sites"),
    ],
)
def test_what_cannot_be_estimated_has_a_reason(frame: pd.DataFrame, words: str) -> None:
    found = clda(long_data(frame.reset_index(drop=True)), "randomised")
    assert isinstance(found, NotEstimable)
    assert words in found.reason


def test_a_middle_wave_of_one_arm_only_leaves_the_others_standing() -> None:
    found = ours(trial(1).query("wave != 1 or arm == 1"))
    assert isinstance(found.contrasts["1"], NotEstimable)
    assert isinstance(found.contrasts["2"], Effect)


def test_someone_in_two_reviews_counts_in_the_first() -> None:
    frame = trial(1, lost=0.0)
    several = frame.groupby("site").review.nunique().idxmax()
    of_site = frame[frame.site == several]
    reviews = of_site.review.unique()
    mover, host = of_site[of_site.review == reviews[0]].participant.iloc[0], reviews[1]
    extra = frame[(frame.participant == mover) & (frame.wave == 2)].assign(review=host, outcome=99.0)
    got = clda_of(compare(pd.concat([frame, extra]), ASKED))
    assert numbers(got) == pytest.approx(numbers(clda_of(compare(frame, ASKED))), rel=1e-9)
    assert any("more than one review" in note for note in got.warnings)


def test_people_numbered_afresh_in_every_review_are_all_counted() -> None:
    frame = trial(1, lost=0.0)
    afresh = frame.assign(participant=frame.groupby(["site", "review"]).participant.transform(lambda p: p - p.min()))
    got = clda_of(compare(afresh, ASKED))
    assert got.people == frame.participant.nunique()
    assert numbers(got) == pytest.approx(numbers(clda_of(compare(frame, ASKED))), rel=1e-9)
    assert any("numbered afresh" in note for note in got.warnings)


def test_a_third_arm_at_an_earlier_wave_is_refused() -> None:
    frame = trial(1).astype({"arm": object})
    frame.loc[frame.index[frame.wave == 0][:3], "arm"] = "other"
    with pytest.raises(BadData, match="3 arms"):
        compare(frame, ASKED)


def test_waves_outside_the_order_are_not_used() -> None:
    frame = trial(1)
    got = clda_of(compare(frame, Question(**{**vars(ASKED), "wave_order": ("0", "2")})))
    want = clda_of(compare(frame[frame.wave != 1], ASKED))
    assert numbers(got) == pytest.approx(numbers(want), rel=1e-9)
    assert any("wave 1 not used" in note for note in got.warnings)


def test_a_second_row_for_a_wave_is_refused() -> None:
    frame = trial(1)
    with pytest.raises(BadData, match="second row for a wave"):
        compare(pd.concat([frame, frame.iloc[[4]]]), ASKED)


def test_linear_algebra_is_held_to_one_thread_inside_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def watched(*arguments: Any) -> LongitudinalFit | NotEstimable:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return fit(*arguments)

    fit = longitudinal.fit
    monkeypatch.setattr(longitudinal, "fit", watched)
    ours(trial(1))
    assert set(seen) == {1}


def test_strata_and_covariates_enter_the_model() -> None:
    frame = trial(1, sites=12).assign(age=lambda f: (f.participant * 37 % 11) * 1.0)
    order = frame.groupby("site").arm.first().groupby(lambda s: s).first()
    rank = order.groupby(order).cumcount()
    frame["region"] = frame.site.map(rank % 2).map({0: "north", 1: "south"})
    asked = Question(**{**vars(ASKED), "strata": "region", "covariates": ("age",)})
    got = clda_of(compare(frame, asked))
    want = ours(frame.assign(region=(frame.region == "south") * 1.0), covariates=("age", "region"))
    assert numbers(got) == pytest.approx(numbers(want), rel=1e-7)
    gaps = frame.assign(region=frame.region.where(frame.index % 9 != 0))
    assert numbers(clda_of(compare(gaps, asked))) == pytest.approx(
        numbers(clda_of(compare(gaps.dropna(), asked))), rel=1e-9
    )


def test_the_plan_may_name_it_as_primary() -> None:
    frame = trial(1, sites=12)
    asked = {**vars(ASKED), "planned_sites": 12, "methods": ("cr2",)}
    plain, named = compare(frame, Question(**asked)), compare(frame, Question(**{**asked, "primary": "clda"}))
    assert plain.primary.method == "lmm_kenward_roger"
    assert named.primary.method == "clda"
    assert "cLDA" in named.primary.reason
    assert named.effect_size is not None
    with pytest.raises(BadData, match="wave column"):
        Question(**{**asked, "primary": "clda", "wave": None})


def test_the_json_has_one_contrast_for_each_later_wave() -> None:
    plain = json.loads(json.dumps(compare(trial(1), ASKED).to_dict(), allow_nan=False))["methods"]["clda"]
    assert set(plain["contrasts"]) == {"1", "2"}
    shared = ["estimate", "se", "df", "statistic", "p", "ci"]
    assert {key: plain[key] for key in shared} == {key: plain["contrasts"]["2"][key] for key in shared}
    assert plain["levels"]["0"]["control"] == plain["levels"]["0"]["treatment"]
