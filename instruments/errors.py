"""The one error this package raises, and it names every fault it found."""

from __future__ import annotations

from collections.abc import Sequence


class InstrumentError(ValueError):
    """A questionnaire, a condition or an answer is not sound.

    `problems` holds one sentence a fault: the file, the key, what is wrong and what to do.
    The message is those sentences, one a line.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[InstrumentError], tuple[tuple[str, ...]]]:
        return type(self), (self.problems,)
