"""How fast the statistics are, beside R in the same run on the same data: prints a table, writes docs/benchmarks.md.

R's time is lmer + vcovAdj + Lb_ddf, or lm + coef_test; ours runs from arrays to p. Each is the fastest of its repeats,
the one that other work on the machine disturbed least; ours are taken half before and half after R's.
"""

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.lmm import reml
from analysis.lmm.kenward_roger import kenward_roger
from analysis.model_matrix import model_matrix
from analysis.resampling.allocations import scheme
from analysis.resampling.randomisation import RandomisationTest, randomisation_test
from analysis.results import Codes, Effect, Floats
from analysis.robust.cluster_robust import cluster_robust, site_scores
from analysis.threads import one_thread

HERE = Path(__file__).parent
REPORT = HERE.parent.parent / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Line:
    """One row of the table; goal : the least ratio, or the most milliseconds where there is no R."""

    task: str
    ours: float
    theirs: float | None
    goal: float

    @property
    def met(self) -> bool:
        return self.theirs / self.ours >= self.goal if self.theirs else self.ours <= self.goal

    def cells(self) -> tuple[str, ...]:
        if self.theirs is None:
            return (self.task, f"{self.ours:.2f}", "–", "–", f"≤ {self.goal:g} ms")
        return (
            self.task,
            f"{self.ours:.2f}",
            f"{self.theirs:.1f}",
            f"{self.theirs / self.ours:.0f} ×",
            f"≥ {self.goal:g} ×",
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


def mixed_model(data: Trial) -> Effect:
    with one_thread():
        matrix = model_matrix(data.outcome, [("baseline", data.baseline), ("arm", data.arm)])
        fit = reml.fit(matrix, data.site, data.review)
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
        start = time.perf_counter()
        task()
        found.append(1000 * (time.perf_counter() - start))
    return found


def beside_r(sites: int, reviews: int, people: int) -> list[Line]:
    """Kenward–Roger and CR2 on one trial, here and in R; stops where the answers differ."""
    data = trial(sites, reviews, people)
    tasks: dict[str, Callable[[], Effect]] = {"kenward_roger": lambda: mixed_model(data), "cr2": lambda: cr2(data)}
    ours = {name: times(task, 200) for name, task in tasks.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        columns = np.column_stack((data.outcome, data.baseline, data.arm, data.site, data.review))
        np.savetxt(path, columns, delimiter=",", header="outcome,baseline,arm,site,review", comments="", fmt="%.17g")
        script = [str(shutil.which("Rscript")), str(HERE / "mixed_model.R"), str(path), "15"]
        output = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    theirs = json.loads(output.splitlines()[-1])
    lines = []
    for name, title in (("kenward_roger", "mixed model, Kenward–Roger"), ("cr2", "CR2, Bell–McCaffrey")):
        ours[name] += times(tasks[name], 200)
        answer = tasks[name]()
        # 1e-4: lme4's default optimiser stops earlier than the one of the reference answers.
        np.testing.assert_allclose([answer.estimate, answer.se, answer.df], theirs[name]["answer"], rtol=1e-4)
        size = f"{len(data.site)} people, {sites} sites, {sites * reviews} reviews"
        lines.append(Line(f"{title}: {size}", min(ours[name]), min(theirs[name]["ms"]), 50))
    return lines


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


def main() -> int:
    million = 1_000_000
    lines = [
        *beside_r(20, 3, 12),
        *beside_r(20, 4, 30),
        randomisation("10,000 re-allocations of 20 sites, with interval", 20, 10, stratified=True, enumerate_up_to=0),
        randomisation(
            "all 184,756 allocations of 20 sites, with interval", 20, 100, stratified=False, enumerate_up_to=10**6
        ),
        randomisation("exact p of 40 sites, interval drawn", 40, 500, stratified=False, enumerate_up_to=million),
    ]
    header = ("task", "ms", "R, ms", "ratio", "goal")
    rows = ["| " + " | ".join(cells) + " |" for cells in (header, ("---",) * 5, *(line.cells() for line in lines))]
    report = "\n".join(
        [
            "# How fast the statistics are",
            "",
            "Written by `make bench`: one run, the fastest of the repeats, ours from arrays to p on one thread. R is",
            "lmer + vcovAdj + Lb_ddf (lme4, pbkrtest) and lm + coef_test (clubSandwich) on the same data; the answers",
            "are checked to agree.",
            "",
            *rows,
            "",
            f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}.",
            "",
        ]
    )
    print(report)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(report, encoding="utf-8")
    missed = [line.task for line in lines if not line.met]
    if missed:
        print(f"Slower than the goal: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
