"""Servers that take messages, for the tests: a real SMTP server with a will of its own, and a stand-in for GOV.UK Notify."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller


@dataclass
class MailServer:
    """What an SMTP server was given, and how it answers: `says` at a stage, or silence after the data."""

    port: int = 0
    says: dict[str, str] = field(default_factory=dict)  # MAIL, RCPT or DATA to an answer such as "550 no such person"
    drops_after_data: bool = False
    taken: list[EmailMessage] = field(default_factory=list)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.says.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.says.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.says.get("DATA", "250 OK")
        if answer.startswith("250"):
            made = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(made, EmailMessage)
            self.taken.append(made)
        if self.drops_after_data:
            server.transport.abort()
        return answer

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"


@contextmanager
def mail_server(port: int = 0, **facts: Any) -> Iterator[MailServer]:
    from tests.servers import free_port

    made = MailServer(port=port or free_port(), **facts)
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()


SERVICE = "11111111-2222-3333-4444-555555555555"
SECRET = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
KEY = f"a_trial-{SERVICE}-{SECRET}"


@dataclass
class NotifyStub:
    """The part of Notify's published API that is used: asked with a signed token, it takes messages by reference."""

    url: str = ""
    answers: int = 201
    error: str = "ValidationError"
    silent_after_taking: bool = False
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused_tokens: int = 0

    def token_is_right(self, header: str) -> bool:
        signed, _, signature = header.removeprefix("Bearer ").rpartition(".")
        made = base64.urlsafe_b64encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
        return made.rstrip(b"=").decode() == signature and claims["iss"] == SERVICE and "iat" in claims


@contextmanager
def notify_server() -> Iterator[NotifyStub]:
    stub = NotifyStub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self._known():
                return
            if stub.answers == 201:
                stub.taken.append({"path": self.path, **body})
                if stub.silent_after_taking:
                    self.connection.close()
                    return
                self._answer(201, {"id": "740e5834-3a29-46b4-9a6f-16142fde533a", "reference": body["reference"]})
            else:
                self._answer(
                    stub.answers, {"status_code": stub.answers, "errors": [{"error": stub.error, "message": "no"}]}
                )

        def do_GET(self) -> None:
            if self._known():
                wanted = parse_qs(urlsplit(self.path).query)["reference"][0]
                found = [{"reference": wanted} for one in stub.taken if one["reference"] == wanted]
                self._answer(200, {"notifications": found, "links": {}})

        def _known(self) -> bool:
            if stub.token_is_right(self.headers["Authorization"]):
                return True
            stub.refused_tokens += 1
            self._answer(403, {"errors": [{"error": "AuthError", "message": "Invalid token"}]})
            return False

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    running = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    running.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        running.join()
