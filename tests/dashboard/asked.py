"""People who answered question by question: rows put in whole, scored as a submit scores them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp.models import Answer, Assignment, Membership, Response, Score, Trial, Wave, random_id
from evalapp.shelf import questionnaire
from instruments import score
from tests import make
from tests.dashboard.crowd import ARMS, LONG_AGO

REFUSED = "prefer_not"


def answer(
    session: Session, place: Membership, wave: str, given: Mapping[str, Any], *, language: str = "en"
) -> Response:
    """A submitted response with these answers: None is a blank, `REFUSED` a refusal."""
    query = select(Assignment).join(Wave, Wave.id == Assignment.wave_id)
    asked = session.scalars(query.where(Assignment.membership_id == place.id, Wave.code == wave)).one()
    response = Response(
        assignment_id=asked.id, instrument=asked.instrument, version=asked.version, language=language, mode="own_link",
        consent_version="1", state="submitted", submitted_on=LONG_AGO, receipt=random_id(), basis="-",
    )  # fmt: skip
    session.add(response)
    session.flush()
    values = {code: None if value == REFUSED else value for code, value in given.items()}
    session.add_all(
        Answer(response_id=response.id, item=code, value=values[code], reason=REFUSED if value == REFUSED else None)
        for code, value in given.items()
    )
    scored = score(questionnaire(asked.instrument, asked.version), {k: v for k, v in values.items() if v is not None})
    session.add_all(Score(response_id=response.id, scale=scale, value=value) for scale, value in scored.items())
    return response


def blame(rng: np.random.Generator, centre: float) -> dict[str, Any]:
    """Answers to the four statements on blame around a centre of 1 to 5, two of them reversed; now and then none."""
    own = centre + rng.normal(0, 0.7)
    given: dict[str, Any] = {}
    for code, is_reversed in (("BLG1", True), ("BLG2", True), ("BLG3", False), ("BLG4", False)):
        value = int(np.clip(round(own + rng.normal(0, 0.6)), 1, 5))
        given[code] = 6 - value if is_reversed else value
    fate = rng.random()
    if fate < 0.08:
        given["BLG2"] = REFUSED
    elif fate < 0.16:
        given["BLG3"] = None
    return given


def people(
    session: Session,
    of: Trial,
    *,
    sites: int = 3,
    reviews: int = 2,
    each: int = 4,
    arms: Iterable[str | None] = ARMS,
    waves: Iterable[str] = ("before", "month3"),
    seed: int = 5,
) -> list[Membership]:
    """Practitioners of `sites` sites an arm who answered the statements on blame, one in five missing at the end."""
    rng = np.random.default_rng(seed)
    found = []
    for arm in arms:
        for number in range(sites):
            site = make.site(session, of, f"{arm or 'place'}-{number}".title(), arm=arm)
            for label in range(reviews):
                review = make.review(session, site, f"Review {label}", starts_on=LONG_AGO)
                for _ in range(each):
                    place = make.person(session, review)
                    found.append(place)
                    for wave in waves:
                        if wave == "before" or rng.random() < 0.8:
                            gain = 0.8 if arm == ARMS[0] and wave != "before" else 0.0
                            answer(session, place, wave, blame(rng, 3 + gain))
    session.commit()
    return found
