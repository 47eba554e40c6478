"""How sure can we be: a rating from 0 to 5 by fixed bands, its six reasons, and the rule that makes one of them.

Three aspects cap the rating: how sites came to their groups, whether the trial is large enough to see much, and how many
people were lost. The other two, whether the groups were reviewed in different ways and whether they began alike, each take
one off where they are poor or unknown. The bands are the project's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from analysis.question import Design

Aspect = Literal["design", "size", "attrition", "fidelity", "balance"]
CAPS: tuple[Aspect, ...] = ("design", "size", "attrition")
OTHERS: tuple[Aspect, ...] = ("fidelity", "balance")
POOR = 2
LARGE = 0.5  # standard deviations: a trial that sees nothing smaller could only have seen a very large effect

# Upper ends of the bands, best first: rated 5, 4, 3 …; beyond the last, 0.
SEEN = (0.2, 0.3, 0.4, 0.5, 0.7)  # smallest visible effect, standard deviations
LOST = (10, 20, 30, 40, 50)  # people lost to follow-up, per cent
LOST_APART = (3, 6, 9, 12, 20)  # difference of that between the arms, percentage points
APART = (0.05, 0.10, 0.15, 0.25, 0.40)  # difference at the start, standard deviations
# Lower ends: (high fidelity in the treatment arm, per cent of reviews; how far its mean lies above the control's, points).
TRUE_TO_FORM = ((80, 30), (60, 20), (40, 15), (20, 10), (1, 5))


@dataclass(frozen=True)
class Rating:
    """overall : 0 to 5.    ratings : of each aspect, None where it is not known.   capped_by : the aspect that caps it."""

    overall: int
    ratings: Mapping[Aspect, int | None]
    capped_by: Aspect


def overall(ratings: Mapping[Aspect, int | None]) -> Rating:
    """The worst of the first three, less one for each of the others that is poor (2 or below) or unknown; never below 0.

    >>> overall({"design": 5, "size": 3, "attrition": 4, "fidelity": 2, "balance": 5}).overall
    2
    """
    known = {aspect: ratings.get(aspect) for aspect in (*CAPS, *OTHERS)}
    cap = min(CAPS, key=lambda aspect: known[aspect] or 0)
    taken = sum(rating is None or rating <= POOR for rating in (known[aspect] for aspect in OTHERS))
    return Rating(max((known[cap] or 0) - taken, 0), known, cap)


def design(how: Design, *, clean: bool) -> int:
    """By chance 5, or 4 where some sites knew their group at the start; otherwise 2 with a start to compare, else 1."""
    if how == "randomised":
        return 5 if clean else 4
    return 2 if clean else 1


def size(smallest: float | None, sites: int) -> int:
    """By the smallest visible effect; fewer than six sites are never above 1, fewer than four are 0."""
    if smallest is None or sites < 4:
        return 0
    return min(_band(smallest, SEEN), 1 if sites < 6 else 5)


def attrition(lost: float | None, apart: float | None) -> int | None:
    """By the worse of the share lost and the difference between arms, in per cent; None where neither is known.

    Before the groups may be told apart the share alone is judged.
    """
    if lost is None:
        return None
    return min(_band(lost, LOST), 5 if apart is None else _band(apart, LOST_APART))


def balance(apart: float | None) -> int | None:
    """By how far apart the groups began, in standard deviations; no test, since chance made them."""
    return None if apart is None else _band(abs(apart), APART)


def fidelity(high: float | None, above: float | None) -> int | None:
    """By the share of the treatment's reviews of high fidelity, and how far its mean score lies above the control's."""
    if high is None or above is None:
        return None
    return next((5 - place for place, (least, over) in enumerate(TRUE_TO_FORM) if high >= least and above >= over), 0)


def band_of(value: float, ends: tuple[float, ...]) -> tuple[float, float | None]:
    """The band a value falls in, as (from, up to); up to None beyond the last. What a release says instead of the value."""
    lower = 0.0
    for end in ends:
        if value <= end:
            return lower, end
        lower = end
    return lower, None


def _band(value: float, ends: tuple[float, ...]) -> int:
    return next((5 - place for place, end in enumerate(ends) if value <= end), 0)
