"""Handing messages over: to a mail server (SMTP), or to GOV.UK Notify for e-mail and text messages.

Each carrier answers with an Outcome and raises nothing: what a server says, or that it says nothing, is a result. No
address, code or word of a message is ever logged.
"""

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formataddr, formatdate
from typing import Any, Protocol
from urllib.parse import unquote, urlencode, urlsplit

from evalapp.config import NotConfigured, Settings
from evalapp.letters import Letter
from evalapp.outbox import Outcome

PATIENCE = 20.0  # seconds a server is waited for
PERMANENT = range(500, 600)


class Carrier(Protocol):
    """Something that takes messages for one kind of address."""

    def hand_over(
        self, message_id: str, address: str, letter: Letter, *, again: bool, about_to: Callable[[], None]
    ) -> Outcome:
        """Hand a message over. `about_to` is called just before the moment from which it may have been sent."""


class Smtp:
    """A mail server, as smtp://[NAME:PASSWORD@]HOST[:PORT], smtps:// for TLS from the start.

    smtp:// asks for STARTTLS and refuses to go on without it, but for a server on this machine.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
            raise NotConfigured("EVALAPP_SMTP must read smtp://NAME:PASSWORD@HOST:PORT, or smtps:// for TLS throughout")
        self._host, self._tls = parts.hostname, parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 587)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password or "")
        self._sender = sender

    def hand_over(
        self,
        message_id: str,
        address: str,
        letter: Letter,
        *,
        again: bool,  # noqa: ARG002  (a mail server cannot be asked what it has)
        about_to: Callable[[], None],
    ) -> Outcome:
        """Once a server has the whole message and says nothing, nobody knows whether it was taken."""
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException):
            return Outcome.LATER
        try:
            return self._in_session(server, address, self._written(message_id, address, letter), about_to)
        finally:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if self._tls:
            server = smtplib.SMTP_SSL(self._host, self._port, timeout=PATIENCE, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=PATIENCE)
            server.ehlo_or_helo_if_needed()
            if self._host not in {"127.0.0.1", "::1", "localhost"}:
                server.starttls(context=context)
        if self._user is not None:
            server.login(self._user, self._password)
        return server

    def _in_session(
        self, server: smtplib.SMTP, address: str, message: EmailMessage, about_to: Callable[[], None]
    ) -> Outcome:
        try:
            server.ehlo_or_helo_if_needed()
            sender = server.mail(self._sender)[0]
            recipient = server.rcpt(address)[0] if sender < 400 else 0
        except (OSError, smtplib.SMTPException):
            return Outcome.LATER
        if sender >= 400 or recipient >= 400:  # a sender refused is our fault, not the address's
            return Outcome.REFUSED if recipient in PERMANENT else Outcome.LATER
        about_to()
        try:
            code = server.data(message.as_bytes())[0]
        except smtplib.SMTPDataError:  # it would not even begin to take it
            return Outcome.LATER
        except (OSError, smtplib.SMTPException):
            return Outcome.UNKNOWN
        if code in PERMANENT:
            return Outcome.FAILED
        return Outcome.SENT if code < 400 else Outcome.LATER

    def _written(self, message_id: str, address: str, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        host = self._sender.rpartition("@")[2]
        message["From"] = formataddr((letter.sender, self._sender))
        message["To"] = address
        message["Subject"] = letter.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = f"<{message_id}@{host}>"  # the same when it is sent again: mail programs show it once
        message["List-Unsubscribe"] = f"<{letter.stop}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message["Content-Language"] = letter.language
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        message.set_content(letter.body)
        return message


class Notify:
    """GOV.UK Notify for one channel, by its published API (v2), with a template that holds ((subject)) and ((body))."""

    def __init__(self, url: str, key: str, template: str, channel: str) -> None:
        if len(key) < 74:
            raise NotConfigured("EVALAPP_NOTIFY_KEY must be the whole key as Notify shows it once: a name and two ids")
        # The key ends in the service's id and a secret, each a UUID of 36 characters.
        self._service, self._secret = key[-73:-37], key[-36:]
        self._url, self._template, self._channel = url.rstrip("/"), template, channel

    def hand_over(
        self, message_id: str, address: str, letter: Letter, *, again: bool, about_to: Callable[[], None]
    ) -> Outcome:
        """Before a message is sent again, Notify is asked whether it has it: then nobody gets it twice."""
        if again:
            status, answer = self._ask("GET", f"/v2/notifications?{urlencode({'reference': message_id})}")
            if status != 200:
                return Outcome.UNKNOWN
            if answer.get("notifications"):
                return Outcome.SENT
        path, field = ("email", "email_address") if self._channel == "email" else ("sms", "phone_number")
        wanted = {
            field: address,
            "template_id": self._template,
            "personalisation": {"subject": letter.subject, "body": letter.body},
            "reference": message_id,
        }
        if self._channel == "email":
            wanted["one_click_unsubscribe_url"] = letter.stop
        about_to()
        status, answer = self._ask("POST", f"/v2/notifications/{path}", wanted)
        if status == 201:
            return Outcome.SENT
        if status == 400 and any(error.get("error") == "ValidationError" for error in answer.get("errors", [])):
            return Outcome.REFUSED
        return Outcome.UNKNOWN if status == 0 or status >= 500 else Outcome.LATER

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and answer; status 0 when there was none."""
        request = urllib.request.Request(  # noqa: S310  (the address is the operator's setting)
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, _object(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _object(error.read())
        except (OSError, ValueError):
            return 0, {}

    def _token(self) -> str:
        """A JSON web token (RFC 7519, HS256) that says which service asks, and when."""
        header, claims = {"typ": "JWT", "alg": "HS256"}, {"iss": self._service, "iat": int(time.time())}
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        signature = hmac.new(self._secret.encode(), signed, hashlib.sha256).digest()
        return (signed + b"." + _encoded(signature)).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def carriers(settings: Settings) -> dict[str, Carrier]:
    """Who takes e-mail and who takes text messages, as the settings say. Raises NotConfigured where they contradict."""
    found: dict[str, Carrier] = {}
    if settings.notify_key:
        if not (settings.notify_email or settings.notify_text):
            raise NotConfigured(
                "EVALAPP_NOTIFY_KEY is set, and no template: set EVALAPP_NOTIFY_EMAIL_TEMPLATE or …TEXT_TEMPLATE"
            )
        for channel, template in (("email", settings.notify_email), ("text", settings.notify_text)):
            if template:
                found[channel] = Notify(settings.notify_url, settings.notify_key, template, channel)
    if settings.smtp:
        if not settings.mail_from:
            raise NotConfigured(
                "EVALAPP_SMTP is set, and no sender: set EVALAPP_MAIL_FROM to the address messages are from"
            )
        found["email"] = Smtp(settings.smtp, settings.mail_from)
    return found
