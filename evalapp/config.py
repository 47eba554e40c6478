"""Settings from the environment. Nothing starts without its secrets, and nothing has a sample value."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

REMEDY = (
    "`evalapp secrets --out FILE` makes them; then set them in the environment, or name the file in EVALAPP_SECRETS"
)
SHORTEST_SECRET = 32


class NotConfigured(Exception):
    """A setting is missing or unsafe; the message says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """What one running copy needs to know. `https` is off only for a demonstration on this machine."""

    database_url: str
    secret_key: str = field(repr=False)
    root_key: str = field(repr=False)
    assets: Path
    https: bool = True
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    proxies: int = 0
    withdrawals: Path | None = None  # a file on another disk, for withdrawals that a restored backup must be told of
    languages: tuple[str, ...] = ("cy",)  # of the participants' pages, beside English
    contacts_url: str | None = None
    jobs_url: str | None = None
    public_url: str | None = None
    smtp: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    notify_key: str | None = field(default=None, repr=False)
    notify_email: str | None = None
    notify_text: str | None = None
    notify_url: str = "https://api.notifications.service.gov.uk"

    @property
    def door(self) -> str:
        """The address participants come to, without a path."""
        scheme = "https" if self.https else "http"
        return (self.public_url or f"{scheme}://{self.hosts[0]}").rstrip("/")


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read EVALAPP_* settings; secrets may stand in the file that EVALAPP_SECRETS names (mode 0600).

    Raises NotConfigured naming every setting that is missing.
    """
    found = {**_secrets_file(environ), **environ}
    needed = ("EVALAPP_DATABASE_URL", "EVALAPP_SECRET_KEY", "EVALAPP_ROOT_KEY")
    missing = [name for name in needed if not found.get(name, "").strip()]
    if missing:
        raise NotConfigured(f"not set: {', '.join(missing)}. {REMEDY}")
    if len(found["EVALAPP_SECRET_KEY"]) < SHORTEST_SECRET or len(set(found["EVALAPP_SECRET_KEY"])) < 8:
        raise NotConfigured(f"EVALAPP_SECRET_KEY is too short or too simple. {REMEDY}")
    hosts = tuple(host.strip() for host in found.get("EVALAPP_HOSTS", "127.0.0.1,localhost").split(",") if host.strip())
    if not hosts:  # an empty list would let every Host header in
        raise NotConfigured("EVALAPP_HOSTS names no host; leave it out, or list the names people reach this copy by")
    return Settings(
        database_url=found["EVALAPP_DATABASE_URL"],
        secret_key=found["EVALAPP_SECRET_KEY"],
        root_key=found["EVALAPP_ROOT_KEY"],
        assets=Path(found.get("EVALAPP_ASSETS", "instance/assets")),
        https=found.get("EVALAPP_HTTPS", "1") != "0",
        hosts=hosts,
        proxies=_whole_number(found, "EVALAPP_PROXIES"),
        languages=tuple(code.strip() for code in found.get("EVALAPP_LANGUAGES", "cy").split(",") if code.strip()),
        contacts_url=_said(found, "EVALAPP_CONTACTS_URL"),
        jobs_url=_said(found, "EVALAPP_JOBS_URL"),
        public_url=_said(found, "EVALAPP_PUBLIC_URL"),
        smtp=_said(found, "EVALAPP_SMTP"),
        mail_from=_said(found, "EVALAPP_MAIL_FROM"),
        notify_key=_said(found, "EVALAPP_NOTIFY_KEY"),
        notify_email=_said(found, "EVALAPP_NOTIFY_EMAIL_TEMPLATE"),
        notify_text=_said(found, "EVALAPP_NOTIFY_TEXT_TEMPLATE"),
        withdrawals=Path(found["EVALAPP_WITHDRAWALS"]) if found.get("EVALAPP_WITHDRAWALS", "").strip() else None,
    )


def instruments_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where this copy keeps questionnaires of its own; None when EVALAPP_INSTRUMENTS is set to nothing. It needs no secrets."""
    found = {**_secrets_file(environ), **environ}
    name = found.get("EVALAPP_INSTRUMENTS", "instance/instruments").strip()
    return Path(name) if name else None


def new_secrets() -> dict[str, str]:
    """Fresh values for every secret."""
    return {
        "EVALAPP_SECRET_KEY": secrets.token_urlsafe(48),
        "EVALAPP_ROOT_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }


def write_secrets(path: Path, values: Mapping[str, str]) -> None:
    """Write a secrets file nobody else can read. An existing file is never overwritten (FileExistsError)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def _secrets_file(environ: Mapping[str, str]) -> dict[str, str]:
    name = environ.get("EVALAPP_SECRETS", "").strip()
    if not name:
        return {}
    path = Path(name)
    if not path.is_file():
        raise NotConfigured(f"EVALAPP_SECRETS names {name}, which is not there. {REMEDY}")
    if path.stat().st_mode & 0o077:
        raise NotConfigured(f"{name} can be read by others; run: chmod 600 {name}")
    lines = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in lines}


def _said(found: Mapping[str, str], name: str) -> str | None:
    return found.get(name, "").strip() or None


def _whole_number(found: Mapping[str, str], name: str) -> int:
    value = found.get(name, "0").strip() or "0"
    if not value.isdigit():
        raise NotConfigured(f"{name} must be a whole number, not {value!r}")
    return int(value)
