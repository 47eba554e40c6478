"""What charts draw: means that weigh sites, intervals only where there are two, counts that add up."""

import numpy as np
import pandas as pd
import pytest

from analysis.errors import BadData
from analysis.summary import bin_counts, code_counts, site_means, wave_means

# Two sites in arm a (means 2 and 6), one in arm b.
PEOPLE = pd.DataFrame(
    {
        "arm": ["a"] * 5 + ["b"] * 2,
        "site": ["n", "n", "n", "s", "s", "w", "w"],
        "review": [1, 1, 2, 1, 1, 1, 2],
        "wave": ["before"] * 7,
        "score": [1.0, 2.0, 3.0, 5.0, 7.0, 4.0, 4.0],
    }
)


def test_a_mean_weighs_every_site_the_same() -> None:
    first = wave_means(PEOPLE, "score", "arm", "wave", "site")[0]
    assert (first.arm, first.n_people, first.n_sites, first.mean) == ("a", 5, 2, 4.0)
    assert first.sd == pytest.approx(PEOPLE.score[:5].std())
    # Site means 2 and 6: standard error 2, t(1) = 12.7062.
    assert first.lower == pytest.approx(4 - 12.7062 * 2, abs=1e-3)
    assert first.upper == pytest.approx(4 + 12.7062 * 2, abs=1e-3)
    assert first.reason is None


def test_one_site_has_a_mean_and_no_interval() -> None:
    second = wave_means(PEOPLE, "score", "arm", "wave", "site")[1]
    assert (second.arm, second.mean, second.lower, second.upper) == ("b", 4.0, None, None)
    assert second.reason is not None
    assert "two sites" in second.reason


def test_waves_keep_the_order_they_come_in_and_an_empty_day_has_no_rows() -> None:
    later = pd.concat([PEOPLE, PEOPLE.assign(wave="after")])
    assert [(m.arm, m.wave) for m in wave_means(later, "score", "arm", "wave", "site")] == [
        ("a", "before"),
        ("a", "after"),
        ("b", "before"),
        ("b", "after"),
    ]
    assert wave_means(PEOPLE.iloc[:0], "score", "arm", "wave", "site") == ()


def test_missing_scores_are_left_out() -> None:
    some = PEOPLE.assign(score=PEOPLE.score.where(PEOPLE.site != "s"))
    first = wave_means(some, "score", "arm", "wave", "site")[0]
    assert (first.n_people, first.n_sites, first.mean) == (3, 1, 2.0)


def test_a_site_with_several_reviews_has_the_interval_of_its_reviews() -> None:
    north = next(s for s in site_means(PEOPLE, "score", "arm", "site", "review") if s.site == "n")
    assert (north.n_people, north.n_reviews, north.mean) == (3, 2, 2.0)
    # Review totals about the mean are −1 and 1: standard error √(2/1 · 2)/3, t(1) = 12.7062.
    assert north.upper == pytest.approx(2 + 12.7062 * 2 / 3, abs=1e-3)
    alone = next(s for s in site_means(PEOPLE, "score", "arm", "site") if s.site == "n")
    assert alone.n_reviews is None
    assert alone.upper == pytest.approx(2 + 4.30265 * 3**-0.5, abs=1e-4)


def test_a_site_without_spread_says_why_it_has_no_interval() -> None:
    west = next(s for s in site_means(PEOPLE, "score", "arm", "site", "review") if s.site == "w")
    assert (west.lower, west.upper) == (None, None)
    assert west.reason


def test_every_code_is_counted_even_where_nobody_gave_it() -> None:
    people = PEOPLE.assign(score=[1, 1, 2, 3, 3, 1, 3])
    counts = code_counts(people, "score", "arm", (1, 2, 3, 4))
    assert [c.people for c in counts] == [2, 1, 2, 0, 1, 0, 1, 0]
    assert sum(c.share for c in counts if c.arm == "a") == pytest.approx(1.0)
    with pytest.raises(BadData, match="none of its codes"):
        code_counts(PEOPLE, "score", "arm", (1, 2, 3, 4))


def test_bins_hold_everyone_once_the_greatest_score_too() -> None:
    counts = bin_counts(PEOPLE, "score", "arm", (1, 3, 5, 7))
    assert [(c.low, c.high, c.people) for c in counts if c.arm == "a"] == [(1, 3, 2), (3, 5, 1), (5, 7, 2)]
    with pytest.raises(BadData, match="outside"):
        bin_counts(PEOPLE, "score", "arm", (1, 3))
    with pytest.raises(BadData, match="increase"):
        bin_counts(PEOPLE, "score", "arm", (3, 1))


def test_a_column_that_is_not_there_or_not_a_number_is_refused() -> None:
    with pytest.raises(BadData, match='no column "mood"'):
        site_means(PEOPLE, "mood", "arm", "site")
    with pytest.raises(BadData, match="does not hold numbers"):
        site_means(PEOPLE, "wave", "arm", "site")
    with pytest.raises(BadData, match="infinite"):
        site_means(PEOPLE.assign(score=np.inf), "score", "arm", "site")
