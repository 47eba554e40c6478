"""`evalapp plan`: a statistical analysis plan written, checked, locked and run."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def plan() -> None:
    """Write an analysis plan before the data are seen, lock it, and run it."""


def _stop(message: object) -> NoReturn:
    """End with one line on standard error and exit code 2."""
    click.echo(f"evalapp plan: {' '.join(str(message).split())}", err=True)
    raise SystemExit(2)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8 text'}")


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock.json")


@plan.command()
@click.argument("path", type=FILE, metavar="PLAN.toml")
def new(path: Path) -> None:
    """Write the default plan to a new file, ready to edit."""
    from importlib.resources import files  # noqa: PLC0415  (each command imports what it needs when it runs)

    try:
        with path.open("x", encoding="utf-8") as written:
            written.write(files("analysis.report").joinpath("default.toml").read_text(encoding="utf-8"))
    except OSError as error:
        _stop(f"{path} was not written: {error.strerror}")
    click.echo(f"Edit {path}, then: evalapp plan check {path}")


@plan.command()
@click.argument("path", type=FILE, metavar="PLAN.toml")
def check(path: Path) -> None:
    """Say what a plan would decide by, and what stands in its way. Exit code 1 where it cannot be locked."""
    from analysis.errors import BadData  # noqa: PLC0415  (as above)
    from analysis.report.document import attainable_p, concerns, fatal, plan_from_toml  # noqa: PLC0415

    try:
        read = plan_from_toml(_read(path))
    except BadData as error:
        _stop(error)
    treated, control = read.planned_sites
    click.echo(f"{read.title}: {treated} and {control} sites planned, {read.design}")
    for outcome in read.outcomes:
        click.echo(f"  {outcome.label} ({outcome.family}): {read.method_of(outcome) or 'described only'}")
    click.echo(f"  smallest p a randomisation test could give: {attainable_p(read):.3g}")
    for one in concerns(read):
        click.echo(f"  – {one}")
    if fatal(read):
        raise SystemExit(1)
    click.echo(f"The plan is sound. Its hash: {read.sha256}")


@plan.command("lock")
@click.argument("path", type=FILE, metavar="PLAN.toml")
def lock_it(path: Path) -> None:
    """Fix a plan: write PLAN.lock.json with its content, its hash and the time. A lock is never overwritten."""
    from analysis.errors import BadData  # noqa: PLC0415  (as above)
    from analysis.report.document import plan_from_toml  # noqa: PLC0415
    from analysis.report.run import lock  # noqa: PLC0415

    target = _lock_of(path)
    try:
        locked = lock(plan_from_toml(_read(path)), datetime.now(UTC).isoformat(timespec="seconds"))
        with target.open("x", encoding="utf-8") as written:
            json.dump(locked.to_dict(), written, ensure_ascii=False, indent=1)
    except BadData as error:
        _stop(error)
    except FileExistsError:
        _stop(f"{target} is there already: a plan is locked once")
    except OSError as error:
        _stop(f"{target} was not written: {error.strerror}")
    click.echo(f"Locked in {target}. Publish this hash before the data are seen: {locked.sha256}")


@plan.command()
@click.argument("path", type=FILE, metavar="PLAN.toml")
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA.csv")
@click.option("--also", multiple=True, metavar="OUTCOME:METHOD", help="Ask for more; tagged exploratory. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON at full precision.")
def run(path: Path, data: Path, also: tuple[str, ...], as_json: bool) -> None:
    """Run a plan on a table. PLAN.lock.json beside the plan tells what was pre-specified; without it, nothing was."""
    from analysis.errors import BadData  # noqa: PLC0415  (as above)
    from analysis.report.document import plan_from_toml  # noqa: PLC0415
    from analysis.report.run import lock_from_dict, run_plan  # noqa: PLC0415
    from evalapp.exchange.plan_report import in_words  # noqa: PLC0415
    from evalapp.exchange.table import read_table  # noqa: PLC0415

    extra = [(code, method) for code, _, method in (one.partition(":") for one in also)]
    locked = None
    try:
        if _lock_of(path).exists():
            locked = lock_from_dict(json.loads(_read(_lock_of(path))))
        read = plan_from_toml(_read(path))
        table = read_table(data)
        report = run_plan(read, table.frame, lock=locked, extra=extra, data_sha256=table.sha256)
    except (BadData, json.JSONDecodeError) as error:
        _stop(error)
    if as_json:
        click.echo(json.dumps(report.to_dict(), ensure_ascii=False, allow_nan=False, indent=2))
        return
    click.echo(in_words(read, report))
