"""One BLAS thread inside a fit: on matrices this small, more threads only wait for each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


@cache
def _controller() -> Any:
    # Finding the libraries takes a millisecond, limiting them 20 µs: so they are found once.
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit NumPy's linear algebra to one thread for the length of a `with` block.

    >>> import numpy as np
    >>> with one_thread(): solved = np.linalg.solve(np.eye(2), np.ones(2))
    >>> solved.tolist()
    [1.0, 1.0]
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
