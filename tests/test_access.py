"""The access table itself, and what a request knows of its time and its visitor."""

from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from evalapp import access
from evalapp.access import MAY, Permission, Role
from evalapp.models import STAFF_ROLES
from tests.conftest import Clock
from tests.security import visitors

# Properties of the table that a change to it must not lose, with their reason.
NEVER = [
    (Role.ADMIN, Permission.SEE_RESULTS, "an admin runs the place and reads no result"),
    (Role.ADMIN, Permission.SEE_BOARD_WHOLE, "whole counts are the evaluator's"),
    (Role.ADMIN, Permission.RECORD_ALLOCATION, "who recruits does not allocate"),
    (Role.COORDINATOR, Permission.RECORD_ALLOCATION, "who recruits does not allocate"),
    (Role.COORDINATOR, Permission.SEE_BOARD_WHOLE, "whole counts would tell who answered"),
    (Role.COORDINATOR, Permission.SEE_RESULTS, "whoever stands near the rooms sees no result"),
    (Role.COORDINATOR, Permission.MANAGE_STAFF, "accounts are the admin's"),
    (Role.EVALUATOR, Permission.MANAGE_CARDS, "whoever reads the results never holds a person's code"),
    (Role.ADMIN, Permission.READ_WORDS, "an admin names the readers and reads nothing"),
    (Role.FUNDER, Permission.SEE_RELEASED_WORDS, "a funder sees released figures alone"),
    (Role.EVALUATOR, Permission.READ_WORDS, "an evaluator reads words after they are released"),
    (Role.EVALUATOR, Permission.OPEN_TABLET, "whoever reads the results is not in the room"),
    (Role.EVALUATOR, Permission.MANAGE_STAFF, "accounts are the admin's"),
    (Role.FUNDER, Permission.SEE_BOARD, "a funder sees released figures alone"),
    (Role.FUNDER, Permission.SEE_RESULTS, "a funder sees released figures alone"),
]


def test_every_role_of_an_account_is_a_role_of_the_table() -> None:
    assert set(STAFF_ROLES) | {"anyone", "participant"} == {role.value for role in Role}


def test_anyone_may_open_the_door_and_nothing_else() -> None:
    assert [permission for permission in Permission if access.may(Role.ANYONE, permission)] == [
        Permission.OPEN_THE_DOOR
    ]


def test_a_participant_may_take_part_and_nothing_else() -> None:
    found = [permission for permission in Permission if access.may(Role.PARTICIPANT, permission)]
    assert found == [Permission.OPEN_THE_DOOR, Permission.TAKE_PART]


def test_no_member_of_staff_may_answer_for_a_participant() -> None:
    assert MAY[Permission.TAKE_PART] == {Role.PARTICIPANT}


def test_a_funder_may_read_releases_and_sign_out() -> None:
    found = {permission for permission in Permission if access.may(Role.FUNDER, permission)}
    assert found == {Permission.OPEN_THE_DOOR, Permission.USE_STAFF_PAGES, Permission.SEE_RELEASE}


@pytest.mark.parametrize(("role", "permission", "why"), NEVER)
def test_what_a_role_must_never_be_given(role: Role, permission: Permission, why: str) -> None:
    assert not access.may(role, permission), why


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        (datetime(2026, 3, 28, 23, 59, tzinfo=UTC), date(2026, 3, 28)),
        (datetime(2026, 6, 30, 23, 30, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 10, 25, 23, 30, tzinfo=UTC), date(2026, 10, 25)),
    ],
)
def test_today_is_the_day_in_london(app: Flask, clock: Clock, moment: datetime, day: date) -> None:
    clock.now = moment
    with app.test_request_context("/", base_url=visitors.HOME):
        assert access.today() == day


def test_a_page_for_staff_alone_refuses_a_visitor_who_is_none(app: Flask) -> None:
    def unguarded() -> str:
        return access.staff().email

    unguarded.permission = Permission.OPEN_THE_DOOR  # type: ignore[attr-defined]
    app.view_functions["survey.help_lines"] = unguarded
    assert visitors.browser(app).get("/help").status_code == 403


def test_reading_a_page_writes_only_that_the_session_is_in_use(app: Flask, session: Session) -> None:
    who = visitors.staff_browser(app, session, visitors.member(session, "evaluator"))
    with app.test_request_context("/staff/", base_url=visitors.HOME):
        assert access.database().get_bind().get_execution_options()["reading"]
    with app.test_request_context("/staff/", base_url=visitors.HOME, method="POST"):
        assert "reading" not in access.database().get_bind().get_execution_options()
    assert who.get("/staff/").status_code == 200
