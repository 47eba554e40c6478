"""The web application, wired together: read this file as its table of contents."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask
from flask_compress import Compress
from flask_wtf.csrf import CSRFProtect
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.middleware.proxy_fix import ProxyFix

from analysis.version import VERSION
from evalapp import access, assets, db, headers, languages
from evalapp.config import NotConfigured, Settings
from evalapp.vault import Vault

__version__ = VERSION

LARGEST_REQUEST = 2 * 1024 * 1024
LARGEST_FORM = 1024 * 1024


@dataclass(frozen=True)
class Parts:
    """What the app's modules share: found at `app.extensions["evalapp"]`."""

    engine: Engine
    vault: Vault
    clock: Callable[[], datetime]
    find_participant: Callable[[Session, str, datetime], str | None]
    withdrawals: Path | None = None  # where each withdrawal is marked outside the database
    contacts: Engine | None = None  # the store of contact details, where this copy has one


def create_app(settings: Settings, *, clock: Callable[[], datetime] = access.utc_now) -> Flask:
    """The application for one database. `clock` gives the present moment in UTC (tests hand in their own).

    Raises NotConfigured when the assets were not made, or the database could lose an acknowledged answer.
    """
    from evalapp import dashboard, survey, trial  # noqa: PLC0415  (they import this package's parts)

    app = Flask("evalapp", static_folder=None)
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="__Host-evalapp" if settings.https else "evalapp",
        SESSION_COOKIE_SECURE=settings.https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        TRUSTED_HOSTS=[*settings.hosts],
        PREFERRED_URL_SCHEME="https" if settings.https else "http",
        WTF_CSRF_TIME_LIMIT=None,  # a token lives as long as its session; a slow reader loses nothing
        WTF_CSRF_SSL_STRICT=False,  # the guard checks Origin and Sec-Fetch-Site instead of a Referer
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_BR_LEVEL=5,
        COMPRESS_MIMETYPES=["text/html", "text/css", "image/svg+xml", "application/json", "text/csv"],
    )
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    engine = db.make_engine(settings.database_url)
    store = db.make_engine(settings.contacts_url) if settings.contacts_url else None
    app.extensions["evalapp"] = Parts(
        engine, Vault(settings.root_key), clock, survey.find_participant, settings.withdrawals, store
    )  # fmt: skip

    app.before_request(access.guard)
    app.teardown_appcontext(access.close_database)
    CSRFProtect(app)
    Compress(app)
    languages.init_app(app, settings.languages)
    headers.init_app(app, https=settings.https)
    for audience in (survey, trial, dashboard):
        app.register_blueprint(audience.pages)
    app.register_error_handler(Exception, survey.problem_page)
    app.add_url_rule("/health", "health", health)

    manifest = assets.manifest(settings.assets)
    app.jinja_env.globals["asset"] = lambda name: f"/static/{manifest[name]}"
    app.extensions["assets"] = manifest
    app.wsgi_app = assets.serve(app.wsgi_app, settings.assets, https=settings.https)  # type: ignore[method-assign]
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


@access.requires(access.Permission.OPEN_THE_DOOR)
def health() -> tuple[dict[str, Any], int]:
    """Whether the database answers, and how it keeps what it is given."""
    engine = access.current_engine()
    return {"status": "ok", "version": __version__, **db.durability(engine)}, 200


def check_database(settings: Settings) -> None:
    """Refuse to serve from a database that could lose an acknowledged answer, or whose tables are not this version's."""
    from evalapp import schema  # noqa: PLC0415  (Alembic is needed at the start alone)

    stores = [(settings.database_url, schema.TRIAL)]
    if settings.contacts_url:
        stores.append((settings.contacts_url, schema.CONTACTS))
    for url, store in stores:
        engine = db.make_engine(url)
        try:
            reason = schema.behind(engine, store=store) or db.undurable(engine)
        finally:
            engine.dispose()
        if reason:
            raise NotConfigured(reason)
