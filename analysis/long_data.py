"""Long data as they are, one row a person and wave, for models of every wave at once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis import refusals
from analysis.errors import BadData
from analysis.labels import coded, codes_of, named, numbers, rows
from analysis.lmm.longitudinal import Sample
from analysis.people import tell_apart
from analysis.question import Question
from analysis.results import Codes, Floats
from analysis.robust.did import stratum_columns
from analysis.trial_data import covariate_columns
from analysis.waves import wave_order


@dataclass(frozen=True)
class LongData:
    """Rows with an outcome and everything else the model needs.

    outcome, arm (1 treatment) : (N,).   sample : who was asked when, codes of (N,).   waves : labels, first to last.
    covariates : named (N,) columns, strata among them.   site_arm : (S,).   people : how many.
    """

    outcome: Floats
    arm: Floats
    sample: Sample
    waves: tuple[str, ...]
    covariates: tuple[tuple[str, Floats], ...]
    site_arm: Floats
    people: int
    warnings: tuple[str, ...]


def read_long(frame: pd.DataFrame, question: Question, treatment: str) -> LongData:
    """Take every row that has what the model needs, people with some waves missing included.

    treatment : label of the treated arm. Rows without outcome, arm, site, review, covariate or stratum are left out
    and said; someone in several reviews of a site counts in the first. Raises BadData where the table cannot answer.

    >>> table = pd.DataFrame({"site": [1, 1, 1, 1, 2, 2], "who": [1, 1, 2, 2, 3, 3], "wave": [0, 1] * 3})
    >>> table["arm"], table["score"] = table.site - 1, [1.0, 2.0, 3.0, None, 5.0, 6.0]
    >>> data = read_long(table, Question("score", "arm", "site", participant="who", wave="wave"), "1")
    >>> data.waves, data.people, len(data.outcome), data.warnings
    (('0', '1'), 3, 5, ('1 row without "score" left out, other waves kept',))
    """
    outcome = numbers(frame[question.outcome], question.outcome)
    arm, arm_labels = coded(frame[question.arm])
    refusals.two_arms(arm, arm_labels, question.arm, np.arange(len(frame)))
    site, site_labels = coded(frame[question.site])
    site_arm = refusals.one_value_a_site(
        site, arm, site_labels, column=question.arm, kind="arm", places=np.arange(len(frame))
    )
    wave, order, unused = _waves(frame, question)
    review = codes_of(frame[question.review]) if question.review else None
    absent = [(question.outcome, np.isnan(outcome)), (question.arm, arm < 0), (question.site, site < 0)]
    if review is not None:
        absent.append((str(question.review), review < 0))
    covariates: list[tuple[str, Floats]] = []
    for name in question.covariates:
        columns, gone = covariate_columns(frame[name], name)
        covariates.extend(columns)
        absent.append((name, gone))
    stratum = None
    if grouping := question.strata or question.pairs:
        stratum = coded(frame[grouping])[0]
        absent.append((grouping, stratum < 0))
    keep = wave >= 0
    warnings = [f"{named(unused, 'wave', 'waves')} not used"] if unused else []
    for name, where in absent:
        lost = int((keep & where).sum())
        keep &= ~where
        if lost:
            warnings.append(f'{lost} {"row" if lost == 1 else "rows"} without "{name}" left out, other waves kept')
    person, told = _people(frame, question, site, review, wave, keep)
    keep &= person >= 0
    warnings += told
    if not keep.any():
        raise BadData(f'no row has every value a model of column "{question.outcome}" at every wave needs')
    treated = (site_arm == arm_labels.index(treatment)).astype(np.float64)
    present, site = np.unique(site[keep], return_inverse=True)
    site = site.astype(np.intp)
    within = site if review is None else site * (int(review.max()) + 1) + review[keep]
    everyone = np.unique(within * (int(person.max()) + 1) + person[keep])
    entered = [(name, values[keep]) for name, values in covariates]
    if stratum is not None:
        entered.extend(stratum_columns(np.unique(stratum[keep], return_inverse=True)[1].astype(np.intp)))
    return LongData(
        outcome=outcome[keep],
        arm=treated[present][site],
        sample=Sample(
            wave=wave[keep],
            site=site,
            review=None if review is None else review[keep],
            person=person[keep],
            waves=len(order),
        ),
        waves=tuple(order),
        covariates=tuple(entered),
        site_arm=treated[present],
        people=len(everyone),
        warnings=tuple(warnings),
    )


def _waves(frame: pd.DataFrame, question: Question) -> tuple[Codes, list[str], list[str]]:
    """Place of each row's wave in the order, −1 outside it; the order; the waves outside it."""
    codes, labels = coded(frame[str(question.wave)])
    if (codes < 0).any():
        raise BadData(f'column "{question.wave}" is empty in {rows(codes < 0)}; say which wave each row is')
    order = wave_order(labels, question)
    if len(order) < 2:
        raise BadData(f'column "{question.wave}" has one wave only; long data have at least two')
    place = np.array([order.index(name) if name in order else -1 for name in labels], dtype=np.intp)
    return place[codes], order, [name for name in labels if name not in order]


def _people(
    frame: pd.DataFrame,
    question: Question,
    site: Codes,
    review: Codes | None,
    wave: Codes,
    keep: np.typing.NDArray[np.bool_],
) -> tuple[Codes, list[str]]:
    """Person of each row, distinct within a review, −1 in reviews after their first; and what is said of it."""
    label = codes_of(frame[str(question.participant)])
    if (label < 0).any():
        raise BadData(f'column "{question.participant}" is empty in {rows(label < 0)}; say whose row it is')
    table = pd.DataFrame({"site": site, "review": 0 if review is None else review, "person": label, "wave": wave})
    doubled = keep & table.duplicated().to_numpy()
    if doubled.any():
        raise BadData(
            f'column "{question.participant}": a person has a second row for a wave in {rows(doubled)}; '
            "keep one row a person and wave"
        )
    # Of each person's rows in a review the first stands for all of them.
    once = keep & ~table[keep].duplicated(["site", "review", "person"]).reindex(table.index, fill_value=True).to_numpy()
    told = tell_apart(label, site, review, once, places=np.arange(len(frame)), column=str(question.participant))
    again = table.loc[once & told.repeated, ["site", "review", "person"]]
    if again.empty:
        return label, list(told.warnings)
    gone = pd.MultiIndex.from_frame(table[["site", "review", "person"]]).isin(pd.MultiIndex.from_frame(again))
    return np.where(gone, -1, label), list(told.warnings)
