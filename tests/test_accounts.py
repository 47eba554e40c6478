"""Accounts: invitations that work once, passwords worth having, throttled sign-in, sessions that end when they should."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from evalapp import accounts, audit, db
from evalapp.accounts import NotAccepted, Staff
from evalapp.models import Attempt, Audit, StaffSession, StaffUser
from evalapp.vault import Vault
from tests import make
from tests.conftest import NOW

ADMIN = Staff("someone-else", "first@example.org", "admin")
MINUTE = timedelta(minutes=1)


def signed_in(session: Session, vault: Vault, role: str = "evaluator") -> str:
    make.staff(session, role)
    found = accounts.sign_in(session, f"{role}@example.org", make.PASSWORD, vault, now=NOW)
    assert found is not None
    session.commit()
    return found[1]


def user_of(session: Session, role: str = "evaluator") -> StaffUser:
    return session.scalars(select(StaffUser).where(StaffUser.email == f"{role}@example.org")).one()


@pytest.mark.parametrize("address", ["", "name", "name@", "@council.gov.uk", "name@council", "na me@council.gov.uk"])
def test_what_is_not_an_address_is_not_invited(session: Session, address: str) -> None:
    with pytest.raises(NotAccepted, match="e-mail address"):
        accounts.invite(session, address, "admin", actor="system", now=NOW)


def test_nobody_is_invited_to_a_role_that_is_not_one(session: Session) -> None:
    with pytest.raises(NotAccepted, match="roles"):
        accounts.invite(session, "name@council.gov.uk", "owner", actor="system", now=NOW)


def test_an_invitation_works_once(session: Session) -> None:
    code = accounts.invite(session, "Name@Council.gov.uk ", "admin", actor="system", now=NOW)
    assert accounts.accept(session, f" {code}\n", make.PASSWORD, now=NOW).email == "name@council.gov.uk"
    with pytest.raises(NotAccepted, match="not valid any more"):
        accounts.accept(session, code, make.PASSWORD, now=NOW)


def test_an_invitation_ends_after_a_week(session: Session) -> None:
    code = accounts.invite(session, "name@council.gov.uk", "admin", actor="system", now=NOW)
    with pytest.raises(NotAccepted, match="not valid any more"):
        accounts.accept(session, code, make.PASSWORD, now=NOW + timedelta(days=7, seconds=1))


def test_inviting_someone_again_before_they_came_ends_the_first_code(session: Session) -> None:
    first = accounts.invite(session, "name@council.gov.uk", "admin", actor="system", now=NOW)
    second = accounts.invite(session, "name@council.gov.uk", "funder", actor="system", now=NOW)
    with pytest.raises(NotAccepted):
        accounts.accept(session, first, make.PASSWORD, now=NOW)
    assert accounts.accept(session, second, make.PASSWORD, now=NOW).role == "funder"


def test_someone_with_an_account_is_not_invited_a_second_time(session: Session) -> None:
    make.staff(session)
    with pytest.raises(NotAccepted, match="already has an account"):
        accounts.invite(session, "evaluator@example.org", "admin", actor="system", now=NOW)


def test_a_closed_account_s_invitation_is_dead(session: Session) -> None:
    code = accounts.invite(session, "name@council.gov.uk", "admin", actor="system", now=NOW)
    user = session.scalars(select(StaffUser)).one()
    accounts.disable(session, user.id, actor=ADMIN, now=NOW)
    with pytest.raises(NotAccepted, match="not valid any more"):
        accounts.accept(session, code, make.PASSWORD, now=NOW)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("fourteen chars", "15 to 128"),
        ("x" * 7 + "abcdefg" * 18, "15 to 128"),
        ("aaaaaaaaaaaaaaaaaaaa", "easy to guess"),
        ("passwordpassword", "easy to guess"),
        ("Safeguard12345678", "easy to guess"),
        ("letmeinletmein12", "easy to guess"),
        ("some.body@council.gov.uk 1", "easy to guess"),
    ],
)
def test_a_poor_password_is_refused_and_the_invitation_kept(session: Session, password: str, why: str) -> None:
    code = accounts.invite(session, "some.body@council.gov.uk", "admin", actor="system", now=NOW)
    with pytest.raises(NotAccepted, match=why):
        accounts.accept(session, code, password, now=NOW)
    accounts.accept(session, code, make.PASSWORD, now=NOW)


@pytest.mark.parametrize("password", ["fifteen letters", "ŵyth deg o ŵyau a 🥚", "no capitals, no digits, no end " * 4])
def test_long_passwords_of_any_characters_are_taken(session: Session, vault: Vault, password: str) -> None:
    accounts.create(session, "name@council.gov.uk", "admin", password, now=NOW)
    session.commit()
    assert accounts.sign_in(session, "name@council.gov.uk", password, vault, now=NOW) is not None


def test_passwords_are_kept_as_argon2id_at_the_recommended_strength(session: Session) -> None:
    assert (make.staff(session).password_hash or "").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_no_live_key_stands_in_the_database(session: Session, vault: Vault) -> None:
    invitation = accounts.invite(session, "name@council.gov.uk", "admin", actor="system", now=NOW)
    key = signed_in(session, vault)
    held = [str(value) for table in (StaffUser, StaffSession, Audit) for row in session.scalars(select(table))
            for value in vars(row).values()]  # fmt: skip
    assert held
    assert not [value for value in held if key in value or invitation in value or make.PASSWORD in value]


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("evaluator@example.org", "not the right password"),
        ("nobody@example.org", make.PASSWORD),
        ("closed@example.org", make.PASSWORD),
        ("invited@example.org", make.PASSWORD),
        ("evaluator@example.org", make.PASSWORD + " and more"),
        ("evaluator@example.org", ""),
    ],
)
def test_wrong_unknown_closed_and_not_yet_accepted_are_all_refused(
    session: Session, vault: Vault, email: str, password: str
) -> None:
    make.staff(session)
    closed = make.staff(session, email="closed@example.org")
    accounts.disable(session, closed.id, actor=ADMIN, now=NOW)
    accounts.invite(session, "invited@example.org", "admin", actor="system", now=NOW)
    session.commit()
    assert accounts.sign_in(session, email, password, vault, now=NOW) is None


def test_a_password_longer_than_any_we_take_is_not_cut_to_fit(session: Session, vault: Vault) -> None:
    longest = (make.PASSWORD + " ") * 6
    accounts.create(session, "name@council.gov.uk", "admin", longest[:128], now=NOW)
    session.commit()
    assert accounts.sign_in(session, "name@council.gov.uk", longest[:129], vault, now=NOW) is None


def test_five_wrong_tries_in_a_minute_close_the_door_of_that_account_alone(session: Session, vault: Vault) -> None:
    make.staff(session)
    make.staff(session, "funder")
    session.commit()
    for _ in range(5):
        assert accounts.sign_in(session, "evaluator@example.org", "wrong", vault, now=NOW) is None
        session.commit()
    with pytest.raises(NotAccepted, match="Wait a minute"):
        accounts.sign_in(session, "evaluator@example.org", make.PASSWORD, vault, now=NOW)
    assert accounts.sign_in(session, "funder@example.org", make.PASSWORD, vault, now=NOW) is not None
    session.commit()
    later = NOW + MINUTE + timedelta(seconds=1)
    assert accounts.sign_in(session, "evaluator@example.org", make.PASSWORD, vault, now=later) is not None


def test_an_account_nobody_has_is_throttled_like_one_somebody_has(session: Session, vault: Vault) -> None:
    for _ in range(5):
        accounts.sign_in(session, "nobody@example.org", "wrong", vault, now=NOW)
        session.commit()
    with pytest.raises(NotAccepted):
        accounts.sign_in(session, "nobody@example.org", "wrong", vault, now=NOW)


def test_a_right_password_does_not_forgive_the_wrong_ones(session: Session, vault: Vault) -> None:
    make.staff(session)
    session.commit()
    for password in ["wrong"] * 4 + [make.PASSWORD] + ["wrong"]:
        accounts.sign_in(session, "evaluator@example.org", password, vault, now=NOW)
        session.commit()
    with pytest.raises(NotAccepted):
        accounts.sign_in(session, "evaluator@example.org", make.PASSWORD, vault, now=NOW)


def test_knocking_while_the_door_is_closed_does_not_keep_it_closed(session: Session, vault: Vault) -> None:
    make.staff(session)
    session.commit()
    for seconds in range(0, 60, 5):
        try:
            accounts.sign_in(session, "evaluator@example.org", "wrong", vault, now=NOW + timedelta(seconds=seconds))
        except NotAccepted:
            session.rollback()
        session.commit()
    assert session.scalar(select(func.count()).select_from(Attempt)) == 5


def test_guesses_sent_at_one_moment_cannot_slip_under_the_limit(engine: Engine, session: Session, vault: Vault) -> None:
    make.staff(session)
    session.commit()

    def guess(number: int) -> bool:
        with db.writing(engine) as own:
            try:
                accounts.sign_in(own, "evaluator@example.org", f"guess {number}", vault, now=NOW)
            except NotAccepted:
                return False
            own.commit()
            return True

    with ThreadPoolExecutor(8) as pool:
        looked_at = sum(pool.map(guess, range(16)))
    assert looked_at <= 5


def test_attempts_are_forgotten_after_an_hour_and_never_name_the_account(session: Session, vault: Vault) -> None:
    accounts.sign_in(session, "nobody@example.org", "wrong", vault, now=NOW)
    session.commit()
    assert "nobody" not in session.scalars(select(Attempt)).one().bucket
    accounts.sign_in(session, "other@example.org", "wrong", vault, now=NOW + timedelta(hours=1, seconds=1))
    session.commit()
    assert session.scalar(select(func.count()).select_from(Attempt)) == 1


@pytest.mark.parametrize(
    ("role", "quiet", "known"),
    [("admin", 15, True), ("admin", 16, False), ("funder", 30, True), ("funder", 31, False)],
)
def test_an_idle_session_ends(session: Session, vault: Vault, role: str, quiet: int, known: bool) -> None:
    key = signed_in(session, vault, role)
    assert (accounts.find(session, key, now=NOW + quiet * MINUTE) is not None) == known


def test_a_session_in_use_lasts_but_never_beyond_eight_hours(session: Session, vault: Vault) -> None:
    key, moment = signed_in(session, vault), NOW
    while moment < NOW + timedelta(hours=8):
        moment += 20 * MINUTE
        assert accounts.find(session, key, now=moment) is not None
        accounts.touch(session, key, now=moment)
        session.commit()
    assert accounts.find(session, key, now=moment + MINUTE) is None


def test_using_a_session_is_noted_at_most_once_a_minute(session: Session, vault: Vault) -> None:
    key = signed_in(session, vault)
    assert not accounts.is_stale(session, key, now=NOW + MINUTE)
    assert accounts.is_stale(session, key, now=NOW + MINUTE + timedelta(seconds=1))
    assert not accounts.is_stale(session, "not a key", now=NOW + timedelta(hours=1))


def test_signing_out_closing_changing_role_and_inviting_again_end_a_session_at_once(
    session: Session, vault: Vault
) -> None:
    make.staff(session)
    session.commit()
    user = user_of(session)
    endings = (
        lambda key: accounts.sign_out(session, key, now=NOW),
        lambda key: accounts.change_role(session, user.id, "admin", actor=ADMIN, now=NOW),
        lambda key: accounts.disable(session, user.id, actor=ADMIN, now=NOW),
        lambda key: accounts.invite_again(session, user.id, actor=ADMIN, now=NOW),
    )
    for end in endings:
        accounts.enable(session, user.id, actor=ADMIN, now=NOW)
        session.commit()
        found = accounts.sign_in(session, user.email, make.PASSWORD, vault, now=NOW)
        assert found is not None
        if end is endings[3]:
            accounts.enable(session, user.id, actor=ADMIN, now=NOW)
        end(found[1])
        session.commit()
        assert accounts.find(session, found[1], now=NOW) is None


def test_inviting_again_ends_the_old_password_and_sets_a_new_one(session: Session, vault: Vault) -> None:
    user = make.staff(session)
    code = accounts.invite_again(session, user.id, actor=ADMIN, now=NOW)
    session.commit()
    assert accounts.sign_in(session, user.email, make.PASSWORD, vault, now=NOW) is None
    accounts.accept(session, code, "eleven violet ladders", now=NOW)
    session.commit()
    assert accounts.sign_in(session, user.email, "eleven violet ladders", vault, now=NOW) is not None


def test_a_closed_account_is_not_invited_again(session: Session) -> None:
    user = make.staff(session)
    accounts.disable(session, user.id, actor=ADMIN, now=NOW)
    with pytest.raises(NotAccepted, match="closed"):
        accounts.invite_again(session, user.id, actor=ADMIN, now=NOW)


def test_nobody_changes_their_own_account(session: Session) -> None:
    user = make.staff(session, "admin")
    own = Staff(user.id, user.email, user.role)
    for change in (accounts.disable, accounts.enable, accounts.invite_again):
        with pytest.raises(NotAccepted, match="another admin"):
            change(session, user.id, actor=own, now=NOW)
    with pytest.raises(NotAccepted, match="another admin"):
        accounts.change_role(session, user.id, "funder", actor=own, now=NOW)


def test_an_account_that_is_not_there_and_a_role_that_is_not_one_are_refused(session: Session) -> None:
    user = make.staff(session)
    with pytest.raises(NotAccepted, match="not there"):
        accounts.disable(session, "0" * 16, actor=ADMIN, now=NOW)
    with pytest.raises(NotAccepted, match="roles"):
        accounts.change_role(session, user.id, "owner", actor=ADMIN, now=NOW)


def test_the_list_of_accounts_tells_each_one_s_state(session: Session) -> None:
    make.staff(session, email="active@example.org")
    gone = make.staff(session, email="closed@example.org")
    accounts.disable(session, gone.id, actor=ADMIN, now=NOW)
    accounts.invite(session, "invited@example.org", "admin", actor="system", now=NOW)
    accounts.invite(session, "late@example.org", "admin", actor="system", now=NOW - timedelta(days=8))
    assert [(one.email.partition("@")[0], one.state) for one in accounts.everyone(session, now=NOW)] == [
        ("active", "active"),
        ("closed", "closed"),
        ("invited", "invited"),
        ("late", "invitation ended"),
    ]


def test_every_change_of_an_account_is_on_the_record(session: Session, vault: Vault) -> None:
    user = make.staff(session)
    session.commit()
    accounts.sign_in(session, user.email, "wrong", vault, now=NOW)
    found = accounts.sign_in(session, user.email, make.PASSWORD, vault, now=NOW)
    assert found is not None
    accounts.sign_out(session, found[1], now=NOW)
    accounts.change_role(session, user.id, "funder", actor=ADMIN, now=NOW)
    accounts.disable(session, user.id, actor=ADMIN, now=NOW)
    accounts.enable(session, user.id, actor=ADMIN, now=NOW)
    accounts.invite_again(session, user.id, actor=ADMIN, now=NOW)
    assert list(session.scalars(select(Audit.action).order_by(Audit.id))) == [
        "staff invited",
        "invitation accepted",
        "sign-in refused",
        "signed in",
        "signed out",
        "staff role changed",
        "staff disabled",
        "staff enabled",
        "staff invited again",
    ]
    assert audit.first_break(session) is None
    assert not [row for row in session.scalars(select(Audit)) if "@" in f"{row.actor}{row.object}{row.detail}"]
