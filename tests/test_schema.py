"""The migrations make the tables the models describe, on both databases, and the append-only tables refuse a change."""

from collections.abc import Iterator
from datetime import date

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, Table, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from evalapp import audit, db, responses, roster, schema
from evalapp.models import Assignment, Base, InvitationDecision, Membership, Review, Withdrawal
from tests import make
from tests.conftest import NOW


def test_the_migrations_make_exactly_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_database_is_at_this_version(engine: Engine) -> None:
    assert schema.behind(engine) is None


def test_an_empty_database_is_told_what_to_run(tmp_path: object) -> None:
    made = db.make_engine(f"sqlite:///{tmp_path}/empty.db")
    assert "evalapp init" in (schema.behind(made) or "")
    made.dispose()


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'other'", "DELETE FROM audit"])
def test_the_record_refuses_a_change(session: Session, change: str) -> None:
    audit.record(session, "system", "tried", "nothing")
    session.commit()
    with pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(change))


def test_the_database_keeps_what_it_acknowledges(engine: Engine) -> None:
    assert db.undurable(engine) is None


def test_postgresql_refuses_to_empty_the_record(postgresql: str) -> None:
    made = db.make_engine(postgresql)
    with pytest.raises(DBAPIError, match="append-only"), made.begin() as connection:
        connection.execute(text("TRUNCATE audit"))
    made.dispose()


@pytest.fixture
def empty(database_url: str) -> Iterator[Engine]:
    """A database of its own without any table."""
    if database_url.startswith("postgresql"):
        server = db.make_engine(database_url)
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("DROP DATABASE IF EXISTS again"))
            connection.execute(text("CREATE DATABASE again"))
        server.dispose()
        database_url = database_url.replace("/postgres", "/again")
    else:
        database_url = f"{database_url}.empty"
    engine = db.make_engine(database_url)
    yield engine
    engine.dispose()


def test_the_migrations_can_be_taken_back_and_run_again(empty: Engine) -> None:
    schema.upgrade(empty)
    schema.downgrade(empty, "base")
    assert schema.behind(empty) is not None
    schema.upgrade(empty)
    assert schema.behind(empty) is None


BEFORE_PLACES_AT_SITES = (
    "INSERT INTO trial (id, slug, title, kind, design, targets, plan, threshold) "
    "VALUES ('t', 't', 'T', 'live', 'randomised', '{}', '{}', 10)",
    "INSERT INTO site (id, trial_id, name, nation) VALUES ('s', 't', 'Northtown', 'england')",
    "INSERT INTO review (id, site_id, label, outcome, starts_on, ends_on) "
    "VALUES ('r', 's', 'Review 1', 'harm', '2026-03-10', '2026-03-11')",
    "INSERT INTO person (id, trial_id) VALUES ('p', 't')",
    "INSERT INTO membership (id, person_id, review_id, role) VALUES ('m', 'p', 'r', 'practitioner')",
    "INSERT INTO wave (id, trial_id, code, position, anchor, opens_day, closes_day) "
    "VALUES ('w', 't', 'before', 0, 'start', -28, -1)",
    "INSERT INTO assignment (id, membership_id, wave_id, instrument, version, opens_on, closes_on) "
    "VALUES ('a', 'm', 'w', 'practitioner_before', 1, '2026-02-10', '2026-03-09')",
)


def test_what_was_stored_is_still_there_after_a_migration_and_after_it_is_taken_back(empty: Engine) -> None:
    schema.upgrade(empty, "0001")
    with empty.begin() as connection:
        for statement in BEFORE_PLACES_AT_SITES:
            connection.execute(text(statement))
    schema.upgrade(empty)
    with db.writing(empty) as session:
        place = session.scalars(select(Membership)).one()
        assert (place.site_id, place.review_id, place.form) == ("s", "r", "standard")
        assert session.scalars(select(Review)).one().trigger == "not_recorded"
        assert session.scalars(select(Assignment)).one().membership_id == "m"
    schema.downgrade(empty, "0001")
    with empty.connect() as connection:
        assert connection.execute(text("SELECT review_id, role FROM membership")).all() == [("r", "practitioner")]
        assert connection.execute(text("SELECT count(*) FROM assignment")).scalar_one() == 1
    schema.upgrade(empty)
    assert schema.behind(empty) is None


def test_a_migration_is_not_taken_back_over_people_it_has_no_place_for(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.begin() as connection:
        for statement in BEFORE_PLACES_AT_SITES[:2] + BEFORE_PLACES_AT_SITES[3:4]:
            connection.execute(text(statement))
        connection.execute(
            text(
                "INSERT INTO membership (id, person_id, site_id, role, form) VALUES ('m', 'p', 's', 'leader', 'standard')"
            )
        )
    with pytest.raises(RuntimeError, match="1 people answer for a site"):
        schema.downgrade(empty, "0001")
    assert schema.behind(empty) is None


def test_papers_are_not_taken_back_while_they_hold_answers_that_are_nowhere_else(empty: Engine) -> None:
    schema.upgrade(empty, "0001")
    with empty.begin() as connection:
        for statement in BEFORE_PLACES_AT_SITES:
            connection.execute(text(statement))
    schema.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO paper (id, serial, assignment_id, language, consent_version, words_read, state, kept) "
                "VALUES ('q', '00000000', 'a', 'en', 'paper-1', true, 'held', 'sealed')"
            )
        )
    with pytest.raises(RuntimeError, match="not settled"):
        schema.downgrade(empty, "0003")
    with empty.begin() as connection:
        connection.execute(text("UPDATE paper SET kept = NULL, state = 'unused'"))
    schema.downgrade(empty, "0003")
    with empty.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM assignment")).scalar_one() == 1
    schema.upgrade(empty)


