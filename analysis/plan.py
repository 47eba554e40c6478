"""The analysis plan as data: what is measured, what decides, how many sites were foreseen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from analysis.errors import BadData
from analysis.question import DESIGNS, Design
from analysis.reader import Reader

Role = Literal["practitioner", "manager", "leader", "parent", "young_person", "facilitator", "observer"]
ROLES: tuple[Role, ...] = get_args(Role)

Kind = Literal["scale", "share", "process"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Reply = Literal["agree", "disagree"]
REPLIES: tuple[Reply, ...] = get_args(Reply)


@dataclass(frozen=True)
class Process:
    """A quantity of a case review, known once a review.

    unit : "points" out of 100; "reviews" in 100; "days"; "number"; or "times", natural logarithms of days, whose
    differences are ratios.
    """

    unit: Literal["points", "reviews", "days", "times", "number"]
    minimum: float
    maximum: float


# By its name in `Outcome.scale`.
PROCESSES = {
    "fidelity": Process("points", 0, 100),
    "high_fidelity": Process("reviews", 0, 100),
    "contact_days": Process("days", 1, 366),
    "days_to_report": Process("times", 0, 8.5),
    "new_idea": Process("reviews", 0, 100),
    "own_actions": Process("number", 0, 1000),
}


@dataclass(frozen=True)
class Outcome:
    """One outcome of the plan.

    code, label : short name and name for people.
    kind : "scale", a score of people; "share", people in 100 who gave one reply to every one of some items; "process",
    a quantity of reviews. Shares and processes are compared on site means.
    scale : code of the scale, or the process's name in PROCESSES; "" of a share.
    items, reply : of a share, the items and the reply counted ("agree": agree or strongly agree).
    wave, baseline_wave : when it is compared; when its baseline was taken (None: not adjusted, no change).
    roles : whose answers count, () for everyone's.    minimum, maximum : of the score, in its own points.
    higher_is_better : None for a process that only says whether the groups worked differently.
    smallest_worthwhile : difference in points below which it does not matter, or None.
    """

    code: str
    label: str
    scale: str
    wave: str
    baseline_wave: str | None
    roles: tuple[Role, ...]
    minimum: float
    maximum: float
    higher_is_better: bool | None
    smallest_worthwhile: float | None
    primary: bool
    kind: Kind = "scale"
    items: tuple[str, ...] = ()
    reply: Reply = "agree"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "outcome") -> "Outcome":
        """Read one outcome; BadData names the key that is missing, unknown or wrong."""
        return _outcome(Reader(values, where))


@dataclass(frozen=True)
class Plan:
    """What was decided before the answers were seen.

    planned_sites : sites with follow-up foreseen, which chooses the primary method; None makes every result exploratory.
    alpha : two-sided.    level : of intervals.    seed : of anything drawn.
    """

    design: Design
    planned_sites: int | None
    alpha: float
    level: float
    seed: int
    outcomes: tuple[Outcome, ...]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """Read a plan; BadData names the key that is missing, unknown or wrong."""
        top = Reader(values, "plan")
        plan = cls(
            design=top.choice("design", DESIGNS),  # type: ignore[arg-type]  # the choices are the literal's
            planned_sites=top.optional_whole("planned_sites", at_least=2),
            alpha=top.number("alpha", 0.05),
            level=top.number("level", 0.95),
            seed=top.whole("seed", 0, 1),
            outcomes=tuple(_outcome(one) for one in top.tables("outcomes", needed=True)),
        )
        top.finish()
        if not 0 < plan.alpha <= 0.5:
            raise BadData(f"plan.alpha: {plan.alpha:g} is not a proportion above 0 and up to 0.5")
        if not 0.5 <= plan.level < 1:
            raise BadData(f"plan.level: {plan.level:g} is not a proportion from 0.5 to below 1")
        codes = [outcome.code for outcome in plan.outcomes]
        twice = next((code for code in codes if codes.count(code) > 1), None)
        if twice is not None:
            raise BadData(f'plan.outcomes: the code "{twice}" is used twice')
        primaries = [outcome.code for outcome in plan.outcomes if outcome.primary]
        if len(primaries) != 1:
            raise BadData(f"plan.outcomes: {len(primaries)} are primary ({', '.join(primaries) or 'none'}); mark one")
        return plan

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values; `Plan.from_dict` reads them back to an equal plan."""
        values = asdict(self)
        values["outcomes"] = [
            {**outcome, "roles": list(outcome["roles"]), "items": list(outcome["items"])}
            for outcome in values["outcomes"]
        ]
        return values

    @property
    def primary(self) -> Outcome:
        """The outcome that decides."""
        return next(outcome for outcome in self.outcomes if outcome.primary)


