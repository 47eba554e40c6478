"""Whether a difference is too small to matter, or at least not worse by more than a margin.

Two one-sided tests (Schuirmann 1987, J. Pharmacokin. Biopharm. 15, 657–680) on an estimate that has a t distribution: a
mixed model's, a cluster summary's. The margin belongs to the plan, before the answers are seen.
"""

from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import stdtr, stdtrit

from analysis.errors import BadData
from analysis.results import Effect, Interval

Conclusion = Literal["equivalent", "not shown"]
Noninferiority = Literal["not worse", "not shown"]


@dataclass(frozen=True)
class Equivalence:
    """p : of the two one-sided tests, the larger.   ci : at level 1 − 2α, which lies within ± margin exactly when p < α."""

    margin: float
    p: float
    ci: Interval
    conclusion: Conclusion

    def to_dict(self) -> dict[str, Any]:
        return {"margin": self.margin, "p": self.p, "ci": list(self.ci), "conclusion": self.conclusion}


@dataclass(frozen=True)
class NonInferiority:
    """p : one-sided, against "worse by the margin or more".   bound : the worst end of the interval at level 1 − 2α."""

    margin: float
    p: float
    bound: float
    conclusion: Noninferiority

    def to_dict(self) -> dict[str, Any]:
        return {"margin": self.margin, "p": self.p, "bound": self.bound, "conclusion": self.conclusion}


def equivalence(effect: Effect, margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided tests that the difference lies within ± margin, in the outcome's units.

    >>> from analysis.results import t_effect
    >>> equivalence(t_effect(1.0, 2.0, 20.0, 0.95), 8.0).conclusion
    'equivalent'
    """
    _margin(margin, alpha)
    above = float(stdtr(effect.df, (effect.estimate - margin) / effect.se))
    below = float(stdtr(effect.df, -(effect.estimate + margin) / effect.se))
    half = float(stdtrit(effect.df, 1.0 - alpha)) * effect.se
    p = max(above, below)
    return Equivalence(
        margin, p, (effect.estimate - half, effect.estimate + half), "equivalent" if p < alpha else "not shown"
    )


def noninferiority(effect: Effect, margin: float, *, higher_is_better: bool, alpha: float = 0.05) -> NonInferiority:
    """One-sided test that the treatment is not worse than the control by the margin or more.

    alpha : one-sided. `bound` is the lower end of the interval where higher is better, else the upper one.

    >>> from analysis.results import t_effect
    >>> noninferiority(t_effect(-1.0, 2.0, 20.0, 0.95), 8.0, higher_is_better=True).conclusion
    'not worse'
    """
    _margin(margin, alpha)
    sign = 1.0 if higher_is_better else -1.0
    p = float(stdtr(effect.df, -(sign * effect.estimate + margin) / effect.se))
    bound = effect.estimate - sign * float(stdtrit(effect.df, 1.0 - alpha)) * effect.se
    return NonInferiority(margin, p, bound, "not worse" if p < alpha else "not shown")


def _margin(margin: float, alpha: float) -> None:
    if not 0.0 < margin < float("inf"):
        raise BadData(f"the margin is {margin:g}; give a difference above 0, in the outcome's units")
    if not 0.0 < alpha < 0.5:
        raise BadData(f"alpha is {alpha:g}; give a proportion above 0 and below 0.5")
