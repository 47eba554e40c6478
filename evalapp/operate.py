"""The commands that set up and run a copy: secrets, init, serve, demo, assets, trials and checks."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:  # the app's parts take a second to import: each command imports what it needs when it runs
    from sqlalchemy.orm import Session

    from evalapp.config import Settings
    from evalapp.models import Trial

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, dir_okay=False)
DEMO_FOLDER = Path("instance/demo")
SETTINGS_FILE = "settings.env"


def stop(command: str, message: object) -> NoReturn:
    """End with one line on standard error and exit code 2."""
    click.echo(f"evalapp {command}: {' '.join(str(message).split())}", err=True)
    sys.exit(2)


def _settings(command: str, folder: Path | None = None) -> "Settings":
    """The settings of the environment, or of a demonstration's folder; ends the command when something is missing."""
    from evalapp.config import NotConfigured, from_environment

    try:
        if folder is not None:
            return from_environment({"EVALAPP_SECRETS": str(folder / SETTINGS_FILE)})
        return from_environment()
    except NotConfigured as error:
        stop(command, error)


@contextmanager
def _writing(command: str, settings: "Settings") -> Iterator["Session"]:
    """A session on an up-to-date database; ends the command in one line when there is none."""
    from sqlalchemy.exc import SQLAlchemyError

    from evalapp import db, schema

    engine = db.make_engine(settings.database_url)
    try:
        reason = schema.behind(engine)
        if reason:
            stop(command, reason)
        with db.writing(engine) as session:
            yield session
    except SQLAlchemyError as error:
        stop(command, f"the database did not do it: {getattr(error, 'orig', error)}")
    finally:
        engine.dispose()


def _trial(command: str, session: "Session", slug: str) -> "Trial":
    from sqlalchemy import select

    from evalapp.models import Trial

    found = session.scalar(select(Trial).where(Trial.slug == slug))
    if found is None:
        stop(command, f"there is no trial {slug!r}; `evalapp add-trial` makes one")
    return found


@click.command()
@click.option("--out", type=FILE, required=True, help="The file to write; it must not be there yet.")
def secrets(out: Path) -> None:
    """Write fresh secrets to a file only you can read."""
    from evalapp.config import new_secrets, write_secrets

    try:
        write_secrets(out, new_secrets())
    except FileExistsError:
        stop("secrets", f"{out} is there already and was left alone; losing its keys would lose what they sealed")
    click.echo(f"Secrets written to {out}. Keep a copy in a safe place: without them written words cannot be read.")


@click.command()
@click.option("--admin", metavar="EMAIL", help="Invite the first admin.")
def init(admin: str | None) -> None:
    """Make or upgrade the database and the static files, and invite the first admin."""
    from sqlalchemy.exc import SQLAlchemyError

    from evalapp import accounts, assets, db, schema
    from evalapp.vault import Vault

    settings = _settings("init")
    engine = db.make_engine(settings.database_url)
    try:
        Vault(settings.root_key)
        assets.build(settings.assets)
        schema.upgrade(engine)
        if settings.contacts_url:
            store = db.make_engine(settings.contacts_url)
            schema.upgrade(store, store=schema.CONTACTS)
            store.dispose()
        reason = db.undurable(engine)
        if reason:
            stop("init", reason)
        click.echo("The database is ready.")
        if admin:
            with db.writing(engine) as session:
                code = accounts.invite(session, admin, "admin", actor="system", now=datetime.now(UTC))
                session.commit()
            click.echo(f"Invitation for {admin}, for seven days. At /staff/accept, enter:\n  {code}")
    except (SQLAlchemyError, ValueError, accounts.NotAccepted) as error:
        stop("init", getattr(error, "orig", error))
    finally:
        engine.dispose()


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def serve(host: str, port: int) -> None:
    """Serve the app. Behind a proxy that ends TLS; settings come from the environment."""
    _serve("serve", _settings("serve"), host, port)


@click.command()
@click.option("--dir", "folder", type=FOLDER, default=Path("instance/assets"), show_default=True)
def assets(folder: Path) -> None:
    """Copy and compress the static files, plotly.js among them."""
    from evalapp import assets as files

    files.build(folder, quality=11)
    click.echo(f"Static files are in {folder}.")


