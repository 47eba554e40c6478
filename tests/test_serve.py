"""The server behind proxies: what they say of a request is believed as far as it was told to, and no further."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import SECRETS
from tests.servers import Server


def asked(server: Server, forwarded_host: str) -> int:
    request = urllib.request.Request(f"{server.base_url}/help", headers={"X-Forwarded-Host": forwarded_host})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize(("proxies", "answers"), [("0", (200, 200)), ("1", (200, 400))])
def test_a_proxy_is_believed_only_where_there_is_one(
    migrated_file: Path, asset_folder: Path, tmp_path: Path, proxies: str, answers: tuple[int, int]
) -> None:
    settings = {
        "EVALAPP_DATABASE_URL": f"sqlite:///{migrated_file}", "EVALAPP_ASSETS": str(asset_folder), **SECRETS,
        "EVALAPP_HOSTS": "127.0.0.1,trial.example.org", "EVALAPP_HTTPS": "0", "EVALAPP_PROXIES": proxies,
    }  # fmt: skip
    server = Server(settings, tmp_path / "server.log")
    server.start()
    try:
        # A host that is not one of ours is refused, where the proxy's word counts; without a proxy nobody is asked.
        assert (asked(server, "trial.example.org"), asked(server, "elsewhere.example.org")) == answers
    finally:
        server.stop()
