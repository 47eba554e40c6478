"""Disclosure control: which numbers about small groups may be shown, rounded how, and what they would give away."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LOWEST_THRESHOLD = 5


@dataclass(frozen=True)
class Rules:
    """people : fewest a number may rest on.    reviews : fewest reviews.    largest_share : of one review in a cell.

    sites, site_reviews : fewest sites and reviews a number about reviews themselves may rest on, such as their fidelity.

    step : counts are rounded to its multiples.    margin : shares within this many per cent of 0 or 100 are not shown,
    since what everyone (or no one) of a group said is known of each of them.
    """

    people: int = 10
    reviews: int = 3
    largest_share: float = 0.5
    step: int = 5
    margin: int = 5
    sites: int = 3
    site_reviews: int = 10

    def __post_init__(self) -> None:
        if self.people < LOWEST_THRESHOLD:
            raise ValueError(f"a threshold of {self.people} people is too low; the lowest is {LOWEST_THRESHOLD}")


@dataclass(frozen=True)
class Total:
    """A sum that readers can form: the whole is the sum of its parts."""

    whole: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Recovered:
    """A hidden count that the published ones give away: it lies from `low` to `high`."""

    cell: str
    low: int
    high: int


def may_show(people_by_review: Mapping[str, int], rules: Rules) -> bool:
    """Whether a mean or a share may rest on these people: enough of them, from enough reviews, none of which rules.

    people_by_review : people counted, by review.

    >>> may_show({"A": 6, "B": 5, "C": 4}, Rules()), may_show({"A": 12, "B": 2, "C": 1}, Rules())  # A rules
    (True, False)
    """
    people = sum(people_by_review.values())
    reviews = [count for count in people_by_review.values() if count > 0]
    if people < rules.people or len(reviews) < rules.reviews:
        return False
    return max(reviews) <= rules.largest_share * people


def may_show_sites(reviews_by_site: Mapping[str, int], rules: Rules) -> bool:
    """Whether a number about reviews themselves may rest on these: enough reviews, of enough sites, none of which rules.

    reviews_by_site : reviews counted, by site. People's answers need `may_show` instead.
    """
    reviews = sum(reviews_by_site.values())
    sites = [count for count in reviews_by_site.values() if count > 0]
    if reviews < rules.site_reviews or len(sites) < rules.sites:
        return False
    return max(sites) <= rules.largest_share * reviews


def merged_share(percent: float, rules: Rules) -> int:
    """A share of reviews in whole per cent; none and nearly none are one class, and so are nearly all and all."""
    return round(min(max(percent, rules.margin), 100 - rules.margin))


def rounded(count: int, rules: Rules) -> int:
    """A count to the nearest step (five by default)."""
    return rules.step * ((count + rules.step // 2) // rules.step)


def shown_count(count: int, rules: Rules) -> int | None:
    """A count of people as it may be published: rounded, or None below the threshold (nobody at all included)."""
    return rounded(count, rules) if count >= rules.people else None


def shown_share(part: float, whole: float, rules: Rules) -> int | None:
    """A share in whole per cent, or None where nearly everyone or nearly no one is in it."""
    percent = 100.0 * part / whole
    if percent <= rules.margin or percent >= 100 - rules.margin:
        return None
    return round(percent)


def shown_response(answered: int, expected: int, rules: Rules) -> tuple[int, int, int] | None:
    """Expected and answered, rounded, and the whole per cent of the two; None where not to be shown."""
    if expected < rules.people or answered < rules.people:
        return None
    whole, part = rounded(expected, rules), rounded(answered, rules)
    share = shown_share(part, whole, rules)
    return None if share is None else (whole, part, share)


def may_follow(before: Collection[str], now: Collection[str], rules: Rules) -> bool:
    """Whether a new figure may follow an older one about the same group.

    Only where the people behind them are the same, or differ by enough people that the change tells of no one:
    those who joined, left or changed their answer together reach the threshold. Otherwise the old figure stands.
    """
    changed = len(set(before) ^ set(now))
    return changed == 0 or changed >= rules.people


def protect(counts: Mapping[str, int], hidden: Iterable[str], totals: Sequence[Total]) -> frozenset[str]:
    """Every cell to hide so that no hidden one is a published sum less its published parts.

    counts : people, by cell.   hidden : cells hidden for their own sake.
    In each sum either nothing is hidden or two cells are: the smallest shown part is hidden too, and the whole
    where no part is left. Repeated until every sum holds, as hiding in one sum may open another.

    >>> counts = {"all": 49, "North": 4, "South": 15, "East": 30}
    >>> sorted(protect(counts, ["North"], [Total("all", ("North", "South", "East"))]))  # else North is 49 − 15 − 30
    ['North', 'South']
    """
    gone = set(hidden)
    while True:
        added = False
        for total in totals:
            cells = (total.whole, *total.parts)
            if sum(cell in gone for cell in cells) != 1:
                continue
            shown_parts = sorted((part for part in total.parts if part not in gone), key=lambda part: counts[part])
            gone.add(shown_parts[0] if shown_parts else total.whole)
            added = True
        if not added:
            return frozenset(gone)


def recover(
    published: Mapping[str, int],
    hidden: Collection[str],
    totals: Sequence[Total],
    rules: Rules,
    known: Mapping[str, int] | None = None,
) -> list[Recovered]:
    """What an attacker with the published counts, every sum and integer programming finds out about hidden cells.

    published : rounded counts, each known to within half a step.   known : counts someone knows exactly (their own).
    A hidden cell is recovered where its possible values span fewer than the threshold and fewer than the rule
    itself tells (a cell below the threshold lies from 0 to threshold − 1). Bounds as sdcTable's attack (Meindl).
    """
    import numpy as np  # noqa: PLC0415  (pages that only round should not wait for the solver)
    from scipy.optimize import LinearConstraint  # noqa: PLC0415

    cells = sorted({*published, *hidden, *(known or {}), *(c for t in totals for c in (t.whole, *t.parts))})
    place = {cell: index for index, cell in enumerate(cells)}
    half = rules.step // 2
    low, high = np.zeros(len(cells)), np.full(len(cells), 1e6)
    for cell, count in published.items():
        low[place[cell]], high[place[cell]] = max(count - half, 0), count + half
    for cell, count in (known or {}).items():
        low[place[cell]] = high[place[cell]] = count
    sums = np.zeros((len(totals), len(cells)))
    for row, total in enumerate(totals):
        sums[row, place[total.whole]] = -1
        for part in total.parts:
            sums[row, place[part]] += 1
    constraints = [LinearConstraint(sums, 0, 0)] if totals else []
    found = []
    for cell in sorted(hidden):
        least, most = (_extreme(place[cell], sign, low, high, constraints) for sign in (1.0, -1.0))
        if most - least < rules.people - 1:
            found.append(Recovered(cell, least, most))
    return found


def _extreme(index: int, sign: float, low: Any, high: Any, constraints: list[Any]) -> int:
    """The least (sign 1) or greatest (−1) whole value a cell can have within bounds and sums."""
    import numpy as np  # noqa: PLC0415  (as above)
    from scipy.optimize import Bounds, milp  # noqa: PLC0415

    goal = np.zeros(len(low))
    goal[index] = sign
    solved = milp(goal, constraints=constraints, bounds=Bounds(low, high), integrality=np.ones(len(low)))
    if solved.x is None:
        raise ValueError("the published counts contradict one another")
    return round(float(solved.x[index]))
