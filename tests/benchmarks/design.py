"""How fast planning is: power of 1,000 simulated trials beside R in the same run, re-allocations, Westfall–Young.

R simulates fewer trials, and its time for 1,000 is that times as many: nothing in it is done once for all. Ours are 1,000
whole trials, drawn, fitted and tested, shared by the processors through joblib, whose processes stand ready (starting them
is timed on a line of its own); half before and half after R's.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lmm import Line

from analysis.design.power import TrialDesign, power, sites_required, smallest_effect
from analysis.design.simulate import Simulated, simulated_power
from analysis.resampling.allocations import Minimised, complete, stratified
from analysis.resampling.randomisation import randomisation_test
from analysis.resampling.studentised import studentised_test
from analysis.resampling.westfall_young import westfall_young
from analysis.threads import one_thread

HERE = Path(__file__).parent
TRIALS, TRIALS_OF_R = 1000, 60
DESIGN = TrialDesign(20, 3, 12, 0.05, 0.08, baseline_r=0.5)
EFFECT = 0.3


def milliseconds(task: Callable[[], object], repeats: int) -> float:
    """The fastest of some repeats."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        found.append(1000 * (time.perf_counter() - start))
    return min(found)


def beside_r() -> list[Line]:
    """Ours and R's; stops where the powers differ by more than chance."""
    jobs = os.cpu_count() or 1
    answers: list[Simulated] = []

    def ours(processes: int) -> None:
        answers.append(simulated_power(DESIGN, EFFECT, TRIALS, seed=len(answers), jobs=processes))

    start = milliseconds(lambda: ours(jobs), 1)
    shared, alone = milliseconds(lambda: ours(jobs), 3), milliseconds(lambda: ours(1), 2)
    script = [str(shutil.which("Rscript")), str(HERE / "design.R"), str(TRIALS_OF_R)]
    theirs = json.loads(subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    shared, alone = min(shared, milliseconds(lambda: ours(jobs), 3)), min(alone, milliseconds(lambda: ours(1), 2))
    found = float(np.mean([answer.rejected for answer in answers]))
    formula = power(DESIGN, EFFECT)
    for rejected, trials in ((found, TRIALS * len(answers)), (theirs["rejected"], TRIALS_OF_R)):
        # Four Monte Carlo standard errors, and a point for what Kenward–Roger is conservative by.
        if abs(rejected - formula) > 4 * (formula * (1 - formula) / trials) ** 0.5 + 0.02:
            raise ValueError(f"power {rejected:.3f}, where the formula gives {formula:.3f}")
    r = theirs["ms"] * TRIALS
    size = "1,000 trials of 720 people in 20 sites and 60 reviews"
    return [
        Line(f"power by simulation, Kenward–Roger: {size}, {jobs} processes", shared, r, 60),
        Line("the same in one process", alone, r, None),
        Line(f"the same with {jobs} processes still to be started", start, r, None),
    ]


def alone() -> list[Line]:
    rng = np.random.default_rng(1)
    arm = np.tile([1.0, 0.0], 10)
    means = rng.normal(size=20) + 0.8 * arm
    whole, strata = complete(20), stratified(np.arange(20) // 2 % 2, (5, 5))
    entered = Minimised(rng.integers(0, 2, (20, 3)))
    minimised = entered.allocate(rng)
    outcomes = rng.normal(size=(20, 10)) + rng.normal(size=(20, 1))

    def run_again() -> object:
        return randomisation_test(entered, minimised, means, minimised, rng=np.random.default_rng(1), draws=9_999)

    def studentised() -> object:
        return studentised_test(strata, arm, means, arm, rng=np.random.default_rng(1), draws=9_999, enumerate_up_to=0)

    def together() -> object:
        return westfall_young(whole, arm, outcomes, rng=np.random.default_rng(1), draws=9_999, enumerate_up_to=0)

    return [
        Line("10,000 minimisations run again, with interval", milliseconds(run_again, 5), None, None),
        Line("10,000 re-allocations, studentised, with interval", milliseconds(studentised, 5), None, None),
        Line("Westfall–Young, 10 outcomes, 10,000 re-allocations", milliseconds(together, 5), None, None),
        Line("smallest detectable effect, closed form", milliseconds(lambda: smallest_effect(DESIGN), 50), None, None),
        Line("sites required, closed form", milliseconds(lambda: sites_required(DESIGN, EFFECT), 20), None, None),
    ]


def lines() -> list[Line]:
    with one_thread():
        return [*beside_r(), *alone()]
