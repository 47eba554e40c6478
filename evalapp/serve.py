"""Serving the app with waitress, and ending without dropping anybody: stop accepting, finish what is under way, then end."""

import signal
import time
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

THREADS = 8
LONGEST_DRAIN = 20.0  # seconds a request under way is given after SIGTERM


def serve(app: Any, host: str, port: int, *, behind_proxies: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C. `host` is one address, not a name with several.

    `behind_proxies` lets through what proxies say of a request, for the app to believe as many of them as it was told of.
    """
    server = create_server(
        app, host=host, port=port, threads=THREADS, ident=None, connection_limit=1000, channel_timeout=60,
        max_request_body_size=4 * 1024 * 1024, clear_untrusted_proxy_headers=not behind_proxies,
    )  # fmt: skip
    asked_to_stop: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _frame: asked_to_stop.append(number))
    while not asked_to_stop:
        wasyncore.loop(timeout=0.5, map=server._map, count=1)
    drain(server)


def drain(server: Any, longest: float = LONGEST_DRAIN) -> None:
    """Let in whoever stands at the door, close it, then answer everyone who is inside."""
    wasyncore.loop(timeout=0.05, map=server._map, count=4)
    server.accepting = False
    server.del_channel(server._map)
    server.socket.close()
    ends = time.monotonic() + longest
    while time.monotonic() < ends and any(_busy(channel) for channel in list(server.active_channels.values())):
        wasyncore.loop(timeout=0.05, map=server._map, count=1)
    server.task_dispatcher.shutdown()


def _busy(channel: Any) -> bool:
    """Whether a connection has a request half received, in work, or an answer not yet sent."""
    return bool(channel.request is not None or channel.requests or channel.total_outbufs_len)
