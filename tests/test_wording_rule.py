"""The rule that turns an interval into words, the same for the dashboards and for a plan's report."""

import pytest

from evalapp.wording import Verdict, ruled


@pytest.mark.parametrize(
    ("estimate", "ci", "reach", "higher", "sites", "fewest", "verdict"),
    [
        (3.0, (1.0, 5.0), 2.0, True, 12, 6, "benefit"),
        (3.0, (1.0, 5.0), 2.0, False, 12, 6, "harm"),
        (-3.0, (-5.0, -1.0), 2.0, True, 12, 6, "harm"),
        (-3.0, (-5.0, -1.0), 2.0, False, 12, 6, "benefit"),
        (1.0, (-1.0, 3.0), 2.0, True, 12, 6, "cannot_tell"),
        (0.5, (-1.0, 1.5), 2.0, True, 12, 6, "too_small"),  # and not "cannot tell": it can
        (0.5, (0.2, 1.5), 2.0, True, 12, 6, "too_small"),  # above 0, yet too small to matter
        (0.5, (-1.0, 1.5), None, True, 12, 6, "cannot_tell"),  # nobody said what would matter
        (0.0, (0.0, 3.0), 2.0, True, 12, 6, "cannot_tell"),  # an end at 0 is no evidence
        (3.0, (1.0, 5.0), 2.0, True, 5, 5, "described"),
        (3.0, (1.0, 5.0), 2.0, True, 12, 4, "described"),
        (3.0, (None, 5.0), 2.0, True, 12, 6, "described"),
        (3.0, (1.0, 5.0), 2.0, None, 12, 6, "described"),
    ],
)
def test_words_follow_from_the_interval_alone(
    estimate: float,
    ci: tuple[float | None, float | None],
    reach: float | None,
    higher: bool | None,
    sites: int,
    fewest: int,
    verdict: Verdict,
) -> None:
    assert ruled(estimate, ci, reach, higher, sites, fewest) == verdict