@click.command()
@click.option("--dir", "folder", type=FOLDER, default=DEMO_FOLDER, show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--no-serve", is_flag=True, help="Build it and stop.")
@click.option("--fresh", is_flag=True, help="Throw the demonstration's data away and start anew.")
def demo(folder: Path, port: int, no_serve: bool, fresh: bool) -> None:
    """Build the demonstration trial (once) and serve it on this machine."""
    import json

    if fresh:
        _remove_demo(folder)
    base_url = f"http://127.0.0.1:{port}"
    written = _demo(folder, base_url)
    if written["base_url"] != base_url:
        text = (folder / "demo.json").read_text().replace(written["base_url"], base_url)
        (folder / "demo.json").write_text(text)
        written = json.loads(text)
    click.echo(f"\nThe demonstration is at {base_url}\n\nStaff sign in at {base_url}/staff/sign-in")
    for person in written["staff"]:
        click.echo(f"  {person['role']:<12} {person['email']:<26} {person['password']}")
    click.echo("\nSome codes to answer with (all are in demo.json):")
    for one in written["participants"][:6]:
        click.echo(f"  {one['code']}  {one['role']}, {one['wave']}, {one['state']}")
    click.echo(f"\nAll of this is in {folder / 'demo.json'}. To start anew: make demo FRESH=1")
    if not no_serve:
        _serve("demo", _settings("demo", folder), "127.0.0.1", port)


def _demo(folder: Path, base_url: str) -> dict[str, Any]:
    """What `demo.json` says, building the demonstration first where it is not whole."""
    import json

    from evalapp import assets as files
    from evalapp import config
    from evalapp.vault import Vault

    if not (folder / "demo.json").exists():
        _remove_demo(folder)  # an interrupted build leaves no demo.json
        click.echo("Building the demonstration trial (about ten seconds) …")
        folder.mkdir(parents=True, exist_ok=True)
        kept = config.new_secrets() | {
            "EVALAPP_DATABASE_URL": f"sqlite:///{(folder / 'demo.db').resolve()}",
            "EVALAPP_ASSETS": str((folder / "assets").resolve()),
            "EVALAPP_HTTPS": "0",
            "EVALAPP_LANGUAGES": "cy,pl,ar",
        }
        config.write_secrets(folder / SETTINGS_FILE, kept)
        settings = _settings("demo", folder)
        files.build(settings.assets, quality=5)
        from evalapp import demo as trial

        trial.make(folder, settings.database_url, Vault(settings.root_key), base_url=base_url, now=datetime.now(UTC))
    else:
        settings = _settings("demo", folder)
        files.build(settings.assets, quality=5)
        _upgrade(settings)
    written: dict[str, Any] = json.loads((folder / "demo.json").read_text())
    return written


def _upgrade(settings: "Settings") -> None:
    from evalapp import db, schema

    engine = db.make_engine(settings.database_url)
    schema.upgrade(engine)
    engine.dispose()


def _remove_demo(folder: Path) -> None:
    """Remove what a demonstration made, and nothing else that may be in its folder."""
    for name in ("demo.json", "demo.db", "demo.db-journal", "demo.db-wal", "demo.db-shm", SETTINGS_FILE):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / "assets", ignore_errors=True)


