"""How different missing answers would have to be to overturn a result.

If those who did not answer differ from what missing at random supposes of them by δ₁ points in the treatment arm and δ₀
in the control arm, effect(δ) = effect_MAR + δ₁π₁ − δ₀π₀, π being the shares missing (White, Carpenter & Horton 2018,
Statistica Sinica 28, 1985–2003). The shares are those of the people who were invited, so the standard error stays as it is and
the interval moves with the estimate. A site that fell silent is another question than a person who did, so each
has its own shares and its own tipping point.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import coded, numbers
from analysis.missing.patterns import people_of
from analysis.question import Question
from analysis.results import Codes, Floats, Interval, NotEstimable
from analysis.trial_data import treated_label
from analysis.waves import wave_order

Mask = np.typing.NDArray[np.bool_]
Weight = Literal["person", "site"]
# Of whom δ is said: (δ₁, δ₀) = δ times the pair.
Direction = Literal["treatment", "control", "both", "opposite"]
_DIRECTIONS: dict[Direction, tuple[float, float]] = {
    "treatment": (1.0, 0.0),
    "control": (0.0, 1.0),
    "both": (1.0, 1.0),
    "opposite": (1.0, -1.0),
}


@dataclass(frozen=True)
class Shares:
    """Shares missing, (treatment, control), which add up to all that is missing.

    people : without an answer at sites where others answered.   sites : at sites where nobody answered.
    """

    people: tuple[float, float]
    sites: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        return {"people": list(self.people), "sites": list(self.sites)}


@dataclass(frozen=True)
class TippingPoint:
    """direction : whom δ applies to: "treatment", "control", "both" alike, or "opposite", δ in the one and −δ in the other.

    estimate_zero : the δ, in points, at which the estimate is 0.   interval : the nearest δ at which the interval first
    includes 0 where it did not, or first excludes it where it did. None where no δ does, as where nobody is missing.
    """

    direction: Direction
    estimate_zero: float | None
    interval: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"direction": self.direction, "estimate_zero": self.estimate_zero, "interval": self.interval}


@dataclass(frozen=True)
class Shifted:
    """The effect where the missing differ by `treatment` and `control` points from what was supposed of them."""

    treatment: float
    control: float
    estimate: float
    ci: Interval
    excludes_zero: bool

    def to_dict(self) -> dict[str, Any]:
        return {
            "treatment": self.treatment,
            "control": self.control,
            "estimate": self.estimate,
            "ci": list(self.ci),
            "excludes_zero": self.excludes_zero,
        }


@dataclass(frozen=True)
class Tipping:
    """Of one kind of missing.   excludes_zero : the interval before any shift.   grid : both arms' δ, row by row."""

    shares: tuple[float, float]
    excludes_zero: bool
    points: tuple[TippingPoint, ...]
    grid: tuple[Shifted, ...]

    def point(self, direction: Direction) -> TippingPoint:
        return next(one for one in self.points if one.direction == direction)

    def to_dict(self) -> dict[str, Any]:
        return {
            "shares": list(self.shares),
            "excludes_zero": self.excludes_zero,
            "points": [one.to_dict() for one in self.points],
            "grid": [one.to_dict() for one in self.grid],
        }


def shares(missing: Mask, site: Codes, site_arm: Floats, weight: Weight = "person") -> Shares:
    """Shares missing in each arm.

    missing : (N,) of everyone invited.   site : (N,) codes 0…S−1.   site_arm : (S,) 1 for treatment, for every site
    allocated.   weight : as the estimate's: of people, or of sites, each the same (a site of nobody is then a silent one).

    >>> shares(np.array([True, False, False, False]), np.array([0, 0, 1, 1]), np.array([1.0, 0.0]))
    Shares(people=(0.5, 0.0), sites=(0.0, 0.0))
    """
    invited = np.bincount(site, minlength=len(site_arm)).astype(np.float64)
    gone = np.bincount(site[missing], minlength=len(site_arm)).astype(np.float64)
    silent = gone == invited
    if weight == "site":
        gone, invited = np.where(silent, 1.0, gone / np.maximum(invited, 1.0)), np.ones(len(site_arm))

    def share(where: Mask, arm: float) -> float:
        of = site_arm == arm
        return float(gone[where & of].sum() / max(float(invited[of].sum()), 1e-300))

    return Shares((share(~silent, 1.0), share(~silent, 0.0)), (share(silent, 1.0), share(silent, 0.0)))


