"""The one door to answers: what is acknowledged is kept, a repeat is harmless, a clash overwrites nothing."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evalapp import responses, roster
from evalapp.models import Answer, FreeText, Response, Score
from evalapp.responses import AlreadyAnswered, Changed, Given, NotOpen
from evalapp.vault import Vault
from tests import make


def started(session: Session) -> Response:
    place = make.person(session, make.review(session, make.site(session, make.trial(session))))
    asked = make.assignment(session, place)
    return responses.begin(
        session,
        asked.id,
        language="en",
        mode="own_link",
        consent_version="1",
        agreed=True,
        today=asked.opens_on,
    )


def send(session: Session, response: Response, vault: Vault) -> str:
    items = [item.code for item in responses.instrument_of(response).items]
    basis = responses.basis_of(session, response.id, items, vault=vault)
    return responses.submit(session, response.id, vault=vault, today=date(2026, 3, 2), basis=basis)


def test_an_answer_a_blank_and_a_refusal_are_stored_as_what_they_are(session: Session, vault: Vault) -> None:
    response = started(session)
    given = {"BLG1": Given(4), "BLG2": Given(), "BLG3": Given(reason="prefer_not")}
    responses.save(session, response.id, given, vault=vault)
    assert responses.answers(session, response.id, vault=vault) == given
    assert "BLG4" not in responses.answers(session, response.id, vault=vault)  # never shown: no row


def test_nothing_is_accepted_outside_the_window(session: Session) -> None:
    place = make.person(session, make.review(session, make.site(session, make.trial(session))))
    asked = make.assignment(session, place)
    for day in (asked.opens_on - timedelta(days=1), asked.closes_on + timedelta(days=1)):
        with pytest.raises(NotOpen):
            responses.begin(
                session, asked.id, language="en", mode="own_link", consent_version="1", agreed=True, today=day
            )


def test_an_item_the_questionnaire_lacks_is_refused(session: Session, vault: Vault) -> None:
    response = started(session)
    with pytest.raises(KeyError, match="NOSUCH"):
        responses.save(session, response.id, {"NOSUCH": Given(1)}, vault=vault)


def test_the_same_page_twice_is_harmless_and_a_different_one_overwrites_nothing(session: Session, vault: Vault) -> None:
    response = started(session)
    blank = responses.basis_of(session, response.id, ["BLG1"], vault=vault)
    responses.save(session, response.id, {"BLG1": Given(4)}, vault=vault, basis=blank)
    responses.save(session, response.id, {"BLG1": Given(4)}, vault=vault, basis=blank)
    with pytest.raises(Changed) as clash:
        responses.save(session, response.id, {"BLG1": Given(2)}, vault=vault, basis=blank)
    assert clash.value.stored == {"BLG1": Given(4)}
    assert responses.answers(session, response.id, vault=vault) == {"BLG1": Given(4)}


def test_words_are_stored_sealed_and_never_beside_the_answers(session: Session, vault: Vault) -> None:
    response = started(session)
    text_item = next(item.code for item in responses.instrument_of(response).items if item.kind == "long_text")
    responses.save(session, response.id, {text_item: Given("a private matter")}, vault=vault)
    sealed = session.scalars(select(FreeText.sealed)).one()
    assert b"private" not in sealed
    assert session.scalar(select(func.count()).select_from(Answer).where(Answer.item == text_item)) == 0
    assert responses.answers(session, response.id, vault=vault)[text_item] == Given("a private matter")
    responses.save(session, response.id, {text_item: Given()}, vault=vault)
    assert session.scalar(select(func.count()).select_from(FreeText)) == 0


def test_a_repeated_submit_gives_the_same_receipt_and_a_later_page_is_refused(session: Session, vault: Vault) -> None:
    response = started(session)
    responses.save(session, response.id, {"BLG1": Given(4)}, vault=vault)
    items = [item.code for item in responses.instrument_of(response).items]
    basis = responses.basis_of(session, response.id, items, vault=vault)
    receipts = {
        responses.submit(session, response.id, vault=vault, today=date(2026, 3, 2), basis=basis) for _ in range(3)
    }
    assert len(receipts) == 1
    with pytest.raises(AlreadyAnswered):
        responses.save(session, response.id, {"BLG1": Given(2)}, vault=vault)
    with pytest.raises(AlreadyAnswered):
        responses.submit(session, response.id, vault=vault, today=date(2026, 3, 2), basis="another")
    assert responses.by_receipt(session, receipts.pop()) == ("practitioner_before", date(2026, 3, 2))


def test_answers_saved_after_the_check_page_stop_the_submit(session: Session, vault: Vault) -> None:
    response = started(session)
    basis = responses.basis_of(session, response.id, ["BLG1"], vault=vault)
    responses.save(session, response.id, {"BLG1": Given(4)}, vault=vault)
    with pytest.raises(Changed):
        responses.submit(session, response.id, vault=vault, today=date(2026, 3, 2), basis=basis)


def test_scores_are_stored_at_submit_and_rebuilding_them_changes_nothing(session: Session, vault: Vault) -> None:
    response = started(session)
    # BLG1 and BLG2 are reversed: 2 and 1 become 4 and 5; the mean of 4, 5, 4, 5 is 4.5, that is 87.5 of 100
    given = {"BLG1": Given(2), "BLG2": Given(1), "BLG3": Given(4), "BLG4": Given(5)}
    responses.save(session, response.id, given, vault=vault)
    send(session, response, vault)
    stored = {row.scale: row.value for row in session.execute(select(Score.scale, Score.value))}
    assert stored["BLG"] == 87.5
    assert stored["MOR"] is None
    assert responses.rebuild_scores(session, vault=vault) == 0


def test_no_keeps_nothing_and_is_final(session: Session, vault: Vault) -> None:
    response = started(session)
    responses.save(session, response.id, {"BLG1": Given(4)}, vault=vault)
    again = {"language": "en", "mode": "own_link", "consent_version": "1", "today": date(2026, 3, 2)}
    responses.begin(session, response.assignment_id, agreed=False, **again)
    assert responses.answers(session, response.id, vault=vault) == {}
    with pytest.raises(AlreadyAnswered):
        responses.begin(session, response.assignment_id, agreed=True, **again)


def test_a_person_in_two_reviews_counts_once_in_the_first(session: Session, vault: Vault) -> None:
    site = make.site(session, make.trial(session), arm="appreciative")
    first = make.person(session, make.review(session, site, "First", starts_on=date(2026, 3, 10)))
    later = make.review(session, site, "Later", starts_on=date(2026, 3, 20))
    session.flush()
    person = session.get_one(make.Membership, first.id).person_id
    second = roster.add_person(session, later, "manager", person=session.get_one(roster.Person, person))
    for place in (second, first):
        make.answered(session, make.assignment(session, place), vault)
    frame = responses.scores_frame(session, site.trial_id, "MOR", ["before"])
    assert list(frame["review"]) == [first.review_id]
    assert list(frame.columns) == ["site", "review", "participant", "role", "wave", "arm", "stratum", "value"]
    assert list(frame["arm"]) == ["appreciative"]


def test_a_trial_without_answers_gives_empty_frames(session: Session) -> None:
    trial = make.trial(session)
    assert responses.scores_frame(session, trial.id, "BLG", ["before"]).empty
    assert responses.answers_frame(session, trial.id, "practitioner_before", ["BLG1"]).empty
    assert responses.people_frame(session, trial.id).empty


def test_the_people_frame_says_who_was_expected_and_what_became_of_it(session: Session, vault: Vault) -> None:
    review = make.review(session, make.site(session, make.trial(session)))
    make.answered(session, make.assignment(session, make.person(session, review)), vault)
    make.person(session, review, "parent")
    frame = responses.people_frame(session, session.get_one(make.Site, review.site_id).trial_id)
    state = {(row.role, row.wave): row.state for row in frame.itertuples()}
    assert state["practitioner", "before"] == "submitted"
    assert state["parent", "before"] == state["practitioner", "month3"] == "expected"


def test_after_a_death_what_must_not_be_asked_is_not_assigned(session: Session) -> None:
    review = make.review(session, make.site(session, make.trial(session)), outcome="death")
    for wave in ("before", "after"):
        for asked in roster.questionnaires("parent", wave, review):
            assert not asked.not_after_death
