"""Trials with people who answered: rows put in whole, as a submit leaves them, since here only what is shown matters."""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from evalapp.models import Assignment, Membership, Response, Score, Trial, Wave, random_id
from tests import make

PLAN: dict[str, Any] = {
    "design": "randomised",
    "planned_sites": 12,
    "outcomes": [
        {
            "code": "blame", "label": "Freedom from blame", "scale": "BLG", "wave": "month3", "baseline_wave": "before",
            "roles": ["practitioner"], "minimum": 0, "maximum": 100, "higher_is_better": True, "smallest_worthwhile": 8,
            "primary": True,
        },
        {
            "code": "affirmed", "label": "Parents affirmed", "scale": "AFF", "wave": "after", "baseline_wave": "before",
            "roles": ["parent"], "minimum": 0, "maximum": 100, "higher_is_better": True, "smallest_worthwhile": 8,
            "primary": False,
        },
    ],
}  # fmt: skip
ARMS = ("appreciative", "traditional")
LONG_AGO = date(2025, 9, 1)  # every window of these reviews has closed


def answer(session: Session, place: Membership, wave: str, day: date = LONG_AGO, **scores: float) -> None:
    """A submitted response with these scores; a place without such a questionnaire is an error."""
    query = select(Assignment).join(Wave, Wave.id == Assignment.wave_id)
    asked = session.scalars(query.where(Assignment.membership_id == place.id, Wave.code == wave)).one()
    response = Response(
        assignment_id=asked.id, instrument=asked.instrument, version=asked.version, language="en", mode="own_link",
        consent_version="1", state="submitted", submitted_on=day, receipt=random_id(), basis="-",
    )  # fmt: skip
    session.add(response)
    session.flush()
    session.add_all(Score(response_id=response.id, scale=scale, value=value) for scale, value in scores.items())


def trial(session: Session, **facts: Any) -> Trial:
    facts = {"plan": PLAN, "planned_sites": 12, "targets": {"sites": 12, "practitioners": 100}, **facts}
    return make.trial(session, **facts)


def people(
    session: Session,
    of: Trial,
    *,
    sites: int = 3,
    reviews: int = 2,
    each: int = 4,
    arms: Iterable[str | None] = ARMS,
    effect: float = 15.0,
    seed: int = 1,
    waves: Iterable[str] = ("before", "month3"),
    prefix: str = "",
    scheme: str = "complete",
) -> list[Membership]:
    """Practitioners at `sites` sites an arm, `reviews` reviews a site, `each` people a review, who all answered."""
    rng = np.random.default_rng(seed)
    found = []
    for arm in arms:
        for number in range(sites):
            site = make.site(session, of, f"{prefix}{arm or 'place'}-{number}".title(), arm=arm, scheme=scheme)
            level = rng.normal(50, 4)
            for label in range(reviews):
                review = make.review(session, site, f"Review {label}", starts_on=LONG_AGO)
                for _ in range(each):
                    place = make.person(session, review)
                    found.append(place)
                    gain = effect if arm == ARMS[0] else 0.0
                    own = level + rng.normal(0, 12)
                    for wave in waves:
                        value = own + rng.normal(0, 6) + (gain if wave != "before" else 0)
                        answer(session, place, wave, BLG=float(np.clip(round(value / 5) * 5, 0, 100)))
    session.commit()
    return found
