"""Speed of the statistics beside the tools in use today, in one run: writes docs/benchmarks.md."""

import platform
import sys
from pathlib import Path

import design
import lmm
import numpy as np
import robust

REPORT = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


def main() -> int:
    lines = [*lmm.lines(), *robust.lines(), *design.lines()]
    header = ("task", "ms", "R, ms", "ratio", "goal")
    rows = ["| " + " | ".join(cells) + " |" for cells in (header, ("---",) * 5, *(line.cells() for line in lines))]
    missed = [line.task for line in lines if not line.met]
    report = "\n".join(
        [
            "# How fast the statistics are",
            "",
            "Written by `make bench`: one run, the fastest of the repeats, ours from arrays to p on one thread (the power",
            "simulation says how many processes). R is lmer + vcovAdj + Lb_ddf (lme4, pbkrtest), lm + vcovCR + coef_test or",
            "Wald_test (clubSandwich) and geeglm (geepack, which has no small-sample variance) on the same data; the answers",
            "are checked to agree. Of R's power simulation 60 trials are timed.",
            "",
            *rows,
            "",
            *([f"Slower than the goal in this run: {'; '.join(missed)}.", ""] if missed else []),
            f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}.",
            "",
        ]
    )
    print(report)
    REPORT.write_text(report, encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
