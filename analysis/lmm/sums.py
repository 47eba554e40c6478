"""Sufficient statistics of the nested random-intercept model: one pass over the people, then only reviews."""

from dataclasses import dataclass

import numpy as np

from analysis.model_matrix import ModelMatrix
from analysis.results import Codes, Floats


@dataclass(frozen=True)
class ReviewSums:
    """What the likelihood needs of each review; q = p + 1 columns, the outcome last.

    n      : (R,) people in the review.           means : (R, q) means of the standardised columns.
    within : (q, q) cross-products about the review means, so that large cluster variances cancel no digits.
    starts : (S,) first review of each site.      site  : (R,) site of each review, reviews sorted by site.
    """

    n: Floats
    means: Floats
    within: Floats
    starts: Codes
    site: Codes
    rows: int
    rank: int

    @property
    def sites(self) -> int:
        return len(self.starts)

    @property
    def reviews(self) -> int:
        return len(self.n)


def review_sums(matrix: ModelMatrix, site: Codes, review: Codes | None) -> ReviewSums:
    """Reduce people to reviews.

    site, review : (N,) codes counted from 0. Reviews are nested: the same code at two sites is two reviews.
    Without `review` each site is taken as one review.

    >>> from analysis.model_matrix import model_matrix
    >>> matrix = model_matrix(np.array([1.0, 2.0, 4.0, 5.0]), [])
    >>> sums = review_sums(matrix, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 0]))
    >>> sums.sites, sums.reviews
    (2, 3)
    """
    key = site if review is None else site * (int(review.max()) + 1) + review
    columns = matrix.columns
    if (key[1:] < key[:-1]).any():
        order = np.argsort(key, kind="stable")
        key, site, columns = key[order], site[order], columns[order]
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    n = np.diff(first, append=len(key))
    means = np.add.reduceat(columns, first, axis=0) / n[:, None]
    columns = columns - np.repeat(means, n, axis=0)
    site_of_review = site[first]
    starts = np.flatnonzero(np.concatenate(([True], site_of_review[1:] != site_of_review[:-1])))
    return ReviewSums(
        n=n.astype(np.float64),
        means=means,
        within=columns.T @ columns,
        starts=starts,
        site=np.repeat(np.arange(len(starts)), np.diff(starts, append=len(n))),
        rows=len(key),
        rank=matrix.rank,
    )
