"""What the tests share: a migrated database on SQLite and on PostgreSQL, the app over it, a clock that stands still."""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from evalapp import assets, create_app, db, schema
from evalapp.config import Settings, new_secrets
from evalapp.models import Base
from evalapp.vault import Vault
from tests import servers
from tests.chromium import chromium

os.environ["EVALAPP_INSTRUMENTS"] = ""  # no test sees questionnaires a developer keeps
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
SECRETS = new_secrets()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="session")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    assets.build(folder, quality=4)
    return folder


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    engine = db.make_engine(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a migrated database in a PostgreSQL cluster of the test's own. Fails, never skips, without one."""
    with servers.postgresql() as url:
        engine = db.make_engine(url)
        schema.upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated, empty database."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("postgresql")
    engine = db.make_engine(url)
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        # The append-only tables refuse to be emptied; only a superuser can switch their triggers off, as here.
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(f"TRUNCATE {tables}"))
    engine.dispose()
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = db.make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A writing session of the test's own. Commit before the app is asked for anything: SQLite has one writer."""
    with db.writing(engine) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault() -> Vault:
    return Vault(SECRETS["EVALAPP_ROOT_KEY"])


@pytest.fixture
def settings(database_url: str, asset_folder: Path) -> Settings:
    return Settings(
        database_url=database_url,
        secret_key=SECRETS["EVALAPP_SECRET_KEY"],
        root_key=SECRETS["EVALAPP_ROOT_KEY"],
        assets=asset_folder,
        https=True,
        hosts=("127.0.0.1", "localhost"),
        languages=("cy", "pl", "ar"),
    )


@pytest.fixture
def app(settings: Settings, clock: Clock) -> Iterator[Flask]:
    made = create_app(settings, clock=clock)
    made.testing = False  # errors become the pages a person would see
    yield made
    made.extensions["evalapp"].engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: a broken rule shows before a browser opens."""
    items.sort(
        key=lambda item: item.get_closest_marker("browser") is not None or item.get_closest_marker("crash") is not None
    )
