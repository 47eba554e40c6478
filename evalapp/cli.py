"""The `evalapp` command: every command in one group, each importing what it needs only when it runs."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import click

from evalapp import __version__
from evalapp.operate import COMMANDS
from evalapp.paper.command import paper_command
from evalapp.planning import plan
from evalapp.questionnaires import instruments_group


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version=__version__, message="%(prog)s %(version)s")
def main() -> None:
    """Questionnaires, honest small-cluster comparison and plain dashboards for trials of case reviews."""


class _OneLine(click.ClickException):
    """A refusal of one line, exit code 2."""

    exit_code = 2

    def __init__(self, command: str, message: str) -> None:
        super().__init__(" ".join(message.split()))
        self.command = command

    def show(self, file: Any = None) -> None:
        click.echo(f"evalapp {self.command}: {self.message}", err=True, file=file)


class OneLineCommand(click.Command):
    """A command whose wrong options, like its bad data, are answered in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise _OneLine(str(self.name), f"{error.format_message()} See evalapp {self.name} --help.") from None


def refuse(command: str, error: Exception) -> NoReturn:
    """End a command with one line on standard error and exit code 2."""
    raise _OneLine(command, str(error)) from None


def _listed(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (value or "").split(",") if part.strip())


def _two_whole(_: click.Context, __: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    parts = value.split(",")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f'"{value}" is not two whole numbers with a comma between them, such as 6,14.')
    return int(parts[0]), int(parts[1])


