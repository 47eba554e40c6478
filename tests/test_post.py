"""Handing messages over, to a real mail server and to a stand-in for Notify's published API."""

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evalapp.config import NotConfigured, Settings
from evalapp.letters import Letter
from evalapp.outbox import Outcome
from evalapp.post import Notify, Smtp, carriers
from tests.post_servers import KEY, mail_server, notify_server
from tests.servers import free_port

LETTER = Letter(
    "A few questions for you", "Helo,\n\nŵyr żółć مرحبا\n", "Questions", "https://q.example.org/stop/abc", "cy"
)
SENDER = "questions@example.org"
ADDRESS = "kim@example.net"
NOTHING: Callable[[], None] = lambda: None  # noqa: E731


def hand(url: str, message_id: str = "0123456789abcdef") -> Outcome:
    return Smtp(url, SENDER).hand_over(message_id, ADDRESS, LETTER, again=False, about_to=NOTHING)


def test_a_message_arrives_whole_with_a_way_to_stop() -> None:
    with mail_server() as server:
        assert hand(server.url) is Outcome.SENT
    (message,) = server.taken
    assert message["To"] == ADDRESS
    assert message["From"] == f"Questions <{SENDER}>"
    assert message["Message-ID"] == "<0123456789abcdef@example.org>"
    assert message["List-Unsubscribe"] == "<https://q.example.org/stop/abc>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content().replace("\r\n", "\n").rstrip() == LETTER.body.rstrip()


@pytest.mark.parametrize(
    ("stage", "answer", "outcome"),
    [
        ("RCPT", "550 no such person", Outcome.REFUSED),
        ("RCPT", "451 try again", Outcome.LATER),
        ("MAIL", "550 not you", Outcome.LATER),  # our fault: nobody's address is given up for it
        ("MAIL", "421 busy", Outcome.LATER),
        ("DATA", "554 looks like spam", Outcome.FAILED),
        ("DATA", "452 full", Outcome.LATER),
    ],
)
def test_what_a_server_says_decides(stage: str, answer: str, outcome: Outcome) -> None:
    with mail_server(says={stage: answer}) as server:
        assert hand(server.url) is outcome


@pytest.mark.parametrize(("stage", "said"), [("RCPT", False), ("MAIL", False), ("DATA", True)])
def test_the_moment_from_which_it_may_have_been_sent_is_told(stage: str, *, said: bool) -> None:
    told: list[bool] = []
    with mail_server(says={stage: "451 no"}) as server:
        Smtp(server.url, SENDER).hand_over("m", ADDRESS, LETTER, again=False, about_to=lambda: told.append(True))
    assert bool(told) == said


def test_a_server_that_is_not_there_is_tried_again() -> None:
    assert hand(f"smtp://127.0.0.1:{free_port()}") is Outcome.LATER


def test_silence_after_the_whole_message_is_neither_sent_nor_not() -> None:
    with mail_server(drops_after_data=True) as server:
        assert hand(server.url) is Outcome.UNKNOWN


def test_a_server_elsewhere_is_not_spoken_to_without_encryption() -> None:
    with mail_server() as server:
        # The same server under a name that is not this machine's own: it offers no STARTTLS, so nothing is sent.
        assert hand(server.url.replace("127.0.0.1", "127.0.0.2")) is Outcome.LATER
        assert server.taken == []


@pytest.mark.parametrize("url", ["http://mail.example.org", "smtp://", "mail.example.org"])
def test_a_wrong_server_setting_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(NotConfigured, match="EVALAPP_SMTP"):
        Smtp(url, SENDER)


def test_notify_takes_email_and_text_by_its_api() -> None:
    with notify_server() as stub:
        Notify(stub.url, KEY, "template-1", "email").hand_over("m1", ADDRESS, LETTER, again=False, about_to=NOTHING)
        Notify(stub.url, KEY, "template-2", "text").hand_over(
            "m2", "+447700900123", LETTER, again=False, about_to=NOTHING
        )
    email, text = stub.taken
    assert email["path"] == "/v2/notifications/email"
    assert email["email_address"] == ADDRESS
    assert email["template_id"] == "template-1"
    assert email["personalisation"] == {"subject": LETTER.subject, "body": LETTER.body}
    assert email["reference"] == "m1"
    assert email["one_click_unsubscribe_url"] == LETTER.stop
    assert text["path"] == "/v2/notifications/sms"
    assert text["phone_number"] == "+447700900123"
    assert stub.refused_tokens == 0


@pytest.mark.parametrize(
    ("status", "error", "outcome"),
    [
        (400, "ValidationError", Outcome.REFUSED),
        (400, "BadRequestError", Outcome.LATER),
        (403, "AuthError", Outcome.LATER),
        (429, "RateLimitError", Outcome.LATER),
        (500, "Exception", Outcome.UNKNOWN),
    ],
)
def test_what_notify_says_decides(status: int, error: str, outcome: Outcome) -> None:
    with notify_server() as stub:
        stub.answers, stub.error = status, error
        assert (
            Notify(stub.url, KEY, "t", "email").hand_over("m", ADDRESS, LETTER, again=False, about_to=NOTHING)
            is outcome
        )


def test_notify_is_asked_before_a_message_is_sent_again_so_that_nobody_gets_it_twice() -> None:
    with notify_server() as stub:
        stub.silent_after_taking = True
        carrier = Notify(stub.url, KEY, "t", "email")
        assert carrier.hand_over("m", ADDRESS, LETTER, again=False, about_to=NOTHING) is Outcome.UNKNOWN
        assert carrier.hand_over("m", ADDRESS, LETTER, again=True, about_to=NOTHING) is Outcome.SENT
        assert len(stub.taken) == 1


def test_a_wrong_key_is_an_error_of_ours_and_no_address_is_given_up() -> None:
    with notify_server() as stub:
        wrong = KEY[:-1] + "f"
        assert (
            Notify(stub.url, wrong, "t", "email").hand_over("m", ADDRESS, LETTER, again=False, about_to=NOTHING)
            is Outcome.LATER
        )
        assert stub.refused_tokens == 1


BARE = Settings(database_url="sqlite:///x", secret_key="s", root_key="r", assets=Path("a"))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"smtp": "smtp://127.0.0.1"}, "EVALAPP_MAIL_FROM"),
        ({"notify_key": KEY}, "EVALAPP_NOTIFY_EMAIL_TEMPLATE"),
        ({"notify_key": "short", "notify_email": "t"}, "EVALAPP_NOTIFY_KEY"),
    ],
)
def test_half_a_setting_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(NotConfigured, match=named):
        carriers(replace(BARE, **given))  # type: ignore[arg-type]


def test_the_carriers_are_those_that_are_set() -> None:
    assert carriers(BARE) == {}
    both = carriers(replace(BARE, smtp="smtp://127.0.0.1", mail_from=SENDER, notify_key=KEY, notify_text="t"))
    assert {channel: type(one).__name__ for channel, one in both.items()} == {"email": "Smtp", "text": "Notify"}
    assert ssl.create_default_context().check_hostname  # what STARTTLS and smtps:// are checked with
