"""How fast the statistics are, beside R in the same run on the same data: lines of docs/benchmarks.md.

R's time is lmer + vcovAdj + Lb_ddf, or lm + coef_test; ours runs from arrays to p. Each is the fastest of its repeats,
the one that other work on the machine disturbed least, in processor time; ours are taken half before and half after
R's.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.lmm import longitudinal, reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.lmm.longitudinal import Sample
from analysis.model_matrix import model_matrix
from analysis.question import Question
from analysis.resampling.allocations import scheme
from analysis.resampling.randomisation import RandomisationTest, randomisation_test
from analysis.results import Codes, Effect, Floats
from analysis.robust.cluster_robust import cluster_robust, site_scores
from analysis.threads import one_thread
from analysis.trial_data import read

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Line:
    """One row of the table; goal : the least ratio, or the most milliseconds where there is no R; None where there is none."""

    task: str
    ours: float
    theirs: float | None
    goal: float | None

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.theirs / self.ours >= self.goal if self.theirs else self.ours <= self.goal

    def cells(self) -> tuple[str, ...]:
        if self.theirs is None:
            return (self.task, f"{self.ours:.2f}", "–", "–", "" if self.goal is None else f"≤ {self.goal:g} ms")
        return (
            self.task,
            f"{self.ours:.2f}",
            f"{self.theirs:.1f}",
            f"{self.theirs / self.ours:.0f} ×",
            "" if self.goal is None else f"≥ {self.goal:g} ×",
        )


@dataclass(frozen=True)
class Trial:
    outcome: Floats
    baseline: Floats
    arm: Floats
    site: Codes
    review: Codes


def trial(sites: int, reviews: int, people: int) -> Trial:
    """A balanced trial with some variance at each level."""
    rng = np.random.default_rng(1)
    site = np.repeat(np.arange(sites), reviews * people)
    review = np.repeat(np.arange(sites * reviews), people) % reviews
    arm = (site % 2).astype(np.float64)
    baseline = rng.normal(size=len(site))
    between = rng.normal(0, 0.22, sites)[site] + rng.normal(0, 0.2, sites * reviews)[site * reviews + review]
    return Trial(0.5 * baseline + 0.3 * arm + between + rng.normal(0, 0.8, len(site)), baseline, arm, site, review)


@dataclass(frozen=True)
class LongTrial:
    outcome: Floats
    arm: Floats
    sample: Sample


def long_trial(sites: int, reviews: int, people: int, rows: int) -> LongTrial:
    """Two waves of a balanced trial, later rows missing at random until `rows` are left."""
    rng = np.random.default_rng(1)
    per_site, everyone = reviews * people, sites * reviews * people
    person = np.concatenate((np.arange(everyone), np.sort(rng.permutation(everyone)[: rows - everyone])))
    wave = np.repeat([0, 1], [everyone, rows - everyone])
    site, review = person // per_site, person // people
    arm = (site % 2).astype(np.float64)
    between = rng.normal(0, 0.25, sites)[site] + rng.normal(0, 0.15, (sites, 2))[site, wave]
    between += rng.normal(0, 0.2, sites * reviews)[review] + rng.normal(0, 0.6, everyone)[person]
    outcome = 3.0 + 0.1 * wave + 0.3 * arm * wave + between + rng.normal(0, 0.7, rows)
    return LongTrial(outcome, arm, Sample(wave, site, review, person, 2))


def clda(data: LongTrial) -> Effect:
    with one_thread():
        later = (data.sample.wave == 1).astype(np.float64)
        fit = longitudinal.fit(model_matrix(data.outcome, [("wave", later), ("arm", data.arm * later)]), data.sample)
        if not isinstance(fit, longitudinal.LongitudinalFit):
            raise TypeError(fit.reason)
        return estimated(kenward_roger(fit, 2))


def mixed_model(data: Trial, compiled: bool = False) -> Effect:
    with one_thread():
        matrix = model_matrix(data.outcome, [("baseline", data.baseline), ("arm", data.arm)])
        fit = reml.fit(matrix, data.site, data.review, compiled=compiled)
        if not isinstance(fit, reml.RemlFit):
            raise TypeError(fit.reason)
        return estimated(kenward_roger(fit, 2))


def cr2(data: Trial) -> Effect:
    with one_thread():
        matrix = model_matrix(data.outcome, [("baseline", data.baseline), ("arm", data.arm)])
        return estimated(cluster_robust(site_scores(matrix, data.site), 2, "cr2"))


def estimated(result: object) -> Effect:
    if not isinstance(result, Effect):
        raise TypeError(result)
    return result


def times(task: Callable[[], object], repeats: int) -> list[float]:
    task()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        found.append(1000 * (time.process_time() - start))
    return found


def answers_of_r(script: str, columns: dict[str, Floats | Codes], repeats: int) -> dict[str, dict[str, list[float]]]:
    """What an R script answers for each of its tasks, and the milliseconds of each repeat."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        table = np.column_stack(list(columns.values()))
        np.savetxt(path, table, delimiter=",", header=",".join(columns), comments="", fmt="%.17g")
        command = [str(shutil.which("Rscript")), str(HERE / script), str(path), str(repeats)]
        # One thread for R too: on matrices this small its linear algebra is faster so, and so is ours.
        alone = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        output = subprocess.run(command, capture_output=True, text=True, check=True, env=alone).stdout
    theirs: dict[str, dict[str, list[float]]] = json.loads(output.splitlines()[-1])
    return theirs


