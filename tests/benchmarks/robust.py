"""How fast the robust methods are, beside R in the same run on the same data.

R's time is lm + vcovCR + coef_test or Wald_test (clubSandwich) and geeglm (geepack, which has no small-sample variance);
ours runs from arrays to p. Each is the fastest of its repeats; the answers are checked to agree.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from lmm import Line, Trial, times, trial

from analysis.marginal.gee import GeeFit, gee, gee_fit
from analysis.model_matrix import model_matrix
from analysis.resampling.wild_bootstrap import DRAWS, WildBootstrap, drawn_weights, p_of_effect, wild_bootstrap
from analysis.results import Effect, Floats
from analysis.robust.cluster_robust import SiteScores, cluster_robust, site_scores
from analysis.robust.wald import FTest, aht_test
from analysis.threads import one_thread

HERE = Path(__file__).parent


def scores(data: Trial, weights: Floats | None = None) -> SiteScores:
    matrix = model_matrix(data.outcome, [("baseline", data.baseline), ("arm", data.arm)])
    return site_scores(matrix, data.site, weights, "identity")


def weighted_cr2(data: Trial, weights: Floats) -> list[float]:
    with one_thread():
        found = cluster_robust(scores(data, weights), 2, "cr2")
    if not isinstance(found, Effect):
        raise TypeError(found)
    return [found.estimate, found.se, found.df]


def several(data: Trial) -> list[float]:
    with one_thread():
        found = aht_test(scores(data), [1, 2])
    if not isinstance(found, FTest):
        raise TypeError(found)
    return [found.statistic, found.df[1], found.p]


def equations(data: Trial) -> list[float]:
    with one_thread():
        fit = gee_fit(data.outcome, [("baseline", data.baseline), ("arm", data.arm)], data.site)
        found = gee(fit, "arm", "liang_zeger") if isinstance(fit, GeeFit) else fit
    if not isinstance(found, Effect):
        raise TypeError(found)
    return [found.estimate, found.se]


def beside_r(data: Trial) -> list[Line]:
    weights = np.random.default_rng(2).uniform(0.3, 3.0, len(data.site))
    tasks = {
        "weighted_cr2": ("CR2 of weighted people, Bell–McCaffrey", lambda: weighted_cr2(data, weights), 50.0),
        "several": ("AHT F test of two contrasts", lambda: several(data), 50.0),
        "gee": ("estimating equations, exchangeable", lambda: equations(data), 10.0),
    }
    ours = {name: times(task, 100) for name, (_, task, _) in tasks.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.csv"
        columns = np.column_stack((data.outcome, data.baseline, data.arm, data.site, weights))
        np.savetxt(path, columns, delimiter=",", header="outcome,baseline,arm,site,weight", comments="", fmt="%.17g")
        script = [str(shutil.which("Rscript")), str(HERE / "robust.R"), str(path), "15"]
        output = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    theirs = json.loads(output.splitlines()[-1])
    lines = []
    for name, (title, task, goal) in tasks.items():
        ours[name] += times(task, 100)
        # 1e-6: geepack stops at its default epsilon of 1e-4 a step, which leaves seven digits here.
        np.testing.assert_allclose(task(), theirs[name]["answer"], rtol=1e-6)
        lines.append(
            Line(f"{title}: {len(data.site)} people, 20 sites", min(ours[name]), min(theirs[name]["ms"]), goal)
        )
    return lines


def wild(data: Trial) -> list[Line]:
    def p_alone() -> float:
        with one_thread():
            v = drawn_weights("webb", DRAWS, 20, np.random.default_rng(1))
            return p_of_effect(scores(data), 2, 0.0, v, observed_among=False)

    def with_interval() -> WildBootstrap:
        with one_thread():
            found = wild_bootstrap(scores(data), 2, rng=np.random.default_rng(1))
        if not isinstance(found, WildBootstrap):
            raise TypeError(found)
        return found

    if p_alone() != with_interval().p:
        raise ValueError("the same draws gave two answers")
    return [
        Line("9,999 wild bootstrap draws (Webb), p: 20 sites", min(times(p_alone, 60)), None, 3),
        Line("9,999 wild bootstrap draws, p and interval: 20 sites", min(times(with_interval, 60)), None, 10),
    ]


def lines() -> list[Line]:
    data = trial(20, 3, 12)
    return [*beside_r(data), *wild(data)]