DECIDED_BEFORE = (
    *BEFORE_PLACES_AT_SITES[:4],
    "INSERT INTO membership (id, person_id, site_id, review_id, role, form) VALUES ('m', 'p', 's', 'r', 'parent', 'standard')",
    "INSERT INTO invitation_decision (id, membership_id, number, invite, decided_at, decided_by) "
    "VALUES ('d', 'm', 1, true, '2026-01-01 00:00:00', 'lead')",
)


def test_decisions_from_before_the_three_answers_hold_and_a_withdrawal_stops_the_way_back(empty: Engine) -> None:
    schema.upgrade(empty, "0003")
    with empty.begin() as connection:
        for statement in DECIDED_BEFORE:
            statement = statement.replace("(id, site_id, label, outcome,", "(id, site_id, label, outcome, trigger,")  # noqa: PLW2901
            statement = statement.replace("'Review 1', 'harm',", "'Review 1', 'harm', 'harm',")  # noqa: PLW2901
            connection.execute(text(statement))
    schema.upgrade(empty)
    with db.writing(empty) as session:
        place = session.scalars(select(Membership)).one()
        review = session.scalars(select(Review)).one()
        assert roster.is_invited(session, place, review)
        before = responses.stamp(session)
        session.add(Withdrawal(person_id="p", choice="keep", withdrawn_on=date(2026, 3, 2), receipt="R"))
        session.commit()
        assert responses.stamp(session) > before
    with pytest.raises(RuntimeError, match="1 people have withdrawn"):
        schema.downgrade(empty, "0003")
    with empty.begin() as connection:
        connection.execute(text("DELETE FROM withdrawal"))
    schema.downgrade(empty, "0003")
    with empty.connect() as connection:
        assert connection.execute(text("SELECT membership_id FROM invitation_decision")).all() == [("m",)]
    schema.upgrade(empty)
    assert schema.behind(empty) is None


def put(engine: Engine, table: Table, *rows: dict[str, object]) -> None:
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(table).values(row))


@pytest.mark.parametrize(
    "wrong",
    [
        {"person_id": "p", "site_id": "other", "review_id": "r"},  # a review and another site
        {"person_id": "p", "site_id": "s", "review_id": "r"},  # twice in one review
        {"person_id": "q", "site_id": "s", "review_id": None},  # twice at one site outside its reviews
        {"person_id": "z", "site_id": "s", "review_id": None, "form": "spoken"},  # a form nobody wrote
        {"person_id": "z", "site_id": "s", "review_id": "r", "role": "wizard"},
    ],
)
def test_the_database_refuses_a_place_that_cannot_be(engine: Engine, wrong: dict[str, object]) -> None:
    tables = Base.metadata.tables
    put(engine, tables["trial"], {"id": "t", "slug": "t", "title": "T"})
    put(
        engine,
        tables["site"],
        *({"id": key, "trial_id": "t", "name": key, "nation": "wales"} for key in ("s", "other")),
    )
    put(engine, tables["review"], {"id": "r", "site_id": "s", "label": "Review 1"})
    put(engine, tables["person"], *({"id": key, "trial_id": "t"} for key in "pqz"))
    usual = {"role": "practitioner", "form": "standard"}
    put(
        engine, tables["membership"],
        {**usual, "id": "m", "person_id": "p", "site_id": "s", "review_id": "r"},
        {**usual, "id": "o", "person_id": "q", "site_id": "s", "review_id": None},
        {**usual, "id": "both", "person_id": "p", "site_id": "s", "review_id": None},  # beside a review: allowed
    )  # fmt: skip
    with pytest.raises(DBAPIError):
        put(engine, tables["membership"], {**usual, "id": "n", **wrong})


@pytest.mark.parametrize("anchor", ["joined", "start", "end", "some day"])
def test_a_wave_counts_from_a_day_that_is_known(engine: Engine, anchor: str) -> None:
    put(engine, Base.metadata.tables["trial"], {"id": "t", "slug": "t", "title": "T"})
    wave = {
        "id": "w",
        "trial_id": "t",
        "code": "after",
        "position": 0,
        "anchor": anchor,
        "opens_day": 0,
        "closes_day": 1,
    }
    if anchor == "some day":
        with pytest.raises(DBAPIError):
            put(engine, Base.metadata.tables["wave"], wave)
    else:
        put(engine, Base.metadata.tables["wave"], wave)


@pytest.mark.parametrize(
    "wrong",
    [
        {"triggered_on": date(2026, 3, 11)},
        {"reported_on": date(2026, 3, 9)},
        {"contact_days": 0},
        {"trigger": "bad luck"},
        {"ends_on": date(2026, 3, 9)},
        {"outcome": "unknown"},
    ],
)
def test_the_database_refuses_facts_of_a_review_that_cannot_be(session: Session, wrong: dict[str, object]) -> None:
    site = make.site(session, make.trial(session))
    session.commit()
    with pytest.raises(DBAPIError):
        make.review(session, site, **{"starts_on": date(2026, 3, 10), **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(("reason", "invite"), [(None, False), ("not_safe", True), ("because", False)])
def test_a_no_to_inviting_has_its_reason_and_a_yes_has_none(session: Session, reason: str | None, invite: bool) -> None:
    place = make.person(session, make.review(session, make.site(session, make.trial(session))), "parent")
    session.add(
        InvitationDecision(
            membership_id=place.id, number=1, invite=invite, reason=reason, decided_at=NOW, decided_by="system"
        )
    )
    with pytest.raises(DBAPIError):
        session.flush()
