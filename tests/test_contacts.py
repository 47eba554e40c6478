"""The store of contact details: sealed, apart, and matched to nobody by reading."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from evalapp import contacts, db, schema
from evalapp.contacts import NotAnAddress
from evalapp.vault import Vault
from tests import make

TODAY = date(2026, 3, 2)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def store_engine(tmp_path: Path) -> Iterator[Engine]:
    made = db.make_engine(f"sqlite:///{tmp_path / 'contacts.db'}")
    schema.upgrade(made, store=schema.CONTACTS)
    yield made
    made.dispose()


@pytest.fixture
def store(store_engine: Engine) -> Iterator[Session]:
    with db.writing(store_engine) as opened:
        yield opened


@pytest.mark.parametrize(
    ("channel", "typed", "kept"),
    [
        ("email", " Kim.Jones@example.org ", "Kim.Jones@example.org"),
        ("text", "07700 900123", "+447700900123"),
        ("text", "0044 7700-900123", "+447700900123"),
        ("text", "+48 500 600 700", "+48500600700"),
    ],
)
def test_an_address_is_kept_as_it_is_used(store: Session, vault: Vault, channel: str, typed: str, kept: str) -> None:
    contacts.keep(store, "a" * 16, channel, typed, "en", vault=vault)
    found = contacts.of(store, "a" * 16, vault=vault)
    assert found is not None
    assert (found.channel, found.address) == (channel, kept)


@pytest.mark.parametrize(
    ("channel", "typed"),
    [
        ("email", "kim"), ("email", "kim@example"), ("email", "kim@example.org, bo@example.org"), ("email", "kim <k@e.org>"),
        ("email", "kim@example.org\r\nBcc: all@example.org"), ("email", "a" * 250 + "@e.org"), ("text", "12"),
        ("text", "kim@example.org"), ("text", "07700 900123; 07700 900124"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_an_example(store: Session, vault: Vault, channel: str, typed: str) -> None:
    with pytest.raises(NotAnAddress, match="such as"):
        contacts.keep(store, "a" * 16, channel, typed, "en", vault=vault)


def test_a_new_address_replaces_the_old_and_may_be_written_to_again(store: Session, vault: Vault) -> None:
    first = contacts.keep(store, "a" * 16, "email", "kim@example.org", "en", vault=vault)
    contacts.not_reached(store, first.id, today=TODAY)
    same = contacts.keep(store, "a" * 16, "email", "kim@example.org", "cy", vault=vault)
    assert same.undeliverable  # the language alone was changed
    moved = contacts.keep(store, "a" * 16, "email", "kim@example.net", "cy", vault=vault)
    assert not moved.undeliverable
    assert store.scalar(text("SELECT count(*) FROM contact")) == 1


def test_the_stop_link_stops_and_a_forged_one_does_nothing(store: Session, vault: Vault) -> None:
    kept = contacts.keep(store, "a" * 16, "email", "kim@example.org", "en", vault=vault)
    token = vault.stop_token(kept.id)
    assert not contacts.stop(store, token[:-1] + ("0" if token[-1] != "0" else "1"), today=TODAY, vault=vault)
    assert not contacts.stop(store, "f" * 48, today=TODAY, vault=vault)
    assert contacts.reachable(store) == {vault.pseudonym("a" * 16)}
    assert contacts.stop(store, token, today=TODAY, vault=vault)
    assert contacts.stop(store, token, today=TODAY, vault=vault)  # asked twice
    assert contacts.reachable(store) == frozenset()


def test_what_is_forgotten_is_gone_from_the_file(store_engine: Engine, vault: Vault) -> None:
    with db.writing(store_engine) as store:
        contacts.keep(store, "a" * 16, "email", "kim@example.org", "en", vault=vault)
        store.commit()
        assert contacts.forget(store, "a" * 16, vault=vault)
        assert not contacts.forget(store, "a" * 16, vault=vault)
        store.commit()
        assert contacts.of(store, "a" * 16, vault=vault) is None
    raw = Path(str(store_engine.url.database)).read_bytes()
    assert vault.pseudonym("a" * 16).encode() not in raw


def test_nobody_who_reads_both_stores_can_match_them(
    session: Session, engine: Engine, store_engine: Engine, vault: Vault
) -> None:
    """200 people: no value of one store stands in the other, and no order of rows gives a person away."""
    review = make.review(session, make.site(session, make.trial(session)))
    people = [make.person(session, review).person_id for _ in range(200)]
    with db.writing(store_engine) as store:
        for number, person_id in enumerate(people):
            contacts.keep(store, person_id, "email", f"someone{number}@example.org", "en", vault=vault)
        store.commit()
        rows = store.execute(text("SELECT * FROM contact")).all()
    session.commit()
    trial_says = set()
    with db.reading(engine) as reader:
        for table in db.Base.metadata.sorted_tables:
            for row in reader.execute(table.select()):
                trial_says |= {str(value) for value in row}
    store_says = {str(value) for row in rows for value in row if not isinstance(value, date)}
    shared = {value for value in trial_says & store_says if len(value) > 5}
    assert shared == set()
    assert "example.org" not in repr(rows)
    order = [vault.pseudonym(person_id) for person_id in people]
    stored = [row.pseudonym for row in rows]
    in_place = sum(a == b for a, b in zip(order, stored, strict=True))
    assert in_place < 15, "rows stand in the order in which people were added"


def test_a_masked_address_is_recognised_by_its_owner_alone(store: Session, vault: Vault) -> None:
    shown = contacts.keep(store, "a" * 16, "email", "kim.jones@example.org", "en", vault=vault).masked
    assert shown == "k…@example.org"
    assert contacts.keep(store, "b" * 16, "text", "07700 900123", "en", vault=vault).masked == "+44 … 123"


def test_one_module_names_the_table_of_contacts() -> None:
    naming = {
        path.name
        for path in (ROOT / "evalapp").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr == "Contact")
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "evalapp.contacts"
            and any(alias.name in {"Contact", "ContactsBase"} for alias in node.names)
        )
    }
    assert naming == set()
    columns = {
        column.name for table in db.Base.metadata.sorted_tables for column in table.c if table.name != "staff_user"
    }
    assert not [name for name in columns if re.search("mail|phone|mobile|address|contact_detail", name)]


def test_the_store_s_migrations_make_its_tables(store_engine: Engine) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with store_engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), contacts.ContactsBase.metadata) == []
    assert schema.behind(store_engine, store=schema.CONTACTS) is None
