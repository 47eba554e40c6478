"""How strong an unmeasured cause would have to be to explain a difference away.

VanderWeele & Ding 2017 (Annals of Internal Medicine 167, 268–274).
"""

import math
from dataclasses import dataclass
from typing import Any

from analysis.results import Ratio


@dataclass(frozen=True)
class EValue:
    """Smallest risk ratio that an unmeasured cause would need with the arm and with the outcome, both.

    estimate : to explain the whole difference.   interval_end : to move the end of the interval nearest no difference to
    none; 1 where the interval includes it; None where that end is unbounded.
    """

    estimate: float
    interval_end: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"estimate": self.estimate, "interval_end": self.interval_end}


def e_value(standardised: Ratio) -> EValue:
    """E-value of a standardised difference d with its interval, by the risk ratio exp(0.91 d) it is about worth.

    With RR taken above 1, E = RR + √(RR (RR − 1)). The conversion supposes a normal outcome cut near its median.

    >>> found = e_value(Ratio(0.5, (0.1, 0.9)))
    >>> round(found.estimate, 4), round(found.interval_end, 4)
    (2.5291, 1.4183)
    """
    low, high = standardised.ci
    nearest = low if standardised.value > 0.0 else high
    if nearest is None:
        return EValue(_of(standardised.value), None)
    crosses = nearest * standardised.value <= 0.0
    return EValue(_of(standardised.value), 1.0 if crosses else _of(nearest))


def _of(difference: float) -> float:
    ratio = math.exp(0.91 * abs(difference))
    return ratio + math.sqrt(ratio * (ratio - 1.0))
