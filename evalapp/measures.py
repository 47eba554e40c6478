"""What is compared besides scores of scales: shares of people who gave a reply, and what is known of each review itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from analysis.plan import Outcome
from evalapp import responses
from evalapp.models import Allocation, Arm, Assignment, Membership, Response, Review, Site, Wave
from evalapp.shelf import questionnaire

if TYPE_CHECKING:
    import pandas as pd

AGREE, DISAGREE = 4, 2  # of five: agree or strongly agree, disagree or strongly disagree
FIDELITY_FORMS = {"facilitator": "fidelity_facilitator", "observer": "fidelity_observer"}
COLUMNS = ["site", "review", "participant", "role", "wave", "arm", "stratum", "value"]


def shares(session: Session, trial_id: str, outcome: Outcome) -> pd.DataFrame:
    """100 for each person who gave the reply to every one of the items, 0 for others: columns as `responses.scores_frame`.

    One reply that is another settles it; otherwise someone who left an item blank or refused it is missing, and left out.
    A person in several reviews counts in the first. Items are read from every questionnaire of the wave that asks all of
    them with five answers: easier forms with three are another question.
    """
    return _people(session, trial_id, outcome, replies(session, trial_id, outcome))


def each_share(session: Session, trial_id: str, outcome: Outcome) -> dict[str, pd.DataFrame]:
    """The same of each item alone, by its code."""
    given = replies(session, trial_id, outcome)
    return {item: _people(session, trial_id, outcome, given[given["item"] == item], items=1) for item in outcome.items}


def replies(session: Session, trial_id: str, outcome: Outcome) -> pd.DataFrame:
    """A row an item answered by someone whose role counts: 1 where the reply is the one counted, else 0."""
    import pandas as pd  # noqa: PLC0415  (kept out of the participant's path: importing it takes a second)

    asked = responses.questionnaires_of(session, trial_id)
    names = sorted(
        {name for wave, name, version in asked if wave == outcome.wave and _asks(name, version, outcome.items)}
    )
    frames = [responses.answers_frame(session, trial_id, name, outcome.items) for name in names]
    if not frames:
        return pd.DataFrame(columns=["site", "review", "participant", "role", "arm", "item", "value"])
    found = pd.concat(frames, ignore_index=True)
    found = found[(found["wave"] == outcome.wave) & found["review"].notna() & found["value"].notna()]
    if outcome.roles:
        found = found[found["role"].isin(outcome.roles)]
    codes = pd.to_numeric(found["value"])
    counted = codes >= AGREE if outcome.reply == "agree" else codes <= DISAGREE
    return found.assign(value=counted.astype(float)).drop(columns=["wave", "reason"])


def processes(session: Session, trial_id: str, outcome: Outcome) -> pd.DataFrame:
    """One row a review that has the quantity; columns as `responses.scores_frame`, the review standing for a participant.

    Days are counted as their natural logarithm where they are compared as a ratio.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    reviews = _reviews(session, trial_id)
    values = _PROCESSES[outcome.scale](session, trial_id, reviews)
    found = reviews.assign(value=reviews["review"].map(values).astype(float))
    found = found[found["value"].between(outcome.minimum, outcome.maximum)]  # beyond it the record is at fault
    return pd.DataFrame(found.assign(participant=found["review"], role=None, wave=outcome.wave))[COLUMNS].reset_index(
        drop=True
    )


def fidelities(session: Session, trial_id: str) -> pd.DataFrame:
    """`analysis.measures.fidelity` of each review that was scored, with its site and arm."""
    from analysis.measures.fidelity import fidelity  # noqa: PLC0415  (as above)

    return _reviews(session, trial_id)[["site", "review", "arm"]].merge(
        fidelity(scorings(session, trial_id)), on="review"
    )


def scorings(session: Session, trial_id: str) -> pd.DataFrame:
    """The grades of fidelity that each person gave a review: review, participant, FID1 … FID12 (0, 1, 2), scorer."""
    import pandas as pd  # noqa: PLC0415  (as above)

    from analysis.measures.fidelity import CRITERIA  # noqa: PLC0415

    frames = []
    for scorer, instrument in FIDELITY_FORMS.items():
        given = responses.answers_frame(session, trial_id, instrument, CRITERIA)
        given = given[given["review"].notna()].assign(value=pd.to_numeric(given["value"]))
        wide = given.pivot_table(index=["review", "participant"], columns="item", values="value", aggfunc="first")
        frames.append(wide.reindex(columns=list(CRITERIA)).reset_index().assign(scorer=scorer))
    return pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)


