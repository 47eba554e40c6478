"""Real servers for the tests: a PostgreSQL cluster of their own, and the app in a process of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def postgresql_programs() -> Path:
    """The folder of the newest installed PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if on_path is None:
        raise RuntimeError("PostgreSQL's server is not installed; run `make test`, which installs it by apt")
    return Path(on_path).parent


@contextmanager
def postgresql() -> Iterator[str]:
    """A cluster of its own on a free port of 127.0.0.1, durable as in production; yields a database's address.

    Its folder is not pytest's: those are closed to other users, and PostgreSQL refuses to run as root.
    """
    with tempfile.TemporaryDirectory(prefix="evalapp-postgresql-") as name:
        yield from _run_postgresql(Path(name))


def _run_postgresql(folder: Path) -> Iterator[str]:
    programs, port, data = postgresql_programs(), free_port(), folder / "data"
    as_user: list[str] = []
    if os.geteuid() == 0:
        as_user = ["runuser", "-u", "postgres", "--"]
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    subprocess.run(
        [*as_user, str(programs / "initdb"), "-D", str(data), "-U", "evalapp", "--auth=trust", "-E", "UTF8", "--no-locale"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=60"
    control = [*as_user, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*control, "-o", options, "-l", str(folder / "log"), "start"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    try:
        yield f"postgresql://evalapp@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
