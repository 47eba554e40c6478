"""The rule that turns an interval into words, the same for the dashboards and for a plan's report."""

import pytest

from evalapp.wording import Verdict, ruled


@pytest.mark.parametrize(
    ("estimate", "ci", "reach", "higher", "planned", "answered", "verdict"),
    [
        (3.0, (1.0, 5.0), 2.0, True, 12, 12, "benefit"),
        (3.0, (1.0, 5.0), 2.0, False, 12, 12, "harm"),
        (-3.0, (-5.0, -1.0), 2.0, True, 12, 12, "harm"),
        (-3.0, (-5.0, -1.0), 2.0, False, 12, 12, "benefit"),
        (1.0, (-1.0, 3.0), 2.0, True, 12, 12, "cannot_tell"),
        (0.5, (-1.0, 1.5), 2.0, True, 12, 12, "too_small"),  # and not "cannot tell": it can
        (0.5, (0.2, 1.5), 2.0, True, 12, 12, "too_small"),  # above 0, yet too small to matter
        (0.5, (-1.0, 1.5), None, True, 12, 12, "cannot_tell"),  # nobody said what would matter
        (0.0, (0.0, 3.0), 2.0, True, 12, 12, "cannot_tell"),  # an end at 0 is no evidence
        (3.0, (1.0, 5.0), 2.0, True, 5, 6, "described"),  # planned with too few
        (3.0, (1.0, 5.0), 2.0, True, 12, 5, "described"),  # too few so far
        (3.0, (1.0, 5.0), 2.0, True, 6, 6, "benefit"),  # from six on site means are tested, few as they are
        (3.0, (1.0, 5.0), 2.0, True, 24, 8, "benefit"),
        (3.0, (None, 5.0), 2.0, True, 12, 12, "described"),
        (3.0, (1.0, 5.0), 2.0, None, 12, 12, "described"),
    ],
)
def test_words_follow_from_the_interval_alone(
    estimate: float,
    ci: tuple[float | None, float | None],
    reach: float | None,
    higher: bool | None,
    planned: int,
    answered: int,
    verdict: Verdict,
) -> None:
    assert ruled(estimate, ci, reach, higher, planned, answered) == verdict