@main.command(cls=OneLineCommand)
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA.csv")
@click.option("--outcome", required=True, metavar="COL", help="Outcome, a number.")
@click.option("--arm", required=True, metavar="COL", help="Which of two arms.")
@click.option("--site", required=True, metavar="COL", help="Site: the unit that was allocated.")
@click.option("--review", metavar="COL", help="Review within its site.")
@click.option("--participant", metavar="COL", help="Label that tells people of a site apart.")
@click.option("--baseline", metavar="COL", help="Outcome before allocation, to adjust for.")
@click.option("--wave", metavar="COL", help="Wave of each row of long data: first adjusts, last is compared.")
@click.option("--wave-order", callback=_listed, metavar="A,B,…", help="Waves from first to last, if text.")
@click.option(
    "--treatment",
    metavar="LABEL",
    help="Label of the treated arm. Otherwise the larger of two numbers, else the label that is not a word for "
    "control (no, false, control, usual care …), else a word for treatment (yes, true, intervention …), else, "
    "with a warning, the last in alphabetical order.",
)
@click.option("--covariate", "covariates", multiple=True, metavar="COL", help="Adjust for it too; repeatable.")
@click.option("--strata", metavar="COL", help="Strata in which sites were randomised.")
@click.option("--pairs", metavar="COL", help="Matched pairs in which sites were randomised.")
@click.option(
    "--design",
    type=click.Choice(["randomised", "nonrandomised"]),
    help="How sites came to their arm; unsaid, analysed as randomised, with a warning.",
)
@click.option(
    "--allocation",
    type=click.Choice(["complete", "stratified", "pairs", "constrained", "minimised"]),
    help="How sites were drawn, which is the reference set of the randomisation test. Unsaid: by strata or pairs where "
    "named, else complete, with a warning.",
)
@click.option(
    "--balance", multiple=True, metavar="COL",
    help="Column of the site that a constrained (number) or minimised (label) allocation balanced; repeatable.",
)  # fmt: skip
@click.option("--best", type=float, default=0.1, show_default=True, help="Constrained: share that was acceptable.")
@click.option("--order", metavar="COL", help="Minimised: each site's place in the order of entry.")
@click.option("--coin", type=float, default=0.8, show_default=True, help="Minimised: chance of the balancing arm.")
@click.option("--planned-sites", type=int, metavar="N", help="Sites planned: they choose the primary method.")
@click.option(
    "--planned-arms", callback=_two_whole, metavar="T,C",
    help="The same by arm, treatment then control: where they are uneven, CR2 decides.",
)  # fmt: skip
@click.option(
    "--primary",
    type=click.Choice(["lmm", "clda"]),
    default="lmm",
    show_default=True,
    help="Which mixed model the plan names, where one decides: the baseline-adjusted or, of long data, the longitudinal.",
)
@click.option("--review-wave", is_flag=True, help="In the longitudinal model, let reviews vary from wave to wave too.")
@click.option("--methods", default="all", metavar="all|NAME,…", show_default=True, help="Methods to show.")
@click.option("--worthwhile", type=float, metavar="N", help="Smallest worthwhile difference, in points of the outcome.")
@click.option("--higher-is-better/--lower-is-better", default=True, show_default=True, help="What a benefit is.")
@click.option(
    "--moderator", "moderators", multiple=True, metavar="COL",
    help="Whether the difference depends on it: groups such as role, the baseline, another number; repeatable.",
)  # fmt: skip
@click.option("--mediator", metavar="COL", help="Number through which the difference may go: exploratory.")
@click.option(
    "--mixed-odds", is_flag=True, help="Of ordered answers also the odds ratio within sites and reviews (seconds).",
)  # fmt: skip
@click.option("--consented", metavar="COL", help="Date of each person's consent, to be set beside --allocated.")
@click.option("--allocated", metavar="COL", help="Date on which the person's site was allocated.")
@click.option("--role", metavar="COL", help="Role of each person, by which to count who is missing.")
@click.option(
    "--imputations", type=int, default=0, show_default=True, metavar="N", help="Fill the gaps so many times and pool.",
)  # fmt: skip
@click.option("--auxiliary", multiple=True, metavar="COL", help="Complete column that helps to fill gaps; repeatable.")
@click.option(
    "--site-covariate", "site_covariates", multiple=True, metavar="COL",
    help="Where sites were not randomised: what weights are to balance, at most one for every ten sites; repeatable.",
)  # fmt: skip
@click.option("--level", type=float, default=0.95, show_default=True, help="Level of the intervals.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of anything drawn.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at full precision.")
def compare(data: Path, methods: str, as_json: bool, **options: Any) -> None:
    """Compare two arms of a cluster trial in any CSV, one row a person.

    Chooses the primary method from the planned number of sites and shows the others beside it, then what each site,
    each weight and the missing would change. Rows that lack a value are left out and counted. Bad input ends with exit
    code 2 and one line that says what to do.
    """
    # pandas and SciPy take half a second to import: only here, so that the other commands start at once.
    from analysis.compare import METHODS, Question  # noqa: PLC0415
    from analysis.compare import compare as answer  # noqa: PLC0415
    from analysis.errors import BadData  # noqa: PLC0415
    from analysis.sensitivity import Asked, sensitivity  # noqa: PLC0415
    from analysis.views import views  # noqa: PLC0415
    from evalapp.exchange.table import read_table  # noqa: PLC0415

    chosen = METHODS if methods == "all" else tuple(name.strip() for name in methods.split(",") if name.strip())
    try:
        beside = Asked(**{one.name: options.pop(one.name) for one in fields(Asked)})
        question = Question(methods=chosen, **options)
        table = read_table(data)
        result = answer(table.frame, question, table.sha256)
        seen = views(table.frame, question)
        found = sensitivity(table.frame, question, result, beside)
    except BadData as error:
        refuse("compare", error)
    if as_json:
        everything = {**result.to_dict(), **seen.to_dict(), **found.to_dict()}
        click.echo(json.dumps(everything, ensure_ascii=False, allow_nan=False, indent=2))
        return
    from evalapp.exchange.comparison import in_words  # noqa: PLC0415

    click.echo(in_words(result, seen, found))


@main.command(cls=OneLineCommand)
@click.argument("data", type=click.Path(path_type=Path), metavar="ITEMS.csv")
@click.option("--items", callback=_listed, metavar="A,B,…", help="Columns that are items; unsaid, all but --by.")
@click.option("--reversed", "reverse", callback=_listed, metavar="A,B,…", help="Items keyed the other way.")
@click.option("--min", "lowest", type=float, metavar="N", help="Lowest answer that could be given.")
@click.option("--max", "highest", type=float, metavar="N", help="Highest answer that could be given.")
@click.option("--by", multiple=True, metavar="COL", help="Within each label of it (wave, role); repeatable.")
@click.option("--level", type=float, default=0.95, show_default=True, help="Level of the interval.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at full precision.")
def reliability(
    data: Path,
    items: tuple[str, ...],
    reverse: tuple[str, ...],
    lowest: float | None,
    highest: float | None,
    by: tuple[str, ...],
    level: float,
    as_json: bool,
) -> None:
    """Say how well the items of one scale go together, from a CSV of one row a person and one column an item.

    Alpha with Feldt's interval, omega total, and each item against the rest. Floor, ceiling and missing are shares
    of people. Bad input ends with exit code 2 and one line that says what to do.
    """
    # As in `compare`: statistics are imported only where they are needed.
    from analysis.errors import BadData  # noqa: PLC0415
    from evalapp.exchange.reliability import as_dict, in_words, of_table  # noqa: PLC0415
    from evalapp.exchange.table import read_table  # noqa: PLC0415

    try:
        answer = of_table(read_table(data), items, reverse, by, lowest, highest, level, __version__)
    except BadData as error:
        refuse("reliability", error)
    if as_json:
        click.echo(json.dumps(as_dict(answer), ensure_ascii=False, allow_nan=False, indent=2))
    else:
        click.echo(in_words(answer))


