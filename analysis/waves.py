"""Long data as one row a person: their last wave, with the first wave as its baseline."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.errors import BadData
from analysis.labels import coded, named, rows
from analysis.question import Question
from analysis.results import Codes, Floats


@dataclass(frozen=True)
class LastWave:
    """rows : positions in the long table of each person's last-wave row.

    baseline : their first-wave outcome, NaN where there is none.   excluded : people without a last-wave row.
    """

    rows: Codes
    baseline: Floats
    excluded: dict[str, int]
    warnings: tuple[str, ...]


def wave_order(labels: list[str], question: Question) -> list[str]:
    """Waves from first to last: as asked, else by number.  BadData where neither tells.

    >>> wave_order(["10", "2"], Question("y", "arm", "site", participant="who", wave="month"))
    ['2', '10']
    """
    if question.wave_order:
        asked = [name.strip() for name in question.wave_order]
        unknown = [name for name in asked if name not in labels]
        if unknown:
            raise BadData(f'column "{question.wave}" has no wave "{unknown[0]}"; its waves are {", ".join(labels)}')
        if len(set(asked)) < len(asked):
            raise BadData("the wave order names a wave twice; name each once, from first to last")
        return asked
    try:
        return sorted(labels, key=float)
    except ValueError:
        listed = ", ".join(labels[:5])
        raise BadData(
            f'column "{question.wave}" holds text ({listed}); give the order of the waves, first to last'
        ) from None


def last_wave(frame: pd.DataFrame, question: Question, outcome: Floats) -> LastWave:
    """Match each person's last-wave row with their first-wave outcome.

    People are told apart by site and participant, and by review too where a label appears in several reviews of a
    site at one wave. Waves between the first and the last, or not in the order given, are not used.
    """
    wave_column = str(question.wave)
    wave, labels = coded(frame[wave_column])
    if (wave < 0).any():
        raise BadData(f'column "{wave_column}" is empty in {rows(wave < 0)}; say which wave each row is')
    order = wave_order(labels, question)
    if len(order) < 2:
        raise BadData(f'column "{wave_column}" has one wave only; long data have at least two')
    person = coded(frame[str(question.participant)])[0]
    if (person < 0).any():
        raise BadData(f'column "{question.participant}" is empty in {rows(person < 0)}; say whose row it is')
    table = pd.DataFrame(
        {
            "site": coded(frame[question.site])[0],
            "review": coded(frame[question.review])[0] if question.review else 0,
            "person": person,
            "wave": wave,
        }
    )
    key = ["site", "person"]
    if table.duplicated([*key, "wave"]).any():
        key = ["site", "review", "person"]
    doubled = table.duplicated([*key, "wave"]).to_numpy()
    if doubled.any():
        raise BadData(
            f'column "{question.participant}": a person has a second row for a wave in {rows(doubled)}; '
            "keep one row a person and wave"
        )
    first, last = labels.index(order[0]), labels.index(order[-1])
    whom = pd.MultiIndex.from_frame(table[key])
    at_last = np.flatnonzero(wave == last)
    at_first = np.flatnonzero(wave == first)
    place = whom[at_first].get_indexer(whom[at_last])
    baseline = np.where(place >= 0, outcome[at_first][place], np.nan)
    gone = int((whom[at_last].get_indexer(whom[at_first]) < 0).sum())
    unused = [name for name in labels if name not in (order[0], order[-1])]
    warnings = [f'compared at wave "{order[-1]}", with wave "{order[0]}" as the baseline, on complete cases']
    if unused:
        warnings.append(f"{named(unused, 'wave', 'waves')} not used")
    return LastWave(at_last, baseline, {f"no row at wave {order[-1]}": gone}, tuple(warnings))
