"""Who was found before their site knew its arm and who after: the first threat to a cluster trial, which no model mends.

People invited or consenting once the arm is known may differ between the arms from the start (Eldridge et al. 2008, Clinical
Trials 5, 237–245; Giraudeau & Ravaud 2009, PLoS Medicine 6, e1000065). So they are counted and named, and nothing is adjusted.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import BadData
from analysis.labels import coded, rows
from analysis.missing.patterns import people_of
from analysis.question import Question
from analysis.results import Floats
from analysis.trial_data import treated_label

DAY = 86_400.0


@dataclass(frozen=True)
class Recruited:
    """People by when they consented, (treatment, control): before the day their site was allocated, on it or after, unknown."""

    before: tuple[int, int]
    after: tuple[int, int]
    unknown: tuple[int, int]

    @property
    def warning(self) -> str | None:
        """What is to be said beside any result, where somebody consented after allocation or may have."""
        late, unknown = sum(self.after), sum(self.unknown)
        if not late + unknown:
            return None
        said = f"{self.after[0]} people in treatment and {self.after[1]} in control consented after their site was allocated"
        if unknown:
            said += f", and of {unknown} the dates are not known"
        return f"{said}: who takes part may then depend on the arm, which no method here can mend"

    def to_dict(self) -> dict[str, Any]:
        return {"before": list(self.before), "after": list(self.after), "unknown": list(self.unknown)}


def recruited(frame: pd.DataFrame, question: Question, consented: str, allocated: str) -> Recruited:
    """Count people by whether they consented before their site was allocated.

    consented, allocated : columns of dates (written 2026-03-31, or as dates), or of days as numbers; blank where unknown.
    Consent on the day of allocation counts as after. Of someone with several rows the first consent counts. Rows without an
    arm or a site are left out. BadData where a cell is no date.

    >>> people = pd.DataFrame({"site": [1, 1, 2], "arm": [1, 1, 0], "consent": ["2026-01-05", "2026-02-01", ""]})
    >>> people["known"] = "2026-01-20"
    >>> recruited(people.assign(y=1.0), Question("y", "arm", "site"), "consent", "known")
    Recruited(before=(1, 0), after=(1, 0), unknown=(0, 1))
    """
    given, known = _days(frame, consented), _days(frame, allocated)
    arm, labels = coded(frame[question.arm])
    site = coded(frame[question.site])[0]
    treated = labels.index(treated_label(labels, question.treatment, question.arm)[0])
    person = people_of(frame, site, question.participant, question.review)
    people = pd.DataFrame({"site": site, "person": person, "arm": arm, "given": given, "known": known})
    once = people[(arm >= 0) & (site >= 0)].groupby(["site", "person"], as_index=False).min()
    late = once["given"] >= once["known"]
    unknown = once["given"].isna() | once["known"].isna()

    def by_arm(where: "pd.Series[bool]") -> tuple[int, int]:
        mine = once["arm"] == treated
        return int((where & mine).sum()), int((where & ~mine).sum())

    return Recruited(by_arm(~late & ~unknown), by_arm(late & ~unknown), by_arm(unknown))


def _days(frame: pd.DataFrame, column: str) -> Floats:
    """A column of dates, or of numbers, as days; NaN where it is blank."""
    values = frame[column]
    if pd.api.types.is_numeric_dtype(values):
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    text = values.map(lambda cell: None if pd.isna(cell) or not str(cell).strip() else str(cell).strip())
    dates = pd.to_datetime(text, errors="coerce", format="ISO8601", utc=True)
    wrong = text.notna().to_numpy() & dates.isna().to_numpy()
    if wrong.any():
        raise BadData(
            f'column "{column}" holds "{text[wrong].iloc[0]}" in {rows(wrong)}, which is no date; write dates as 2026-03-31'
        )
    start = pd.Timestamp("1970-01-01", tz="UTC")
    return np.asarray(np.floor((dates - start).dt.total_seconds().to_numpy(dtype=np.float64) / DAY))
