"""How sure: every band by its ends, the rule that makes one rating, and the smallest difference a trial can see."""

import math

import pytest
from scipy import stats

from analysis import certainty
from analysis.results import NotEstimable
from analysis.smallest_visible import Planning, smallest_visible


@pytest.mark.parametrize(
    ("ratings", "overall", "capped_by", "why"),
    [
        ((5, 5, 5, 5, 5), 5, "design", "nothing limits it"),
        ((5, 3, 4, 5, 5), 3, "size", "the worst of the first three caps it"),
        ((2, 3, 4, 5, 5), 2, "design", "the design caps it"),
        ((5, 4, 4, 2, 5), 3, "size", "poor fidelity takes one off"),
        ((5, 4, 4, 2, 1), 2, "size", "poor balance takes another"),
        ((5, 4, 4, None, None), 2, "size", "so does not knowing"),
        ((5, 5, None, 5, 5), 0, "attrition", "how many were lost is not known: not sure at all"),
        ((5, 1, 4, 0, 0), 0, "size", "never below 0"),
        ((3, 5, 5, 3, 3), 3, "design", "3 is not poor"),
    ],
)
def test_the_rating_follows_the_rule(ratings: tuple[int | None, ...], overall: int, capped_by: str, why: str) -> None:
    found = certainty.overall(dict(zip((*certainty.CAPS, *certainty.OTHERS), ratings, strict=True)))
    assert (found.overall, found.capped_by) == (overall, capped_by), why


def test_more_of_what_makes_sure_never_makes_less_sure() -> None:
    for aspect in (*certainty.CAPS, *certainty.OTHERS):
        found = [
            certainty.overall({**dict.fromkeys((*certainty.CAPS, *certainty.OTHERS), 4), aspect: one}).overall
            for one in range(6)
        ]
        assert found == sorted(found)


@pytest.mark.parametrize(
    ("smallest", "sites", "rating"),
    [
        (0.2, 24, 5),
        (0.21, 24, 4),
        (0.35, 24, 3),
        (0.5, 24, 2),
        (0.51, 24, 1),
        (0.71, 24, 0),
        (0.2, 5, 1),
        (0.2, 3, 0),
        (None, 24, 0),
    ],
)
def test_size_goes_by_the_smallest_difference_it_can_see(smallest: float | None, sites: int, rating: int) -> None:
    assert certainty.size(smallest, sites) == rating


@pytest.mark.parametrize(
    ("lost", "apart", "rating"),
    [(10, 0, 5), (10.1, 0, 4), (35, None, 2), (5, 7, 3), (51, 0, 0), (0, 21, 0), (None, None, None), (None, 2, None)],
)
def test_attrition_goes_by_the_worse_of_how_many_and_how_unequal(
    lost: float | None, apart: float | None, rating: int | None
) -> None:
    assert certainty.attrition(lost, apart) == rating


@pytest.mark.parametrize(
    ("high", "above", "rating"),
    [
        (80, 30, 5),
        (79, 30, 4),
        (90, 19, 3),
        (50, 15, 3),
        (5, 5, 1),
        (5, 4, 0),
        (90, -20, 0),
        (None, 30, None),
        (80, None, None),
    ],
)
def test_fidelity_needs_the_treatment_high_and_the_control_apart(
    high: float | None, above: float | None, rating: int | None
) -> None:
    assert certainty.fidelity(high, above) == rating


@pytest.mark.parametrize(
    ("how", "clean", "rating"),
    [("randomised", True, 5), ("randomised", False, 4), ("nonrandomised", True, 2), ("nonrandomised", False, 1)],
)
def test_chance_and_a_clean_start_make_the_design(how: certainty.Design, clean: bool, rating: int) -> None:
    assert certainty.design(how, clean=clean) == rating


@pytest.mark.parametrize(("apart", "rating"), [(0.0, 5), (-0.06, 4), (0.2, 2), (0.5, 0), (None, None)])
def test_balance_goes_by_distance_and_never_by_a_test(apart: float | None, rating: int | None) -> None:
    assert certainty.balance(apart) == rating


@pytest.mark.parametrize(
    ("value", "band"), [(0, (0, 10)), (10, (0, 10)), (10.5, (10, 20)), (50, (40, 50)), (51, (50, None))]
)
def test_a_band_says_where_a_value_lies_and_no_more(value: float, band: tuple[float, float | None]) -> None:
    assert certainty.band_of(value, certainty.LOST) == band


# Smallest visible effects published for planning, by the central t, six people a review: sites an arm; then (site ICC,
# review ICC) of (.02, .05) and (.05, .15), each with 2 and with 4 reviews a site.
TABLE = {
    3: (1.06, 0.81, 1.33, 1.06), 4: (0.83, 0.63, 1.04, 0.82), 6: (0.63, 0.48, 0.79, 0.62), 8: (0.53, 0.40, 0.66, 0.52),
    10: (0.46, 0.35, 0.58, 0.46), 15: (0.37, 0.28, 0.46, 0.37), 20: (0.32, 0.24, 0.40, 0.32),
}  # fmt: skip


@pytest.mark.parametrize(("sites", "row"), TABLE.items())
def test_the_smallest_visible_effect_is_the_table_s(sites: int, row: tuple[float, ...]) -> None:
    cases = [(icc, reviews) for icc in ((0.02, 0.05), (0.05, 0.15)) for reviews in (2, 4)]
    for (icc, reviews), wanted in zip(cases, row, strict=True):
        found = smallest_visible((sites, sites), reviews, 6, Planning(*icc, baseline_r=0.0), central=True)
        assert isinstance(found, float)
        assert found == pytest.approx(wanted, abs=0.0051)  # the table has two decimals


@pytest.mark.parametrize("sites", [(2, 2), (4, 4), (5, 9), (12, 12), (75, 75)])
def test_a_difference_of_that_size_is_seen_four_times_in_five(sites: tuple[int, int]) -> None:
    found = smallest_visible(sites, 4, 6)
    assert isinstance(found, float)
    variance = (0.035 + 0.10 / 4 + 0.865 / 24) * 0.75
    shift = found / math.sqrt((1 / sites[0] + 1 / sites[1]) * variance)
    df = sum(sites) - 2
    beyond = stats.t.ppf(0.975, df)
    power = stats.nct.sf(beyond, df, shift) + stats.nct.cdf(-beyond, df, shift)
    assert power == pytest.approx(0.8, abs=2e-4)  # the far tail is left out of the formula


def test_a_trial_sees_more_with_more_sites_reviews_people_and_a_start() -> None:
    def seen(sites: int = 10, reviews: float = 4, people: float = 6, r: float = 0.5) -> float:
        found = smallest_visible((sites, sites), reviews, people, Planning(baseline_r=r))
        assert isinstance(found, float)
        return found

    usual = seen()
    assert max(seen(sites=12), seen(reviews=5), seen(people=7), seen(r=0.6)) < usual


@pytest.mark.parametrize(
    ("sites", "reviews", "people"), [((1, 5), 4, 6), ((5, 0), 4, 6), ((5, 5), 0, 6), ((5, 5), 4, 0)]
)
def test_with_too_little_nothing_can_be_seen_and_the_reason_says_so(
    sites: tuple[int, int], reviews: float, people: float
) -> None:
    assert isinstance(smallest_visible(sites, reviews, people), NotEstimable)