def invited(session: Session, trial_id: str, role: str, wave: str) -> pd.DataFrame:
    """Everyone of a role in a review that has ended, and whether they were asked anything at a wave.

    Columns: review, participant, arm, invited. Whoever was not asked was kept from it by the gate: it was not safe, lawful
    or kind, or the child had died.
    """
    import pandas as pd  # noqa: PLC0415  (as above)

    asked = (
        select(Assignment.id)
        .join(Wave, Wave.id == Assignment.wave_id)
        .where(Assignment.membership_id == Membership.id, Wave.code == wave)
        .correlate(Membership)
        .exists()
    )
    query = (
        select(Membership.review_id, Membership.person_id, Arm.code, asked)
        .join(Review, Review.id == Membership.review_id)
        .outerjoin(Allocation, Allocation.site_id == Membership.site_id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(responses.at_its_sites(), Membership.role == role, Review.ends_on.is_not(None))
    )
    found = [tuple(row) for row in responses.site_by_site(session, trial_id, query)]
    return pd.DataFrame(found, columns=["review", "participant", "arm", "invited"])


def arrivals(session: Session, trial_id: str) -> list[tuple[str, str, date | None]]:
    """(what, which one, the day it came) of every site, review and person: "sites", "reviews", or a person's role.

    A site came when it joined, a review when it began, a person when they first sent a questionnaire. None where the day is
    not recorded; a person who sent nothing is not among them.
    """
    sites = session.execute(select(Site.id, Site.joined_on).where(Site.trial_id == trial_id))
    reviews = session.execute(
        select(Review.id, Review.starts_on).join(Site, Site.id == Review.site_id).where(Site.trial_id == trial_id)
    )
    people = session.execute(
        select(Membership.role, Membership.person_id, func.min(Response.submitted_on))
        .join(Assignment, Assignment.membership_id == Membership.id)
        .join(Response, Response.assignment_id == Assignment.id)
        .join(Site, Site.id == Membership.site_id)
        .where(Site.trial_id == trial_id, Response.state == "submitted")
        .group_by(Membership.role, Membership.person_id)
    )
    return [
        *(("sites", one, day) for one, day in sites),
        *(("reviews", one, day) for one, day in reviews),
        *((role, one, day) for role, one, day in people),
    ]


def _asks(name: str, version: int, items: tuple[str, ...]) -> bool:
    codes = {item.code: len(item.codes) for item in questionnaire(name, version).items}
    return all(codes.get(item) == 5 for item in items)


def _people(
    session: Session, trial_id: str, outcome: Outcome, given: pd.DataFrame, *, items: int | None = None
) -> pd.DataFrame:
    """From replies to a value a person: 0 as soon as one reply is another, 100 when all were given, otherwise left out."""
    reviews = _reviews(session, trial_id).set_index("review")
    keys = ["participant", "review", "site", "role"]
    found = given.groupby(keys, as_index=False, sort=True)["value"].agg(["min", "count"])
    found = found[(found["min"] == 0) | (found["count"] == (items or len(outcome.items)))]
    found = found.assign(
        value=found["min"] * 100.0,
        wave=outcome.wave,
        arm=found["review"].map(reviews["arm"]),
        stratum=found["review"].map(reviews["stratum"]),
        starts_on=found["review"].map(reviews["starts_on"]),
    )
    found = found.sort_values(["starts_on", "review"], kind="stable").drop_duplicates("participant")
    return found[COLUMNS].reset_index(drop=True)


def _reviews(session: Session, trial_id: str) -> pd.DataFrame:
    """Every review of the trial: site, review, arm, stratum, its days; None where they are not known."""
    import pandas as pd  # noqa: PLC0415  (as above)

    query = (
        select(
            Site.id, Review.id, Arm.code, Allocation.stratum, Review.starts_on,
            Review.triggered_on, Review.reported_on, Review.contact_days,
        )
        .join(Site, Site.id == Review.site_id)
        .outerjoin(Allocation, Allocation.site_id == Site.id)
        .outerjoin(Arm, Arm.id == Allocation.arm_id)
        .where(Site.trial_id == trial_id)
        .order_by(Site.name, Review.label)
    )  # fmt: skip
    columns = ["site", "review", "arm", "stratum", "starts_on", "triggered_on", "reported_on", "contact_days"]
    return pd.DataFrame(session.execute(query).all(), columns=columns, dtype=object)


Values = dict[str, float]


def _of_fidelity(name: str) -> Callable[[Session, str, pd.DataFrame], Values]:
    def values(session: Session, trial_id: str, reviews: pd.DataFrame) -> Values:  # noqa: ARG001
        found = fidelities(session, trial_id)
        return dict(zip(found["review"], found[name], strict=True))

    return values


def _contact_days(session: Session, trial_id: str, reviews: pd.DataFrame) -> Values:  # noqa: ARG001
    return {row.review: float(row.contact_days) for row in reviews.itertuples() if row.contact_days is not None}


def _days_to_report(session: Session, trial_id: str, reviews: pd.DataFrame) -> Values:  # noqa: ARG001
    """Log-days from what made people hold the review to its report; a report on the very day counts as one day."""
    return {
        row.review: math.log(max((row.reported_on - row.triggered_on).days, 1))
        for row in reviews.itertuples()
        if row.reported_on is not None and row.triggered_on is not None
    }


def _coded(item: str) -> Callable[[Session, str, pd.DataFrame], Values]:
    """The mean over a review's scorers of what they coded; a yes counts as 100."""

    def values(session: Session, trial_id: str, reviews: pd.DataFrame) -> Values:  # noqa: ARG001
        import pandas as pd  # noqa: PLC0415  (as above)

        frames = [responses.answers_frame(session, trial_id, one, [item]) for one in FIDELITY_FORMS.values()]
        given = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
        given = given[given["value"].notna()]
        numbers = given["value"].map(lambda one: {"yes": 100.0, "no": 0.0}.get(one, one)).astype(float)
        found = numbers.groupby(given["review"]).mean()
        return {str(review): float(value) for review, value in found.items()}

    return values


_PROCESSES: dict[str, Callable[[Session, str, pd.DataFrame], Values]] = {
    "fidelity": _of_fidelity("fidelity"),
    "high_fidelity": _of_fidelity("high_fidelity"),
    "contact_days": _contact_days,
    "days_to_report": _days_to_report,
    "new_idea": _coded("NEWIDEA"),
    "own_actions": _coded("OWNACT"),
}
