"""Comparing what belongs to a site or a review: shares of people, fidelity, days. Site means, two-stage, never a mixed model.

A quantity with one value a review, or a yes or no of each person, is reduced to one mean a site (of log-days where days
are compared as a ratio), and the arms are compared on those means: Hayes & Moulton, Cluster Randomised Trials, 2nd ed.,
chapter 10. Nothing is adjusted for, so that the comparison stands where sites were not randomised too, as an association.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.compare import Comparison, MethodResult, compare
from analysis.primary import Primary
from analysis.question import Question
from analysis.results import Codes, NotEstimable
from analysis.trial_data import Counts
from analysis.two_stage.cluster_summary import cluster_summary

ONE_VALUE = "one value a site, so nothing varies within sites"


def compare_sites(frame: pd.DataFrame, question: Question) -> Comparison:
    """Compare the arms on unweighted site means; the cluster-summary t decides, beside the randomisation test.

    frame : a row a person or a review, with the question's outcome, arm and site (and strata or pairs); its review and
    participant are only counted. Rows that lack a value are left out and counted. Raises BadData as `compare` does.
    Fewer than four planned sites are described alone, as everywhere.

    >>> table = pd.DataFrame({"site": range(8), "arm": [0, 1] * 4, "days": [90.0, 60, 80, 70, 85, 75, 95, 65]})
    >>> found = compare_sites(table, Question("days", "arm", "site", design="randomised", planned_sites=8))
    >>> found.methods["cluster_summary"].estimate, round(found.methods["randomisation"].p, 4)
    (-20.0, 0.0286)
    """
    grouping = question.strata or question.pairs
    keys = [question.site, question.arm, *([grouping] if grouping else [])]
    complete = frame.dropna(subset=[question.outcome, *keys])
    means = complete.groupby(keys, sort=True, as_index=False)[question.outcome].mean()
    planned = question.planned_sites
    found = compare(
        means,
        replace(
            question,
            review=None,
            participant=None,
            baseline=None,
            covariates=(),
            methods=("cluster_summary", "randomisation"),
            planned_sites=None if planned is None else min(planned, 11),
        ),
    )
    methods: dict[str, MethodResult] = dict(found.methods)
    if question.design == "nonrandomised":
        methods["cluster_summary"] = _plain(means, question, found.treatment)
    sites = sum(found.counts.sites) if planned is None else planned
    decides = None if sites < 4 else "cluster_summary"
    reason = (
        f"{sites} sites, fewer than 4, so the arms are described and not compared"
        if decides is None
        else "the means of sites are compared, each site weighing the same, so the cluster-summary t decides"
    )
    return replace(
        found,
        primary=Primary(decides, reason, "exploratory" if planned is None else "pre-specified"),
        methods=methods,
        variance=NotEstimable(ONE_VALUE),
        icc={"site": None, "review": None},
        icc_without_baseline={"site": None, "review": None},
        effect_size=None,
        counts=_counts(frame, complete, question, found),
    )


def _plain(means: pd.DataFrame, question: Question, treatment: str) -> MethodResult:
    arm = (means[question.arm].astype(str) == treatment).to_numpy(dtype=np.float64)
    grouping = question.strata or question.pairs
    stratum: Codes | None = None if grouping is None else np.unique(means[grouping], return_inverse=True)[1]
    return cluster_summary(means[question.outcome].to_numpy(dtype=np.float64), arm, stratum, question.level, ())


def _counts(frame: pd.DataFrame, complete: pd.DataFrame, question: Question, found: Comparison) -> Counts:
    def units(columns: list[str]) -> tuple[int, int]:
        by_arm = complete.groupby(question.arm)[columns].apply(lambda rows: len(rows.drop_duplicates()))
        treated, control = (int(by_arm.get(label, 0)) for label in (found.treatment, found.control))
        return treated, control

    missing = len(frame) - len(complete)
    return Counts(
        rows=len(frame),
        analysed=len(complete),
        excluded={f"missing {question.outcome}": missing} if missing else {},
        sites=found.counts.sites,
        reviews=units([question.site, question.review]) if question.review else None,
        participants=units([question.participant])
        if question.participant
        else (
            int((complete[question.arm].astype(str) == found.treatment).sum()),
            int((complete[question.arm].astype(str) == found.control).sum()),
        ),
    )
