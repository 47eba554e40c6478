"""The nested mixed model is R's, on trials of every shape it will meet."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.reml import RemlFit
from analysis.model_matrix import model_matrix
from analysis.results import Effect
from tests.analysis.cases import REFERENCES

R = json.loads((REFERENCES / "nested.json").read_text())
TABLE = pd.read_csv(REFERENCES / "nested.csv")

# R's optimiser stops at 1e-10 of the trust region, which leaves about 1e-6 in a variance ratio; estimates are flat in
# the variances, standard errors and degrees of freedom are not.
ESTIMATE, SPREAD, LOGLIK = 1e-6, 1e-5, 1e-6


def fitted(name: str) -> RemlFit:
    frame = TABLE[TABLE.case == list(R).index(name) + 1]
    columns = [*R[name]["covariates"], "arm"]
    matrix = model_matrix(frame.outcome.to_numpy(float), [(one, frame[one].to_numpy(float)) for one in columns])
    fit = reml.fit(matrix, frame.site.to_numpy(np.intp) - 1, frame.review.to_numpy(np.intp))
    assert isinstance(fit, RemlFit)
    return fit


@pytest.mark.parametrize("name", R)
def test_the_fit_is_that_of_lme4(name: str) -> None:
    want, fit = R[name], fitted(name)
    assert (fit.sums.rows, fit.sums.sites) == (want["rows"], want["sites"])
    assert fit.loglik == pytest.approx(want["reml_loglik"], abs=LOGLIK)
    assert fit.loglik >= want["reml_loglik"] - 1e-9
    assert fit.sigma2 == pytest.approx(want["variance"]["residual"], rel=SPREAD)
    # Variances far above the residual are known to R as well as their ratio is, not to 1e-6 of a point.
    assert fit.site == pytest.approx(want["variance"]["site"], abs=2e-6, rel=SPREAD)
    if not want["review"]:
        assert fit.review is None
        return
    assert fit.review == pytest.approx(want["variance"]["review"], abs=2e-6, rel=SPREAD)
    assert set(fit.boundary) == {level for level in ("site", "review") if want["variance"][level] < 1e-9}


@pytest.mark.parametrize("name", R)
def test_kenward_roger_is_that_of_pbkrtest(name: str) -> None:
    want, fit = R[name], fitted(name)
    got = kenward_roger(fit, fit.sums.rank - 1)
    assert isinstance(got, Effect)
    assert got.estimate == pytest.approx(want["estimate"], abs=ESTIMATE)
    assert (got.se, got.df) == pytest.approx((want["se"], want["df"]), rel=SPREAD)
    assert got.p == pytest.approx(want["p"], rel=1e-4)  # p moves about ten times as fast as the standard error


def test_the_cases_hold_every_boundary() -> None:
    met = {fitted(name).boundary for name in R}
    assert {(), ("site",), ("review",), ("site", "review")} <= met