def shares_of(frame: pd.DataFrame, question: Question, weight: Weight = "person") -> Shares:
    """The shares of a table whose rows are everyone invited, blank where the outcome is missing.

    With waves, those without an outcome at the last. Rows without arm or site are left out.
    Raises BadData as `analysis.compare.compare` does.
    """
    refusals.columns_exist(frame, question)
    outcome = numbers(frame[question.outcome], question.outcome)
    arm, arm_labels = coded(frame[question.arm])
    site, site_labels = coded(frame[question.site])
    places = np.arange(len(frame))
    refusals.two_arms(arm, arm_labels, question.arm, places)
    site_arm = refusals.one_value_a_site(site, arm, site_labels, column=question.arm, kind="arm", places=places)
    answered = ~np.isnan(outcome)
    if question.wave:
        wave, waves = coded(frame[question.wave])
        answered &= wave == waves.index(wave_order(waves, question)[-1])
    known = (site >= 0) & (site_arm[site] >= 0)
    person = people_of(frame, site, question.participant, question.review)
    people = pd.DataFrame({"site": site, "person": person, "answered": answered})[known]
    once = people.groupby(["site", "person"], as_index=False)["answered"].max()
    treated = arm_labels.index(treated_label(arm_labels, question.treatment, question.arm)[0])
    present, code = np.unique(once["site"].to_numpy(), return_inverse=True)
    return shares(
        ~once["answered"].to_numpy(dtype=bool),
        code.astype(np.intp),
        (site_arm[present] == treated).astype(np.float64),
        weight,
    )


def tipping(
    estimate: float, ci: Interval, missing: tuple[float, float], deltas: Sequence[float]
) -> Tipping | NotEstimable:
    """Tipping points of an effect and a grid of both arms' δ.

    estimate, ci : treatment − control under missing at random, in points.   missing : shares, (treatment, control).
    deltas : of the grid, in points; 0 among them shows the effect as it was.

    >>> found = tipping(4.0, (1.0, 7.0), (0.2, 0.1), [-5.0, 0.0])
    >>> found.point("treatment")
    TippingPoint(direction='treatment', estimate_zero=-20.0, interval=-5.0)
    >>> found.grid[0].estimate
    3.5
    """
    if any(not 0.0 <= share < 1.0 for share in missing):
        raise BadData(f"the shares missing are {missing[0]:g} and {missing[1]:g}; give proportions from 0 to below 1")
    low, high = ci
    if low is None or high is None:
        return NotEstimable("the interval is unbounded, so no shift decides whether it includes 0")
    if max(missing) == 0.0:
        return NotEstimable("nothing is missing in either arm")
    excludes = _excludes(low, high)
    points = tuple(_point(direction, estimate, low, high, missing) for direction in get_args(Direction))
    grid = tuple(_shifted(estimate, low, high, missing, one, other) for one in deltas for other in deltas)
    return Tipping(missing, excludes, points, grid)


def _excludes(low: float, high: float) -> bool:
    return low > 0.0 or high < 0.0


def _point(
    direction: Direction, estimate: float, low: float, high: float, missing: tuple[float, float]
) -> TippingPoint:
    treated, control = _DIRECTIONS[direction]
    slope = treated * missing[0] - control * missing[1]
    if abs(slope) < 1e-12:
        return TippingPoint(direction, None, None)
    # Whether the interval loses 0 or gains it, its nearer end is then at 0.
    nearer = min((-low, -high), key=abs)
    return TippingPoint(direction, -estimate / slope + 0.0, nearer / slope + 0.0)


def _shifted(
    estimate: float, low: float, high: float, missing: tuple[float, float], treatment: float, control: float
) -> Shifted:
    shift = treatment * missing[0] - control * missing[1]
    ends = (low + shift, high + shift)
    return Shifted(treatment, control, estimate + shift, ends, _excludes(*ends))