def _outcome(given: Reader) -> Outcome:
    kind: Kind = given.choice("kind", KINDS, "scale")  # type: ignore[assignment]  # the choices are the literal's
    scale = "" if kind == "share" else given.text("scale")
    if kind == "share":
        given.pass_over("scale")
    least, most = _ends(given, kind, scale)
    outcome = Outcome(
        code=given.text("code"),
        label=given.text("label"),
        scale=scale,
        wave=given.text("wave"),
        baseline_wave=given.optional("baseline_wave"),
        roles=given.texts("roles", ROLES),  # type: ignore[arg-type]  # as above
        minimum=least,
        maximum=most,
        higher_is_better=given.flag_or_null("higher_is_better")
        if kind == "process"
        else given.flag("higher_is_better"),
        smallest_worthwhile=given.optional_number("smallest_worthwhile"),
        primary=given.flag("primary", usual=False),
        kind=kind,
        items=given.texts("items"),
        reply=given.choice("reply", REPLIES, "agree"),  # type: ignore[arg-type]  # as above
    )
    given.finish()
    _suits_its_kind(outcome, given.where)
    if outcome.maximum <= outcome.minimum:
        raise BadData(f"{given.where}.maximum: {outcome.maximum:g} is not above the minimum, {outcome.minimum:g}")
    if outcome.baseline_wave == outcome.wave:
        raise BadData(f'{given.where}.baseline_wave: "{outcome.wave}" is the wave of the outcome itself')
    worthwhile = outcome.smallest_worthwhile
    if worthwhile is not None and not 0 < worthwhile < outcome.maximum - outcome.minimum:
        raise BadData(f"{given.where}.smallest_worthwhile: {worthwhile:g} is not a difference within the range")
    return outcome


def _ends(given: Reader, kind: Kind, scale: str) -> tuple[float, float]:
    """The least and the greatest value an outcome can have: given for a scale, known for the other kinds."""
    if kind == "scale":
        return given.number("minimum"), given.number("maximum")
    if kind == "process" and scale not in PROCESSES:
        raise BadData(f'{given.where}.scale: "{scale}" is not a process; choose from {", ".join(PROCESSES)}')
    known = PROCESSES[scale] if kind == "process" else Process("points", 0, 100)
    for key, end in (("minimum", known.minimum), ("maximum", known.maximum)):
        if given.optional_number(key) not in {None, end}:
            raise BadData(f"{given.where}.{key}: is {end:g} for this outcome; leave it out or set it so")
    return known.minimum, known.maximum


def _suits_its_kind(outcome: Outcome, where: str) -> None:
    """Refuse what an outcome of this kind cannot have."""
    if outcome.kind == "share" and not outcome.items:
        raise BadData(f"{where}.items: a share needs the items whose replies are counted")
    if outcome.kind != "share" and outcome.items:
        raise BadData(f"{where}.items: only a share counts replies to items; take them out")
    if outcome.kind != "scale" and outcome.baseline_wave is not None:
        raise BadData(
            f"{where}.baseline_wave: a {outcome.kind} has no baseline; the groups' sites are compared as they are"
        )
    if outcome.kind == "process" and outcome.roles:
        raise BadData(f"{where}.roles: a process belongs to the review, not to a role; take them out")
    if outcome.kind != "scale" and outcome.primary:
        raise BadData(f"{where}.primary: the outcome that decides is a scale, not a {outcome.kind}")
