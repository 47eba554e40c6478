"""How sure: every band by its ends, and the rule that makes one rating."""

import pytest

from analysis import certainty


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