def _serve(command: str, settings: "Settings", host: str, port: int) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from evalapp import check_database, create_app
    from evalapp.config import NotConfigured
    from evalapp.serve import serve as run

    try:
        check_database(settings)
        app = create_app(settings)
    except (NotConfigured, ValueError) as error:
        stop(command, error)
    except SQLAlchemyError as error:
        stop(command, f"the database does not answer: {getattr(error, 'orig', error)}")
    click.echo(f"Serving on http://{host}:{port} (stop with Ctrl-C)")
    try:
        run(app, host, port, behind_proxies=settings.proxies > 0)
    except OSError as error:
        stop(command, f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port.")


@click.command("add-trial")
@click.argument("slug")
@click.argument("title")
@click.option("--design", type=click.Choice(["randomised", "nonrandomised"]), default="randomised", show_default=True)
@click.option("--planned-sites", type=click.IntRange(2), required=True, help="Sites the plan expects with follow-up.")
def add_trial(slug: str, title: str, design: str, planned_sites: int) -> None:
    """Start a trial with the usual arms, waves and plan. Nothing is shown by arm until `open-results`."""
    from sqlalchemy.exc import IntegrityError

    from evalapp import audit, roster

    with _writing("add-trial", _settings("add-trial")) as session:
        plan = roster.usual_plan(design=design, planned_sites=planned_sites)
        try:
            trial = roster.add_trial(session, slug, title, design=design, planned_sites=planned_sites, plan=plan)
        except IntegrityError:
            stop("add-trial", f"there is a trial {slug!r} already; choose another name")
        audit.record(session, "system", "trial added", f"trial {trial.id}", design=design, planned_sites=planned_sites)
        session.commit()
    click.echo(f"Trial {slug!r} is ready. Sign in at /staff/sign-in and add sites, reviews and people.")


@click.command("open-results")
@click.argument("slug")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The first day (UTC) results show by arm.")
def open_results(slug: str, at: datetime) -> None:
    """Say from when results may be seen by arm; recorded, and never moved earlier in silence."""
    from evalapp import audit

    with _writing("open-results", _settings("open-results")) as session:
        trial = _trial("open-results", session, slug)
        was = trial.results_open_at.date().isoformat() if trial.results_open_at else None
        trial.results_open_at = at.replace(tzinfo=UTC)
        day = at.date().isoformat()
        audit.record(session, "system", "results date set", f"trial {trial.id}", was=was, day=day)
        session.commit()
    click.echo(f"Results of {slug!r} show by arm from {at.date()}.")


@click.command("import-trial")
@click.argument("file", type=FILE)
@click.option("--map", "pairs", multiple=True, required=True, metavar="MEANING=COL,…",
              help="Which column is the site, arm, outcome (and review, participant, baseline, stratum).")  # fmt: skip
@click.option("--treatment", required=True, metavar="LABEL", help="The arm the contrast is for.")
@click.option("--slug", help="The trial's name in addresses; the file's name when left out.")
@click.option("--title", help="What pages call the trial.")
@click.option("--label", help="What pages call the outcome; its column's name when left out.")
@click.option("--design", type=click.Choice(["randomised", "nonrandomised"]), default="randomised", show_default=True)
@click.option("--planned-sites", type=click.IntRange(2), help="Sites the plan expected; it chooses the primary method.")
@click.option("--range", "ends", type=(float, float), default=(None, None), help="Lowest and highest possible score.")
@click.option("--lower-is-better", is_flag=True)
@click.option("--worthwhile", type=float, help="The smallest difference that matters, in the outcome's own points.")
@click.option("--dir", "folder", type=FOLDER, help="A demonstration's folder, in place of the environment's settings.")
def import_trial(
    file: Path, pairs: tuple[str, ...], treatment: str, slug: str | None, title: str | None, label: str | None,
    design: str, planned_sites: int | None, ends: tuple[float | None, float | None], lower_is_better: bool,
    worthwhile: float | None, folder: Path | None,
) -> None:  # fmt: skip
    """Bring a cluster trial in from a CSV with one row a person; the evaluator's page then shows its comparison."""
    from analysis.errors import BadData
    from evalapp.exchange import trial_file
    from evalapp.exchange.table import read_table
    from evalapp.vault import Vault

    settings = _settings("import-trial", folder)
    try:
        columns = trial_file.read_map(pairs)
        said = trial_file.Described(
            slug=slug or "-".join("".join(c if c.isalnum() else " " for c in file.stem.lower()).split())[:40],
            title=title or file.stem, label=label or columns["outcome"], treatment=treatment, design=design,
            planned_sites=planned_sites, minimum=ends[0], maximum=ends[1], higher_is_better=not lower_is_better,
            smallest_worthwhile=worthwhile,
        )  # fmt: skip
        table = read_table(file).frame
        with _writing("import-trial", settings) as session:
            brought = trial_file.bring_in(
                session, table, columns, said, vault=Vault(settings.root_key), now=datetime.now(UTC)
            )
            session.commit()
    except BadData as error:
        stop("import-trial", error)
    for reason, count in brought.left_out.items():
        click.echo(f"{count} rows have {reason}: those people are expected, with no answer at that wave.")
    click.echo(
        f"{brought.people} people in {brought.reviews} reviews at {brought.sites} sites, {brought.answers} answers. "
        f"See /dashboard/{said.slug}/outcomes/outcome"
    )


@click.command()
@click.argument("code")
def receipt(code: str) -> None:
    """Say whether the questionnaire, or the change of mind, a receipt belongs to is stored."""
    from evalapp import responses, withdrawals

    with _writing("receipt", _settings("receipt")) as session:
        found = responses.by_receipt(session, code)
        withdrawn = withdrawals.by_receipt(session, code)
    if withdrawn is not None:
        click.echo(f"Done: {withdrawn.choice.replace('_', ' ')}, on {withdrawn.withdrawn_on}.")
        return
    if found is None:
        stop("receipt", f"no questionnaire has the receipt {code}; check the letters with the person")
    click.echo(f"Stored: {found[0].replace('_', ' ')}, received {found[1]}.")


@click.command()
@click.option("--dir", "folder", type=FOLDER, help="A demonstration's folder, in place of the environment's settings.")
def verify(folder: Path | None) -> None:
    """Check the record's chain, and that every stored score is the one its answers give."""
    from evalapp import audit, responses
    from evalapp.vault import Vault

    settings = _settings("verify", folder)
    with _writing("verify", settings) as session:
        broken = audit.first_break(session)
        if broken is not None:
            stop("verify", f"the record was changed at row {broken}")
        differing = responses.rebuild_scores(session, vault=Vault(settings.root_key))
        session.commit()
        click.echo(
            f"The record of {audit.length(session)} rows is whole; {differing} scores differed and were put right."
        )


@click.command()
@click.option("--once", is_flag=True, help="Send what is due now and stop, for a timer to run.")
def work(once: bool) -> None:
    """Send invitations and reminders as they fall due, until Ctrl-C. One worker runs beside the server."""
    import signal
    import threading

    from sqlalchemy.exc import SQLAlchemyError

    from evalapp.config import NotConfigured
    from evalapp.jobs import work as run

    asked_to_stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: asked_to_stop.set())
    try:
        settled = run(_settings("work"), once=once, asked_to_stop=asked_to_stop)
    except (NotConfigured, ValueError) as error:
        stop("work", error)
    except SQLAlchemyError as error:
        stop("work", f"the database does not answer: {getattr(error, 'orig', error)}")
    click.echo(f"{settled} messages were looked after.")


