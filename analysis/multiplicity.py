"""p-values of several outcomes, adjusted so that a false claim among them all is as rare as alpha.

Holm 1979 (Scandinavian Journal of Statistics 6, 65–70) needs no assumption; Hochberg 1988 (Biometrika 75, 800–802) needs
tests that are independent or positively dependent. Where sites were randomised, `resampling.westfall_young` uses the
dependence that is there and loses less.
"""

import numpy as np

from analysis.errors import BadData
from analysis.results import Floats


def holm(p: Floats, family: int | None = None) -> Floats:
    """Holm's adjusted p-values, in the order given.

    p      : (K,), NaN for a test that could not be made, which stays NaN.
    family : number of tests that were planned, where some are not among p; otherwise those of p that are not NaN.

    The k-th smallest of m is max over j ≤ k of min(1, (m − j + 1) p₍ⱼ₎).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    adjusted, made, order, m = _prepared(p, family)
    ranks = np.arange(len(order))
    stepped = np.maximum.accumulate(np.minimum(1.0, (m - ranks) * p[made][order]))
    adjusted[made[order]] = stepped
    return adjusted


def hochberg(p: Floats, family: int | None = None) -> Floats:
    """Hochberg's adjusted p-values, in the order given; arguments as `holm`.

    The k-th smallest of m is min over j ≥ k of (m − j + 1) p₍ⱼ₎.

    >>> hochberg(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.04, 0.04]
    """
    adjusted, made, order, m = _prepared(p, family)
    ranks = np.arange(len(order))
    stepped = np.minimum.accumulate(np.minimum(1.0, (m - ranks) * p[made][order])[::-1])[::-1]
    adjusted[made[order]] = stepped
    return adjusted


def _prepared(
    p: Floats, family: int | None
) -> tuple[Floats, np.typing.NDArray[np.intp], np.typing.NDArray[np.intp], int]:
    made = np.flatnonzero(~np.isnan(p))
    if ((p[made] < 0) | (p[made] > 1)).any():
        raise BadData("a p-value is not between 0 and 1; give p-values, NaN where a test could not be made")
    if family is not None and family < len(made):
        raise BadData(f"a family of {family} tests cannot hold {len(made)} p-values; count every planned test")
    return np.full(p.shape, np.nan), made, np.argsort(p[made], kind="stable"), len(made) if family is None else family
