"""What pages worked out, kept until the trial's data change: a look without news reads almost nothing."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from evalapp import responses

MOST = 64  # results kept in a process; the one not asked for longest goes first
Found = TypeVar("Found")


class _Place:
    """One result and the state of the data it is of. The lock lets one of several readers work it out for all."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.stamp: int | None = None
        self.value: Any = None


_places: OrderedDict[tuple[str, ...], _Place] = OrderedDict()
_lock = Lock()


def kept(session: Session, key: tuple[str, ...], make: Callable[[], Found]) -> Found:
    """What `make` found, until anything it may have read has changed (`responses.stamp`).

    The stamp is read before the data: what changes meanwhile is found by the next look. Keep what is small (tallies,
    figures), and let the key name everything that is not in the stamp, such as whether results are open.
    """
    stamp = responses.stamp(session)
    with _lock:
        place = _places.setdefault(key, _Place())
        _places.move_to_end(key)
        while len(_places) > MOST:
            _places.popitem(last=False)
    with place.lock:
        if place.stamp != stamp:
            place.value = make()
            place.stamp = stamp
        found: Found = place.value
        return found
