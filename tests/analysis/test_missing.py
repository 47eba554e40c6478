"""Who lacks which answers is counted whole, and a tipping point is where the shifted interval meets zero."""

import doctest

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import BadData
from analysis.missing import patterns
from analysis.missing import tipping as tipping_module
from analysis.missing.patterns import missing_patterns
from analysis.missing.tipping import Shares, Tipping, shares, shares_of, tipping
from analysis.results import NotEstimable
from tests.analysis.cases import question


def people() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "arm": ["usual", "usual", "usual", "new", "new", "new"],
            "site": ["A", "A", "B", "C", "C", "D"],
            "role": ["parent", "manager", None, "parent", "parent", "manager"],
            "participant": [1, 2, 1, 1, 2, 1],
            "before": [3.0, 4.0, None, 2.0, 1.0, 5.0],
            "after": [3.0, None, None, 2.0, None, None],
        }
    )


def counted(**more: object) -> patterns.MissingPatterns:
    return missing_patterns(people(), ["before", "after"], arm="arm", site="site", role="role", **more)  # type: ignore[arg-type]


def test_patterns_are_counted_by_arm_role_and_site_and_add_up() -> None:
    found = counted(participant="participant")
    assert [(one.label, one.people, one.answered) for one in found.by_arm] == [
        ("new", 3, (3, 1)),
        ("usual", 3, (2, 1)),
    ]
    assert [(one.label, one.people) for one in found.by_role] == [("manager", 2), ("not recorded", 1), ("parent", 3)]
    assert [(one.has, one.people) for one in found.everyone.patterns] == [
        ((True, False), 3),
        ((True, True), 2),
        ((False, False), 1),
    ]
    for groups in (found.by_arm, found.by_role, found.by_site):
        assert sum(one.people for one in groups) == found.everyone.people == 6
        assert all(sum(kind.people for kind in one.patterns) == one.people for one in groups)


def test_a_site_where_nobody_answered_is_named() -> None:
    assert counted().silent_sites == (("B",), ("B", "D"))


def test_a_wave_without_a_row_is_missing_like_a_blank_one() -> None:
    wide = people()
    long = wide.melt(["arm", "site", "role", "participant"], ["before", "after"], "wave", "score")
    kept = long[~((long.wave == "after") & (long.site == "A"))]  # row of site A's first person gone, too
    options = {"arm": "arm", "site": "site", "participant": "participant", "wave": "wave", "order": ("before", "after")}
    full = missing_patterns(long, ["score"], **options)  # type: ignore[arg-type]
    assert full.measurements == ("score, before", "score, after")
    assert full.everyone.patterns == counted().everyone.patterns
    assert missing_patterns(kept, ["score"], **options).everyone.answered == (5, 1)  # type: ignore[arg-type]
    with pytest.raises(BadData, match="leaves out wave after"):
        missing_patterns(long, ["score"], **{**options, "order": ("before",)})  # type: ignore[arg-type]


def test_people_numbered_afresh_in_every_review_are_as_many_as_their_rows() -> None:
    frame = pd.DataFrame(
        {
            "arm": [1] * 4 + [0] * 4,
            "site": [1] * 4 + [2] * 4,
            "review": [1, 1, 2, 2] * 2,
            "who": [1, 2] * 4,
            "y": [1.0] * 8,
        }
    )
    options = {"arm": "arm", "site": "site", "participant": "who"}
    assert missing_patterns(frame, ["y"], review="review", **options).everyone.people == 8  # type: ignore[arg-type]
    once_twice = frame.assign(who=[1, 2, 3, 1, 5, 6, 7, 8])
    assert missing_patterns(once_twice, ["y"], review="review", **options).everyone.people == 7  # type: ignore[arg-type]


def test_whoever_was_invited_was_invited_at_a_site() -> None:
    frame = people()
    frame.loc[1, "site"] = None
    with pytest.raises(BadData, match='column "site" is empty in row 3'):
        missing_patterns(frame, ["after"], arm="arm", site="site")
    with pytest.raises(BadData, match="no column"):
        missing_patterns(frame, ["later"], arm="arm", site="site")
    with pytest.raises(BadData, match="no outcome"):
        missing_patterns(frame, [], arm="arm", site="site")
    with pytest.raises(BadData, match="without participant"):
        missing_patterns(frame, ["after"], arm="arm", site="site", wave="role")


def test_people_and_silent_sites_are_told_apart_and_add_up_to_all_missing() -> None:
    asked = question(outcome="after", review=None, baseline=None, treatment="new")
    assert shares_of(people(), asked) == Shares(people=(1 / 3, 1 / 3), sites=(1 / 3, 1 / 3))
    assert shares_of(people(), asked, "site") == Shares(people=(0.25, 0.25), sites=(0.5, 0.5))


def test_shares_of_long_data_are_of_the_last_wave() -> None:
    long = people().melt(["arm", "site", "participant"], ["before", "after"], "wave", "score").dropna()
    asked = question(
        outcome="score", review=None, baseline=None, treatment="new", wave="wave", wave_order=("before", "after")
    )
    found = shares_of(long, asked)
    assert found == Shares(people=(1 / 3, 0.5), sites=(1 / 3, 0.0))  # the person of site B has no row at all


