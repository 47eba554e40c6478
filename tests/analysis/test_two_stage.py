"""Sites that are alike leave nothing to judge a difference by, whatever the rounding of their sums."""

import numpy as np
import pytest

from analysis.model_matrix import site_means
from analysis.results import NotEstimable
from analysis.robust.did import did
from analysis.two_stage.cluster_summary import cluster_summary

ARM = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
SITE = np.repeat(np.arange(6), 4)


@pytest.mark.parametrize("seed", range(20))
def test_rounding_between_sites_that_are_alike_is_not_tested(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = np.concatenate([rng.permutation([50.1, 56.3, 62.7, 68.9]) for _ in range(6)])
    found = cluster_summary(site_means(answers - answers.mean(), SITE), ARM)
    assert isinstance(found, NotEstimable)
    assert isinstance(did(answers, SITE, ARM), NotEstimable)


def test_means_that_differ_are_left_as_they_are() -> None:
    values = np.array([1.0, 2.0, 3.0, 3.0 + 1e-9])
    assert list(site_means(values, np.array([0, 0, 1, 1]))) == [1.5, 3.0 + 5e-10]