@click.command()
def bounce() -> None:
    """Read a returned message from standard input, and send nothing more to its address.

    For the mail server to pipe returned messages into.
    """
    from evalapp import db, jobs

    settings = _settings("bounce")
    if settings.contacts_url is None:
        stop("bounce", "no contact details are kept here; set EVALAPP_CONTACTS_URL")
    with _writing("bounce", settings) as session:
        store_engine = db.make_engine(settings.contacts_url)
        with db.writing(store_engine) as store:
            known = jobs.returned(session, store, sys.stdin.buffer.read(1_000_000), settings)
            store.commit()
            session.commit()
        store_engine.dispose()
    click.echo("Noted: nothing more is sent there." if known else "This is not a returned message of ours.")


@click.command()
@click.argument("person")
@click.argument("choice", type=click.Choice(["no-contact", "keep", "delete"]))
def withdraw(person: str, choice: str) -> None:
    """Do what a person who lost their code asked for: PERSON is their number, as a coordinator's list has it."""
    from evalapp import access, withdrawals
    from evalapp.models import Person
    from evalapp.vault import Vault

    settings, now = _settings("withdraw"), datetime.now(UTC)
    vault = Vault(settings.root_key)
    with _writing("withdraw", settings) as session:
        number = "".join(person.split()).lower()
        if session.get(Person, number) is None:
            stop("withdraw", "nobody has this number; it stands beside each person in their review")
        try:
            made = withdrawals.withdraw(
                session, number, choice.replace("-", "_"), vault=vault, now=now,
                today=now.astimezone(access.LONDON).date(),
            )  # fmt: skip
        except withdrawals.Locked:
            stop("withdraw", "the answers are locked: what this person gave can no longer be taken out; choose keep")
        if settings.withdrawals is not None:
            withdrawals.keep_outside(settings.withdrawals, withdrawals.mark_of(made, vault))
        receipt = made.receipt
        session.commit()
    _forget_contact(settings, [number])
    _scrub("withdraw", settings)
    click.echo(f"Done. The receipt is {receipt}.")