def test_a_site_with_nobody_counts_as_silent_where_sites_weigh_alike() -> None:
    found = shares(np.array([False, False]), np.array([0, 2]), np.array([1.0, 1.0, 0.0]), "site")
    assert found == Shares(people=(0.0, 0.0), sites=(0.5, 0.0))


@given(
    estimate=st.floats(-20, 20),
    half=st.floats(0.1, 20),
    treated=st.floats(0.01, 0.9),
    control=st.floats(0.01, 0.9),
    direction=st.sampled_from(["treatment", "control", "opposite"]),
)
def test_at_the_tipping_point_the_interval_ends_at_zero_and_before_it_nothing_changes(
    estimate: float, half: float, treated: float, control: float, direction: tipping_module.Direction
) -> None:
    found = tipping(estimate, (estimate - half, estimate + half), (treated, control), [0.0])
    assert isinstance(found, Tipping)
    point = found.point(direction)
    assert point.interval is not None
    assert point.estimate_zero is not None
    pair = {"treatment": (1, 0), "control": (0, 1), "opposite": (1, -1)}[direction]

    def effect(delta: float) -> float:
        return estimate + delta * (pair[0] * treated - pair[1] * control)

    assert effect(point.estimate_zero) == pytest.approx(0.0, abs=1e-9)
    assert abs(effect(point.interval)) == pytest.approx(half, abs=1e-9)
    just_before = effect(0.999 * point.interval)
    if abs(abs(estimate) - half) > 1e-6:
        assert (abs(just_before) > half) == found.excludes_zero


@pytest.mark.parametrize("weight", ["person", "site"])
def test_the_formula_is_what_filling_every_gap_with_its_mean_and_a_shift_would_give(
    weight: tipping_module.Weight,
) -> None:
    """By hand: a gap gets the mean of its arm (people weighing alike) or of its site, a silent site that of its arm's sites."""
    rng = np.random.default_rng(8)
    site = np.repeat(np.arange(10), 5)
    site_arm = np.arange(10) % 2 * 1.0
    outcome = rng.normal(size=50) + site_arm[site]
    missing = (rng.random(50) < 0.3) | np.isin(site, [3, 4])
    table = pd.DataFrame({"site": site, "arm": site_arm[site], "y": np.where(missing, np.nan, outcome)})

    def difference(people: tuple[float, float], sites: tuple[float, float]) -> float:
        means = []
        for arm, of_people, of_sites in zip((1.0, 0.0), people, sites, strict=True):
            here = table[table.arm == arm]
            of_site = here.groupby("site").y.transform("mean")
            silent = of_site.isna()
            if weight == "person":
                usual = pd.Series(here.y.mean(), index=here.index)
            else:
                usual = of_site.fillna(here.groupby("site").y.mean().mean())
            shift = np.where(silent, of_sites, of_people)
            filled = here.assign(y=here.y.where(here.y.notna(), usual + shift))
            means.append(filled.y.mean() if weight == "person" else filled.groupby("site").y.mean().mean())
        return float(means[0] - means[1])

    found = shares(missing, site, site_arm, weight)
    at_random = difference((0.0, 0.0), (0.0, 0.0))
    for people_shift, sites_shift in (((2.0, -1.0), (0.0, 0.0)), ((0.0, 0.0), (3.0, 0.5)), ((1.0, 1.0), (-2.0, 4.0))):
        expected = at_random
        for pair, shift in ((found.people, people_shift), (found.sites, sites_shift)):
            expected += shift[0] * pair[0] - shift[1] * pair[1]
        assert difference(people_shift, sites_shift) == pytest.approx(expected, abs=1e-12)


def test_the_grid_holds_the_formula_and_the_effect_as_it_was() -> None:
    found = tipping(4.0, (1.0, 7.0), (0.2, 0.1), [-10.0, 0.0, 10.0])
    assert isinstance(found, Tipping)
    cells = {(one.treatment, one.control): one for one in found.grid}
    assert len(cells) == 9
    assert cells[0.0, 0.0].estimate == 4.0
    assert cells[-10.0, 10.0].estimate == pytest.approx(4.0 - 2.0 - 1.0)
    assert not cells[-10.0, 10.0].excludes_zero
    assert cells[0.0, 0.0].excludes_zero


def test_arms_that_lose_alike_cannot_be_tipped_by_a_shift_alike() -> None:
    found = tipping(4.0, (1.0, 7.0), (0.2, 0.2), [0.0])
    assert isinstance(found, Tipping)
    assert found.point("both") == tipping_module.TippingPoint("both", None, None)


def test_nothing_missing_or_no_bound_is_a_reason_and_wrong_shares_are_refused() -> None:
    assert isinstance(tipping(4.0, (1.0, 7.0), (0.0, 0.0), [0.0]), NotEstimable)
    assert isinstance(tipping(4.0, (None, 7.0), (0.1, 0.0), [0.0]), NotEstimable)
    with pytest.raises(BadData, match="proportions"):
        tipping(4.0, (1.0, 7.0), (1.0, 0.0), [0.0])


@pytest.mark.parametrize("module", [patterns, tipping_module])
def test_the_examples_in_the_documentation_are_true(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]
