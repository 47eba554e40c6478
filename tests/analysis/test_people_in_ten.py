"""Shares above a locked cut, and the WWC's g, are R's; the intervals know of sites."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.errors import BadData
from analysis.measures.people_in_ten import PeopleInTen, Reached, people_in_ten
from analysis.measures.wwc_g import WwcG, wwc_g
from analysis.results import Effect, NotEstimable, t_effect
from tests.analysis.cases import REFERENCES

R = json.loads((REFERENCES / "sensitivity.json").read_text())
TABLE = pd.read_csv(REFERENCES / "sensitivity.csv")
EXACT = 1e-9  # closed forms; R writes 12 digits


def case(name: str) -> tuple[pd.DataFrame, np.typing.NDArray[np.intp]]:
    frame = TABLE[TABLE.case == name].reset_index(drop=True)
    return frame, frame["site"].to_numpy() - 1


@pytest.mark.parametrize("arm", [1, 0])
def test_the_share_and_its_interval_are_r_s(arm: int) -> None:
    frame, site = case("twenty_four")
    want = R["ten"][str(arm)]
    site_arm = frame.groupby("site")["arm"].first().to_numpy(dtype=float)
    found = people_in_ten(frame["outcome"].to_numpy(), site, site_arm, want["cut"])
    assert isinstance(found, PeopleInTen)
    got = found.treatment if arm else found.control
    assert isinstance(got, Reached)
    assert (got.people, got.sites) == (want["people"], want["sites"])
    assert (got.share, *got.ci) == pytest.approx((want["share"], want["low"], want["high"]), abs=EXACT)


def test_sites_that_differ_widen_the_interval_beyond_that_of_as_many_people() -> None:
    site = np.repeat(np.arange(12), 10)
    site_arm = np.arange(12) % 2 * 1.0
    alike = np.tile(np.repeat([0.0, 1.0], 5), 12)
    apart = np.where(
        site % 4 < 2, np.where(np.arange(120) % 10 < 8, 1.0, 0.0), np.where(np.arange(120) % 10 < 2, 1.0, 0.0)
    )
    lengths = []
    for outcome in (alike, apart):
        found = people_in_ten(outcome, site, site_arm, 0.5)
        assert isinstance(found, PeopleInTen)
        assert isinstance(found.treatment, Reached)
        assert found.treatment.share == pytest.approx(0.5)
        low, high = found.treatment.ci
        assert low is not None
        assert high is not None
        lengths.append(high - low)
    assert lengths[1] > 1.5 * lengths[0]


def test_nobody_above_the_cut_in_an_arm_leaves_an_interval_as_wide_as_few_sites_make_it() -> None:
    outcome = np.array([1.0, 1, 1, 1, 1, 1, 1, 9])
    found = people_in_ten(outcome, np.repeat(np.arange(4), 2), np.array([1.0, 1, 0, 0]), 5.0)
    assert isinstance(found, PeopleInTen)
    assert isinstance(found.treatment, Reached)
    assert found.treatment.share == 0.0
    assert found.treatment.ci == (0.0, pytest.approx(1 - 0.025**0.5))


def test_intervals_cover_the_true_share_with_few_uneven_sites() -> None:
    """400 trials of 8 sites an arm, site shares beta(6, 4): 95 % intervals cover at least 93 % (chance: 1.1 points)."""
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(400):
        sizes = rng.integers(4, 20, 16)
        site = np.repeat(np.arange(16), sizes)
        outcome = (rng.random(len(site)) < rng.beta(6, 4, 16)[site]).astype(float)
        found = people_in_ten(outcome, site, np.arange(16) % 2 * 1.0, 0.5)
        assert isinstance(found, PeopleInTen)
        assert isinstance(found.control, Reached)
        low, high = found.control.ci
        assert low is not None
        assert high is not None
        covered += low <= 0.6 <= high
    assert covered / 400 > 0.93


def test_shares_that_say_nothing_have_their_reason() -> None:
    outcome = np.array([1.0, 2, 3, 4])
    everyone = people_in_ten(outcome, np.arange(4), np.array([1.0, 1, 0, 0]), 0.0)
    assert isinstance(everyone, NotEstimable)
    lonely = people_in_ten(outcome, np.array([0, 1, 2, 2]), np.array([1.0, 1, 0]), 2.5)
    assert isinstance(lonely, PeopleInTen)
    assert isinstance(lonely.control, NotEstimable)
    assert json.dumps(lonely.to_dict(), allow_nan=False)
    with pytest.raises(BadData, match="the cut"):
        people_in_ten(outcome, np.arange(4), np.array([1.0, 1, 0, 0]), float("nan"))


@pytest.mark.parametrize("want", R["wwc"], ids=lambda one: f"icc {one['icc']}")
def test_g_is_the_what_works_clearinghouse_s(want: dict[str, float]) -> None:
    frame, site = case("ten")
    effect = t_effect(0.5, 0.2, 8.0, 0.95)
    assert isinstance(effect, Effect)
    found = wwc_g(effect, frame["outcome"].to_numpy(), frame["arm"].to_numpy(dtype=float), site, want["icc"])
    assert isinstance(found, WwcG)
    assert (found.value, found.df) == pytest.approx((want["g"], want["h"]), rel=EXACT)
    assert effect.ci[0] is not None
    assert found.ci[0] == pytest.approx(found.value * effect.ci[0] / 0.5)


def test_without_clustering_g_is_the_ordinary_one() -> None:
    frame, site = case("ten")
    effect = t_effect(0.5, 0.2, 8.0, 0.95)
    assert isinstance(effect, Effect)
    found = wwc_g(effect, frame["outcome"].to_numpy(), frame["arm"].to_numpy(dtype=float), site, 0.0)
    assert isinstance(found, WwcG)
    assert found.df == pytest.approx(len(frame) - 2)


def test_g_that_cannot_be_known_has_its_reason() -> None:
    effect = t_effect(0.5, 0.2, 8.0, 0.95)
    assert isinstance(effect, Effect)
    arm, site = np.repeat([0.0, 1.0], 4), np.repeat(np.arange(2), 4)
    assert isinstance(wwc_g(effect, arm, arm, site, 0.1), NotEstimable)
    assert isinstance(wwc_g(effect, np.arange(8.0), arm, site, 0.9), NotEstimable)
    assert isinstance(wwc_g(effect, np.arange(5.0), np.array([1.0, 0, 0, 0, 0]), np.arange(5), 0.1), NotEstimable)
    with pytest.raises(BadData, match="ICC"):
        wwc_g(effect, np.arange(8.0), arm, site, 1.0)