@click.command("withdrawals")
@click.option("--out", type=FILE, required=True, help="The file to write; one that is there is written anew.")
@click.option("--dir", "folder", type=FOLDER, help="A demonstration's folder, in place of the environment's settings.")
def list_withdrawals(out: Path, folder: Path | None) -> None:
    """Write every withdrawal as a keyed mark that names nobody: keep it beside the backups, for `replay-erasures`."""
    from evalapp import withdrawals
    from evalapp.vault import Vault

    settings = _settings("withdrawals", folder)
    with _writing("withdrawals", settings) as session:
        found = withdrawals.marks(session, Vault(settings.root_key))
    out.touch(mode=0o600, exist_ok=True)
    out.write_text("".join(f"{one}\n" for one in found))
    click.echo(f"{out} holds {len(found)} withdrawals.")


@click.command("replay-erasures")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--dir", "folder", type=FOLDER, help="A demonstration's folder, in place of the environment's settings.")
def replay_erasures(file: Path, folder: Path | None) -> None:
    """After restoring a backup: delete again what people had deleted since it was made. May be repeated."""
    from sqlalchemy import select

    from evalapp import withdrawals
    from evalapp.models import Withdrawal
    from evalapp.vault import Vault

    settings = _settings("replay-erasures", folder)
    try:
        found = withdrawals.read_marks(file.read_text())
    except ValueError as error:
        stop("replay-erasures", error)
    with _writing("replay-erasures", settings) as session:
        done, unknown = withdrawals.replay(session, found, vault=Vault(settings.root_key), now=datetime.now(UTC))
        session.commit()
        gone = list(session.scalars(select(Withdrawal.person_id)))
    _forget_contact(settings, gone)
    _scrub("replay-erasures", settings)
    click.echo(f"{done} withdrawals are done again; {unknown} marks fit nobody in this database.")


def _forget_contact(settings: "Settings", people: list[str]) -> None:
    """Remove how people who withdrew are reached, where this copy keeps that."""
    from evalapp import contacts, db
    from evalapp.vault import Vault

    if settings.contacts_url is None:
        return
    engine = db.make_engine(settings.contacts_url)
    with db.writing(engine) as store:
        for person_id in people:
            contacts.forget(store, person_id, vault=Vault(settings.root_key))
        store.commit()
    db.scrub(engine, tables=db.CONTACTS)
    engine.dispose()


def _scrub(command: str, settings: "Settings") -> None:
    """Leave nothing of what was deleted in the file; ends the command when others were using it."""
    from evalapp import db

    engine = db.make_engine(settings.database_url)
    try:
        if not db.scrub(engine):
            stop(command, "the rows are deleted, but others were using the file: run `evalapp scrub` in a quiet moment")
    finally:
        engine.dispose()


@click.command()
@click.option("--dir", "folder", type=FOLDER, help="A demonstration's folder, in place of the environment's settings.")
def scrub(folder: Path | None) -> None:
    """Build an SQLite file anew, so that nothing of deleted rows is left in it; on PostgreSQL, vacuum."""
    _scrub("scrub", _settings("scrub", folder))
    click.echo("Nothing of deleted rows is left in the database's file.")


COMMANDS = (
    withdraw,
    list_withdrawals,
    replay_erasures,
    scrub,
    secrets,
    init,
    serve,
    assets,
    demo,
    add_trial,
    open_results,
    import_trial,
    receipt,
    verify,
    work,
    bounce,
)
