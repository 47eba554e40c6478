"""The compiled loops give the answers of NumPy, boundaries and refusals included, and are used only when asked for."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.reml import RemlFit
from analysis.lmm.satterthwaite import satterthwaite
from analysis.model_matrix import model_matrix
from analysis.results import Effect, NotEstimable
from tests.analysis.cases import CASES, REFERENCES, table, trial

NESTED = pd.read_csv(REFERENCES / "nested.csv")
NAMES = list(json.loads((REFERENCES / "nested.json").read_text()))

# Both take the same steps; only the order of sums differs.
SAME = 1e-9


def both(frame: pd.DataFrame) -> tuple[RemlFit | NotEstimable, RemlFit | NotEstimable]:
    matrix = model_matrix(
        frame.outcome.to_numpy(float),
        [("baseline", frame.baseline.to_numpy(float)), ("arm", frame.arm.to_numpy(float))],
    )
    site, review = frame.site.to_numpy(np.intp), frame.review.to_numpy(np.intp)
    return reml.fit(matrix, site, review, compiled=False), reml.fit(matrix, site, review, compiled=True)


def agree(frame: pd.DataFrame) -> tuple[str, ...]:
    plain, fast = both(frame)
    if isinstance(plain, NotEstimable):
        assert fast == plain
        return ("refused",)
    assert isinstance(fast, RemlFit)
    assert (fast.compiled, plain.compiled) == (True, False)
    assert fast.boundary == plain.boundary
    assert fast.at.theta == pytest.approx(plain.at.theta, rel=1e-8, abs=SAME)
    assert fast.loglik == pytest.approx(plain.loglik, rel=1e-12)
    for infer in (kenward_roger, satterthwaite):
        for column in range(1, plain.sums.rank):
            one, other = infer(plain, column), infer(fast, column)
            if isinstance(one, NotEstimable):
                assert other == one
                continue
            assert isinstance(other, Effect)
            numbers = [(x.estimate, x.se, x.df, x.p) for x in (one, other)]
            assert numbers[1] == pytest.approx(numbers[0], rel=SAME, abs=SAME)
    return plain.boundary


@pytest.mark.parametrize("name", NAMES)
def test_trials_of_every_shape_have_the_same_answers(name: str) -> None:
    agree(NESTED[NESTED.case == NAMES.index(name) + 1])


@pytest.mark.parametrize("name", CASES)
def test_the_reference_cases_have_the_same_answers(name: str) -> None:
    agree(table(name))


def test_two_hundred_simulated_trials_have_the_same_answers() -> None:
    rng = np.random.default_rng(1)
    met = set()
    for seed in range(200):
        sites = int(rng.integers(3, 16))
        frame = trial(
            seed,
            sites=sites,
            reviews=int(rng.integers(1, 4)),
            people=int(rng.integers(2, 8)),
            icc_site=float(rng.choice([0.0, 0.05, 0.6])),
            icc_review=float(rng.choice([0.0, 0.03, 0.3])),
        )
        met.add(agree(frame.sample(frac=1, random_state=seed) if seed % 5 == 0 else frame))
    assert {(), ("site",), ("review",), ("site", "review")} <= met


@pytest.mark.parametrize(
    "frame",
    [
        trial(1, sites=12).groupby("site").head(1),
        trial(1).assign(outcome=lambda f: f.groupby(["site", "review"]).outcome.transform("mean")),
        trial(1).assign(outcome=lambda f: 2 * f.baseline + f.arm),
        trial(1).assign(review=lambda f: f.site),
        trial(1).assign(review=lambda f: f.participant),
    ],
)
def test_what_numpy_refuses_or_leaves_out_is_refused_or_left_out(frame: pd.DataFrame) -> None:
    plain, fast = both(frame)
    if isinstance(plain, NotEstimable):
        assert fast == plain
    else:
        assert isinstance(fast, RemlFit)
        assert (fast.levels, fast.notes) == (plain.levels, plain.notes)
        agree(frame)


def test_nobody_gets_compiled_loops_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALAPP_FAST", raising=False)
    frame = trial(1)
    matrix = model_matrix(frame.outcome.to_numpy(float), [("arm", frame.arm.to_numpy(float))])
    site = frame.site.to_numpy(np.intp)
    plain = reml.fit(matrix, site)
    monkeypatch.setenv("EVALAPP_FAST", "1")
    asked = reml.fit(matrix, site)
    assert isinstance(plain, RemlFit)
    assert isinstance(asked, RemlFit)
    assert (plain.compiled, asked.compiled) == (False, True)
    assert reml.available()
