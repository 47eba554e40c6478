"""How often each method is wrong where the truth is known: prints tables, writes docs/calibration.md.

Run by `make calibrate`; `--trials` and `--jobs` change its length, `--table` only writes the page from the numbers of the
last run. Methods are those of `compare`, through its own functions; one that is not computed in this version has no column.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from analysis.design.power import TrialDesign
from analysis.design.simulate import Simulated, Truth, simulate_methods
from analysis.primary import choose_primary

ROOT = Path(__file__).parent.parent.parent
REPORT = ROOT / "docs" / "calibration.md"
NUMBERS = Path(__file__).parent / "numbers.json"

METHODS = {
    "lmm_kenward_roger": "LMM, KR",
    "clda": "cLDA, KR",
    "lmm_satterthwaite": "LMM, Satt.",
    "cluster_summary": "cluster summary",
    "site_cr2": "cluster summary, CR2",
    "cr1s": "CR1S, t(S−1)",
    "cr2": "CR2, BM",
    "wild_bootstrap": "wild bootstrap",
    "randomisation": "randomisation",
    "studentised": "randomisation, studentised",
}
# Those that let arms vary unequally: with equal arms they give the p of their fellows that pool.
UNEQUAL = ("site_cr2", "studentised")
SITES = (6, 8, 12, 20, 40)
# A method that decides rejects no more often than this where there is no effect.
MOST = 0.065


@dataclass(frozen=True)
class Condition:
    """title, words : of the row and what it means.    treated : share of the sites in the treatment arm."""

    title: str
    words: str
    truth: dict[str, object]
    icc: tuple[float, float] = (0.05, 0.08)
    treated: float = 0.5
    variance_ratio: float = 1.0
    attrition: float = 0.0

    def at(self, sites: int, effect: float = 0.0) -> Truth:
        design = TrialDesign(
            sites,
            3,
            6,
            *self.icc,
            treated=round(sites * self.treated),
            baseline_r=0.5,
            variance_ratio=self.variance_ratio,
            attrition=self.attrition,
        )
        return Truth(design, effect, uneven=True, **self.truth)  # type: ignore[arg-type]


PLAIN = Condition(
    "normal", "normal outcomes, site ICC .05 and review share .03, baseline correlated .5, uneven sizes", {}
)
CONDITIONS = (
    PLAIN,
    Condition("normal, no clustering", "the same with ICCs of 0", {}, icc=(0.0, 0.0)),
    Condition("Likert", "the mean of five items of five answers", {"answers": "likert"}),
    Condition("ceiling", "the same with 55 % of the answers in the highest category", {"answers": "ceiling"}),
    Condition(
        "missing waves",
        "Likert; 25 % lost after, more of those who were low before, and 15 % without a baseline; complete cases, but for "
        "cLDA, which takes everyone who answered before or after",
        {"answers": "likert", "leaves_low": True, "baseline_missing": 0.15},
        attrition=0.25,
    ),
    Condition("unequal arms", "Likert; three sites in ten treated", {"answers": "likert"}, treated=0.3),
    Condition(
        "variance × 2", "three sites in ten treated, their variance doubled", {}, treated=0.3, variance_ratio=2.0
    ),
    Condition(
        "variance × 4", "three sites in ten treated, their variance fourfold", {}, treated=0.3, variance_ratio=4.0
    ),
)
# Those in which there is also a true effect: its size is known where the outcome itself is drawn.
REAL = CONDITIONS[:2]


@dataclass(frozen=True)
class Cell:
    """One condition at one number of sites: method to what it did."""

    condition: str
    sites: int
    arms: tuple[int, int]
    effect: float
    primary: str
    methods: dict[str, Simulated]


def cell(condition: Condition, sites: int, effect: float, trials: int, jobs: int, seed: int) -> Cell:
    truth = condition.at(sites, effect)
    arms = (truth.design.in_treatment, sites - truth.design.in_treatment)
    primary = choose_primary("randomised", sites, arms, has_before=True).method
    left_out = (() if arms[0] != arms[1] else UNEQUAL) + (() if truth.baseline_missing else ("clda",))
    methods = tuple(name for name in METHODS if name not in left_out)
    found = simulate_methods(truth, methods, trials, seed=seed, jobs=jobs)
    return Cell(condition.title, sites, arms, effect, str(primary), {k: v for k, v in found.items() if v.trials})


def breaches(cells: Iterable[Cell]) -> list[Cell]:
    """Cells in which the method that would decide rejects too often, by more than chance among these trials."""
    return [c for c in cells if too_often(c.methods[c.primary])]


def too_often(found: Simulated) -> bool:
    """Above 6.5 %."""
    return found.rejected > MOST


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def table(cells: list[Cell], value: str) -> list[str]:
    names = [name for name in METHODS if any(name in c.methods for c in cells)]
    lines = [
        "| sites (treated + control) | " + " | ".join(METHODS[name] for name in names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for c in cells:
        shown = []
        for name in names:
            text = percent(getattr(c.methods[name], value)) if name in c.methods else "–"
            shown.append(f"**{text}**" if name == c.primary else text)
        lines.append(f"| {c.sites} ({c.arms[0]} + {c.arms[1]}) | " + " | ".join(shown) + " |")
    return lines


def report(null: list[Cell], real: list[Cell], trials: int, seconds: float) -> str:
    error = math.sqrt(0.05 * 0.95 / trials)
    found = breaches(null)
    low = [c for c in null if c.methods[c.primary].rejected < 0.035]
    lines = [
        "# How often each method is wrong",
        "",
        f"Written by `make calibrate`: {trials:,} simulated trials a row, {seconds / 60:.0f} minutes. Sites have 1 to 5",
        "reviews and reviews 2 to 10 people, and sites are allocated completely at random. A row's rates have a Monte",
        f"Carlo standard error of {100 * error:.1f} points where the truth is 5 %: one rate in twenty is {200 * error:.1f}",
        "points off by chance.",
        "**Bold**: the method that decides at that number of sites (see `analysis/primary.py`), where nothing is said of the",
        "arms; a plan that declares uneven arms lets CR2 decide.",
        "",
        "## Claims of an effect where there is none",
        "",
        "In per cent, at a level of 5 %. Above 5: a funder is told of an effect that is not there more often than agreed.",
        "Below: safe, at the price of missing more of the effects that are there.",
    ]
    for condition in CONDITIONS:
        lines += ["", f"**{condition.title[0].upper()}{condition.title[1:]}**: {condition.words}.", ""]
        lines += table([c for c in null if c.condition == condition.title], "rejected")
    lines += ["", "## Intervals that hold the effect, and power", "", f"A true effect of {real[0].effect:g} SD."]
    for condition in REAL:
        cells = [c for c in real if c.condition == condition.title]
        title = condition.title[0].upper() + condition.title[1:]
        lines += ["", f"**{title}**: per cent of 95 % intervals that hold the effect.", "", *table(cells, "covered")]
        lines += [
            "",
            f"**{title}**: per cent of trials in which p is below .05 (power).",
            "",
            *table(cells, "rejected"),
        ]
    lines += [
        "",
        "## What it means",
        "",
        *meaning(null, found, low),
        "",
    ]
    return "\n".join(lines)


def meaning(null: list[Cell], found: list[Cell], low: list[Cell]) -> list[str]:
    """What the tables say, and the rule that follows."""
    lines = [
        f"The method that decides rejects above {100 * MOST:g} % in {len(found) or 'none'} of the {len(null)} rows."
    ]
    if found:
        lines[0] = lines[0].removesuffix(".") + ":"
        lines += ["", *(line(c) for c in found)]
        unequal = [c for c in null if c.arms[0] != c.arms[1]]
        worst = {name: max(c.methods[name].rejected for c in unequal) for name in ("site_cr2", "cr2", "studentised")}
        most = {name: percent(rate) for name, rate in worst.items()}
        limit = ", which is 6.5 % within chance" if worst["site_cr2"] > MOST else ""
        if all(c in unequal for c in found):
            lines += [
                "",
                "**A rule for the plan.** In all of these rows the arms are unequal and the smaller one varies more. No method",
                "that pools the arms' variances can know, the plain randomisation test no better than the others. So: allocate",
                "equal arms wherever possible; then every method that decides holds its level. Where arms must be unequal, let",
                "the plan name the two-stage comparison of site means with CR2 in place of the pooled variance, which rejects",
                f"at most {most['site_cr2']} % in every row with unequal arms{limit}",
                f"(CR2 of people: {most['cr2']} %, studentised randomisation: {most['studentised']} %). With two or three sites",
                "in an arm it will rarely find anything: that is the truth about such a trial.",
                "",
                "**What the software does.** The ladder of a plan, and `evalapp compare --planned-arms`, let CR2 of people",
                "decide where the planned arms are 3 to 2 or more uneven. A number of sites alone, without the arms, leaves the",
                "ladder as it is: the output then warns that the arms are uneven and points to CR2.",
            ]
    if low:
        shown = ", ".join(f"{c.condition} at {c.sites} ({percent(c.methods[c.primary].rejected)} %)" for c in low)
        lines += [
            "",
            f"It rejects below 3.5 %, which is safe, in: {shown}.",
            "Where sites hardly differ, Kenward–Roger cannot tell that they do not. The power tables show that it nonetheless",
            "finds more than the cluster summary does from 12 sites on, and less below: which is where the plan changes over.",
        ]
    return lines


def line(c: Cell) -> str:
    rate = c.methods[c.primary]
    beside = [
        f"{METHODS[name]} {percent(c.methods[name].rejected)} %" for name in ("site_cr2", "cr2") if name in c.methods
    ]
    return (
        f"- {c.condition}, {c.sites} sites ({c.arms[0]} + {c.arms[1]}): {METHODS[c.primary]} {percent(rate.rejected)} % "
        f"(± {percent(rate.error)}); {'; '.join(beside)}"
    )


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--trials", type=int, default=2000)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--table", action="store_true")
    asked = options.parse_args()
    if asked.table:
        known = json.loads(NUMBERS.read_text())
        null, real = ([read(c) for c in known[part]] for part in ("null", "real"))
        trials, seconds = known["trials"], known["seconds"]
    else:
        trials, start = asked.trials, time.monotonic()
        null, real = [], []
        for place, condition in enumerate(CONDITIONS):
            for sites in SITES:
                null.append(cell(condition, sites, 0.0, trials, asked.jobs, 1000 * place + sites))
                print(condition.title, sites, {k: percent(v.rejected) for k, v in null[-1].methods.items()}, flush=True)
        for place, condition in enumerate(REAL):
            for sites in SITES:
                real.append(cell(condition, sites, 0.5, trials, asked.jobs, 90_000 + 1000 * place + sites))
        seconds = time.monotonic() - start
        numbers = {
            "trials": trials,
            "seconds": seconds,
            "null": [asdict(c) for c in null],
            "real": [asdict(c) for c in real],
        }
        NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    REPORT.write_text(report(null, real, trials, seconds), encoding="utf-8")
    for c in breaches(null):
        print(f"Above {100 * MOST:g} %: {c.condition}, {c.sites} sites, {METHODS[c.primary]}")
    return 0


def read(values: dict) -> Cell:  # type: ignore[type-arg]
    return Cell(
        **{
            **values,
            "arms": tuple(values["arms"]),
            "methods": {k: Simulated(**v) for k, v in values["methods"].items()},
        }
    )


if __name__ == "__main__":
    sys.exit(main())
