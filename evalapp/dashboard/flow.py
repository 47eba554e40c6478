"""What became of everyone expected: the flow of questionnaires by wave, and the gate before parents are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from evalapp.dashboard.board import SMALLEST_EXPECTED, STEP
from evalapp.figures import Table
from evalapp.findings import WAVE_NAMES
from evalapp.roster import ASKED, UNDECIDED

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    "expected": "Expected",
    "answered": "Answered",
    "declined": "Said no",
    "withdrawn": "Withdrew",
    "under_way": "Under way",
    "missed": "Closed unanswered",
    "waiting": "Not begun",
}
GATE = {
    ASKED: "Asked",
    UNDECIDED: "Nobody has decided",
    "not_safe": "Not asked: it would not be safe",
    "not_lawful": "Not asked: it would not be lawful",
    "not_kind_now": "Not asked: it would not be kind now",
    "cannot_reach": "Not asked: they cannot be reached",
    "said_no": "Not asked: they do not want to be",
    "other": "Not asked: another reason",
}


def table(tally: pd.DataFrame) -> Table:
    """The flow by wave, from `responses.flow_tally`: every line adds up to what was expected."""
    counts = tally[list(KINDS)].to_dict("records")
    rows: tuple[tuple[str | float | None, ...], ...] = tuple(
        (WAVE_NAMES[wave], *(int(row[kind]) for kind in KINDS)) for wave, row in zip(tally["wave"], counts, strict=True)
    )
    return Table(("Wave", *KINDS.values()), rows)


def gate(counts: Mapping[str, int], *, whole: bool) -> list[tuple[str, str]]:
    """How many parents are asked and why others are not, in words: (what, how many).

    whole : False for those who see counts in steps of five, and only where it is ten people or more.
    """
    everyone = sum(counts.values())
    lines = [("Parents expected", _shown(everyone, whole=whole))]
    lines += [(said, _shown(counts[kind], whole=whole)) for kind, said in GATE.items() if whole or kind == ASKED]
    if not whole:
        lines.append(("Not asked, or not decided yet", _shown(everyone - counts[ASKED], whole=whole)))
    return lines


def finding(counts: Mapping[str, int], *, whole: bool) -> str:
    """The gate in one sentence; a gate that opens unevenly is a bias."""
    everyone, asked = sum(counts.values()), counts[ASKED]
    if whole:
        share = f" ({round(100 * asked / everyone)} %)" if everyone else ""
        return f"{asked} of {everyone} parents expected{share} may be asked by a lead's decision."
    return f"How many parents may be asked is counted in steps of {STEP}, and only where it is {SMALLEST_EXPECTED} or more."


def _shown(number: int, *, whole: bool) -> str:
    if whole:
        return str(number)
    return f"{STEP * (number // STEP)}" if number >= SMALLEST_EXPECTED else f"fewer than {SMALLEST_EXPECTED}"