@main.command(cls=OneLineCommand)
@click.option("--sites", type=int, required=True, metavar="N", help="Sites in all, both arms together.")
@click.option("--reviews", type=float, required=True, metavar="N", help="Reviews a site.")
@click.option("--people", type=float, required=True, metavar="N", help="People recruited a review, before attrition.")
@click.option("--icc-site", type=float, required=True, metavar="ICC", help="Site variance over total.")
@click.option("--icc-review", type=float, required=True, metavar="ICC", help="(Site + review variance) over total.")
@click.option("--treated", type=int, metavar="N", help="Sites in the treatment arm; half of them unless given.")
@click.option("--cv", type=float, default=0.0, metavar="CV", help="Coefficient of variation of people per site.")
@click.option("--baseline-r", type=float, default=0.0, metavar="R", help="Correlation with the baseline, every level.")
@click.option("--baseline-r-review", type=float, metavar="R", help="The same of reviews, where it differs.")
@click.option("--baseline-r-site", type=float, metavar="R", help="The same of sites: the cluster autocorrelation.")
@click.option(
    "--analysis",
    type=click.Choice(["after", "adjusted", "change"]),
    default="adjusted",
    show_default=True,
    help="What is compared: the wave after, the same adjusted for the baseline, or the change from it.",
)
@click.option("--waves", type=int, default=1, metavar="N", help="Waves after, whose mean is compared.")
@click.option("--attrition", type=float, default=0.0, metavar="SHARE", help="Share of people lost.")
@click.option("--site-attrition", type=float, default=0.0, metavar="SHARE", help="Share of sites lost.")
@click.option("--site-covariates", type=int, default=0, metavar="N", help="Columns that describe sites, strata too.")
@click.option("--delta", type=float, metavar="SD", help="Difference to detect, in SD: gives the power.")
@click.option("--risks", callback=_listed, metavar="P1,P0", help="Instead of delta: shares answering yes, in each arm.")
@click.option(
    "--risk", type=float, metavar="P0", help="Share answering yes in the control arm: gives the smallest above."
)
@click.option(
    "--answers", callback=_listed, metavar="Q1,Q2,…",
    help="Ordered answers: the control arm's share of each, from lowest to highest; gives the smallest odds ratio.",
)  # fmt: skip
@click.option("--odds-ratio", type=float, metavar="OR", help="Instead of delta, of ordered answers: gives the power.")
@click.option("--table", callback=_listed, metavar="N,N,…", help="The same for other numbers of sites.")
@click.option(
    "--power", "target", type=float, metavar="SHARE", help="Power of the smallest detectable difference; 0.8."
)
@click.option("--alpha", type=float, default=0.05, show_default=True, help="Two-sided level of the test.")
@click.option("--simulate", type=int, metavar="TRIALS", help="Simulate trials, analysed as the real one will be.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the simulation.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at full precision.")
def power(as_json: bool, **options: Any) -> None:
    """Plan a cluster trial: power, smallest detectable difference, degrees of freedom, sites required.

    Differences are in SD of the outcome. Bad input ends with exit code 2 and one line that says what to do.
    """
    # SciPy takes a third of a second to import: only here, so that the other commands start at once.
    from analysis.errors import BadData  # noqa: PLC0415
    from evalapp.exchange.planning import in_words, planned  # noqa: PLC0415

    try:
        result = planned(**options)
    except BadData as error:
        refuse("power", error)
    click.echo(json.dumps(result.to_dict(), allow_nan=False, indent=2) if as_json else in_words(result))


instruments_group.add_command(paper_command)
for command in (*COMMANDS, instruments_group, plan):
    main.add_command(command)


if __name__ == "__main__":
    main()