@dataclass(frozen=True)
class Task:
    """One task here, the name R's answer to it goes by, and the ratio aimed at."""

    title: str
    name: str
    goal: float
    run: Callable[[], Effect]


def raced(
    tasks: list[Task], size: str, script: str, columns: dict[str, Floats | Codes], repeats: tuple[int, int]
) -> list[Line]:
    """Each task here and in R; stops where the answers differ.   repeats : of ours (twice) and of R's."""
    ours = [times(task.run, repeats[0]) for task in tasks]
    theirs = answers_of_r(script, columns, repeats[1])
    lines = []
    for task, before in zip(tasks, ours, strict=True):
        answer = task.run()
        # 1e-4: lme4's default optimiser stops earlier than the one of the reference answers.
        np.testing.assert_allclose([answer.estimate, answer.se, answer.df], theirs[task.name]["answer"], rtol=1e-4)
        fastest = min(before + times(task.run, repeats[0]))
        lines.append(Line(f"{task.title}: {size}", fastest, min(theirs[task.name]["ms"]), task.goal))
    return lines


def beside_r(sites: int, reviews: int, people: int) -> list[Line]:
    """Kenward–Roger, compiled or not, and CR2 on one trial, here and in R."""
    data = trial(sites, reviews, people)
    tasks = [
        Task("mixed model, Kenward–Roger", "kenward_roger", 50, lambda: mixed_model(data)),
        Task("the same, compiled", "kenward_roger", 300, lambda: mixed_model(data, compiled=True)),
        Task("CR2, Bell–McCaffrey", "cr2", 50, lambda: cr2(data)),
    ]
    size = f"{len(data.site)} people, {sites} sites, {sites * reviews} reviews"
    columns = {name: getattr(data, name) for name in ("outcome", "baseline", "arm", "site", "review")}
    return raced(tasks, size, "mixed_model.R", columns, (200, 15))


def long_beside_r(sites: int, reviews: int, people: int, rows: int) -> list[Line]:
    """The longitudinal model on two waves, here and in R."""
    data = long_trial(sites, reviews, people, rows)
    sample = data.sample
    columns = {"outcome": data.outcome, "arm": data.arm, "wave": sample.wave, "site": sample.site}
    columns |= {"review": sample.review, "participant": sample.person}
    tasks = [Task("longitudinal model (cLDA), Kenward–Roger", "clda", 10, lambda: clda(data))]
    return raced(tasks, f"{rows} rows, {sites} sites, {sites * reviews} reviews", "longitudinal.R", columns, (40, 3))


def a_million_people() -> Line:
    """From the table to p: reading, mixed model and Kenward–Roger."""
    data = trial(200, 10, 500)
    names = ("outcome", "baseline", "arm", "site", "review")
    table = pd.DataFrame({name: getattr(data, name) for name in names} | {"participant": np.arange(len(data.site))})
    asked = Question("outcome", "arm", "site", "review", "participant", "baseline", design="randomised")

    def task() -> None:
        read_in = read(table, asked)
        baseline, review = read_in.baseline, read_in.review
        if baseline is None or review is None:
            raise TypeError(read_in)
        mixed_model(Trial(read_in.outcome, baseline, read_in.arm, read_in.site, review))

    title = "a million people in 2,000 reviews, from the table to p"
    return Line(title, min(times(task, 5)), None, 1000)


def randomisation(title: str, sites: int, goal: float, *, stratified: bool, enumerate_up_to: int) -> Line:
    rng = np.random.default_rng(1)
    arm = np.tile([1.0, 0.0], sites // 2)
    means = rng.normal(size=sites) + 0.8 * arm
    plan = scheme(arm, np.arange(sites) // (sites // 2)) if stratified else scheme(arm)

    def task() -> None:
        with one_thread():
            result = randomisation_test(
                plan, arm, means, arm, rng=np.random.default_rng(1), draws=9_999, enumerate_up_to=enumerate_up_to
            )
        if not isinstance(result, RandomisationTest):
            raise TypeError(result.reason)

    return Line(title, min(times(task, 15)), None, goal)


def lines() -> list[Line]:
    million = 1_000_000
    return [
        *beside_r(20, 3, 12),
        *beside_r(20, 4, 30),
        *long_beside_r(20, 3, 12, 1336),
        *long_beside_r(20, 4, 15, 2184),
        a_million_people(),
        randomisation("10,000 re-allocations of 20 sites, with interval", 20, 5, stratified=True, enumerate_up_to=0),
        randomisation(
            "all 184,756 allocations of 20 sites, with interval", 20, 100, stratified=False, enumerate_up_to=10**6
        ),
        randomisation("exact p of 40 sites, interval drawn", 40, 500, stratified=False, enumerate_up_to=million),
    ]
