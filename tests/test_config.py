"""Settings: nothing starts without its secrets, nor with an empty, short or simple one."""

import dataclasses
from pathlib import Path

import pytest

from evalapp import create_app
from evalapp.config import NotConfigured, Settings, from_environment, new_secrets, write_secrets
from tests.conftest import SECRETS

WHOLE = {"EVALAPP_DATABASE_URL": "sqlite:///x.db", **SECRETS}


@pytest.mark.parametrize("name", ["EVALAPP_DATABASE_URL", "EVALAPP_SECRET_KEY", "EVALAPP_ROOT_KEY"])
@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_missing_or_empty_setting_is_named(name: str, value: str | None) -> None:
    given = {key: found for key, found in WHOLE.items() if key != name} | ({} if value is None else {name: value})
    with pytest.raises(NotConfigured, match=name):
        from_environment(given)


@pytest.mark.parametrize("value", ["short", "x" * 64, "changeme" * 4 + "!" * 0, "abcabcabc" * 5, "secret"])
def test_a_short_or_simple_secret_is_refused(value: str) -> None:
    with pytest.raises(NotConfigured, match="EVALAPP_SECRET_KEY"):
        from_environment({**WHOLE, "EVALAPP_SECRET_KEY": value})


@pytest.mark.parametrize("value", ["", " ", ",", " , "])
def test_an_empty_list_of_hosts_is_refused_since_it_would_let_every_host_in(value: str) -> None:
    with pytest.raises(NotConfigured, match="EVALAPP_HOSTS"):
        from_environment({**WHOLE, "EVALAPP_HOSTS": value})


@pytest.mark.parametrize("value", ["one", "-1", "1.5", "1e3"])
def test_the_number_of_proxies_is_a_whole_number(value: str) -> None:
    with pytest.raises(NotConfigured, match="EVALAPP_PROXIES"):
        from_environment({**WHOLE, "EVALAPP_PROXIES": value})


def test_what_is_not_set_has_the_safe_value() -> None:
    found = from_environment(WHOLE)
    assert found.https
    assert found.hosts == ("127.0.0.1", "localhost")
    assert found.proxies == 0
    assert found.languages == ("cy",)  # beside English; the machine-made drafts only where somebody asks for them
    assert from_environment({**WHOLE, "EVALAPP_LANGUAGES": " pl , ar,"}).languages == ("pl", "ar")
    assert from_environment({**WHOLE, "EVALAPP_HTTPS": "", "EVALAPP_PROXIES": ""}).https


def test_settings_never_print_their_secrets() -> None:
    printed = repr(from_environment(WHOLE))
    assert not [value for value in SECRETS.values() if value in printed]


def test_the_environment_wins_over_the_secrets_file(tmp_path: Path) -> None:
    write_secrets(tmp_path / "s.env", {**SECRETS, "EVALAPP_DATABASE_URL": "sqlite:///file.db"})
    found = from_environment({"EVALAPP_SECRETS": str(tmp_path / "s.env"), "EVALAPP_DATABASE_URL": "sqlite:///env.db"})
    assert found.database_url == "sqlite:///env.db"
    assert found.root_key == SECRETS["EVALAPP_ROOT_KEY"]


def test_a_secrets_file_that_is_not_there_or_open_to_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="not there"):
        from_environment({**WHOLE, "EVALAPP_SECRETS": str(tmp_path / "none.env")})
    write_secrets(tmp_path / "s.env", SECRETS)
    (tmp_path / "s.env").chmod(0o640)
    with pytest.raises(NotConfigured, match="chmod 600"):
        from_environment({**WHOLE, "EVALAPP_SECRETS": str(tmp_path / "s.env")})


def test_fresh_secrets_are_never_the_same_twice_and_pass() -> None:
    first, second = new_secrets(), new_secrets()
    assert not set(first.values()) & set(second.values())
    assert from_environment({**WHOLE, **first}).secret_key == first["EVALAPP_SECRET_KEY"]


def test_an_app_is_not_made_with_a_poor_root_key(settings: Settings) -> None:
    with pytest.raises((NotConfigured, ValueError), match="evalapp secrets"):
        create_app(dataclasses.replace(settings, root_key="short"))
