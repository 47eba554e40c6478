"""The analysis plan as data: what is measured, what decides, how many sites were foreseen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from analysis.errors import BadData
from analysis.question import DESIGNS, Design

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
        given: object = values  # from a file, so it may be anything; what is no table is refused below
        kind = given.get("kind", "scale") if isinstance(given, Mapping) else "scale"
        if kind not in KINDS:
            raise BadData(f'{where}.kind: "{kind}" is not a kind of outcome; choose from {", ".join(KINDS)}')
        optional = {"baseline_wave", "roles", "smallest_worthwhile", "primary", "kind", "items", "reply"}
        if kind != "scale":
            optional |= {"minimum", "maximum"}
        if kind == "share":
            optional |= {"scale"}
        _known_keys(cls, values, where, optional=optional)
        least, most = _ends(values, kind, where)
        roles = _list(values, "roles", where)
        for role in roles:
            if role not in ROLES:
                raise BadData(f'{where}.roles: "{role}" is not a role; choose from {", ".join(ROLES)}')
        outcome = cls(
            code=_text(values, "code", where),
            label=_text(values, "label", where),
            scale="" if kind == "share" else _text(values, "scale", where),
            wave=_text(values, "wave", where),
            baseline_wave=_optional_text(values, "baseline_wave", where),
            roles=tuple(roles),
            minimum=least,
            maximum=most,
            higher_is_better=None
            if kind == "process" and values["higher_is_better"] is None
            else _flag(values, "higher_is_better", where),
            smallest_worthwhile=_number(values, "smallest_worthwhile", where)
            if values.get("smallest_worthwhile") is not None
            else None,
            primary=_flag(values, "primary", where) if "primary" in values else False,
            kind=kind,
            items=tuple(_texts(values, "items", where)),
            reply=values.get("reply", "agree"),
        )
        _suits_its_kind(outcome, where)
        if outcome.maximum <= outcome.minimum:
            raise BadData(f"{where}.maximum: {outcome.maximum:g} is not above the minimum, {outcome.minimum:g}")
        if outcome.baseline_wave == outcome.wave:
            raise BadData(f'{where}.baseline_wave: "{outcome.wave}" is the wave of the outcome itself')
        worthwhile = outcome.smallest_worthwhile
        if worthwhile is not None and not 0 < worthwhile < outcome.maximum - outcome.minimum:
            raise BadData(f"{where}.smallest_worthwhile: {worthwhile:g} is not a difference within the range")
        return outcome


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
        _known_keys(cls, values, "plan", optional={"planned_sites", "alpha", "level", "seed"})
        design = values["design"]
        if design not in DESIGNS:
            raise BadData(f'plan.design: "{design}" is not a design; choose from {", ".join(DESIGNS)}')
        foreseen = values.get("planned_sites")
        outcomes = tuple(
            Outcome.from_dict(outcome, f"outcomes[{k}]") for k, outcome in enumerate(_list(values, "outcomes", "plan"))
        )
        plan = cls(
            design=design,
            planned_sites=None if foreseen is None else _whole(values, "planned_sites", at_least=2),
            alpha=_number({"alpha": 0.05, **values}, "alpha", "plan"),
            level=_number({"level": 0.95, **values}, "level", "plan"),
            seed=_whole({"seed": 1, **values}, "seed", at_least=0),
            outcomes=outcomes,
        )
        if not 0 < plan.alpha <= 0.5:
            raise BadData(f"plan.alpha: {plan.alpha:g} is not a proportion above 0 and up to 0.5")
        if not 0.5 <= plan.level < 1:
            raise BadData(f"plan.level: {plan.level:g} is not a proportion from 0.5 to below 1")
        codes = [outcome.code for outcome in outcomes]
        twice = next((code for code in codes if codes.count(code) > 1), None)
        if twice is not None:
            raise BadData(f'plan.outcomes: the code "{twice}" is used twice')
        primaries = [outcome.code for outcome in outcomes if outcome.primary]
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


def _ends(values: Mapping[str, Any], kind: Kind, where: str) -> tuple[float, float]:
    """The least and the greatest value an outcome can have: given for a scale, known for the other kinds."""
    if kind == "scale":
        return _number(values, "minimum", where), _number(values, "maximum", where)
    if kind == "process" and values["scale"] not in PROCESSES:
        raise BadData(f'{where}.scale: "{values["scale"]}" is not a process; choose from {", ".join(PROCESSES)}')
    known = PROCESSES[values["scale"]] if kind == "process" else Process("points", 0, 100)
    for key, end in (("minimum", known.minimum), ("maximum", known.maximum)):
        if key in values and _number(values, key, where) != end:
            raise BadData(f"{where}.{key}: is {end:g} for this outcome; leave it out or set it so")
    return known.minimum, known.maximum


def _suits_its_kind(outcome: Outcome, where: str) -> None:
    """Refuse what an outcome of this kind cannot have."""
    if outcome.reply not in REPLIES:
        raise BadData(f'{where}.reply: "{outcome.reply}" is not a reply; choose from {", ".join(REPLIES)}')
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


def _known_keys(kind: type, values: object, where: str, optional: set[str]) -> None:
    if not isinstance(values, Mapping):
        raise BadData(f"{where}: a table of keys and values is needed")
    names = {entry.name for entry in fields(kind)}
    unknown = sorted(str(key) for key in values if key not in names)
    if unknown:
        raise BadData(f"{where}.{unknown[0]}: there is no such key; the keys are {', '.join(sorted(names))}")
    missing = sorted(names - set(values) - optional)
    if missing:
        raise BadData(f"{where}.{missing[0]}: is missing")


def _text(values: Mapping[str, Any], key: str, where: str) -> str:
    value = values[key]
    if not isinstance(value, str) or not value.strip():
        raise BadData(f"{where}.{key}: a text is needed, not {value!r}")
    return value


def _texts(values: Mapping[str, Any], key: str, where: str) -> list[str]:
    found = _list(values, key, where)
    for one in found:
        if not isinstance(one, str) or not one:
            raise BadData(f"{where}.{key}: texts are needed, not {one!r}")
    return found


def _optional_text(values: Mapping[str, Any], key: str, where: str) -> str | None:
    return None if values.get(key) is None else _text(values, key, where)


def _number(values: Mapping[str, Any], key: str, where: str) -> float:
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < float("inf"):
        raise BadData(f"{where}.{key}: a number is needed, not {value!r}")
    return float(value)


def _whole(values: Mapping[str, Any], key: str, at_least: int) -> int:
    value = values[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise BadData(f"plan.{key}: a whole number from {at_least} upwards is needed, not {value!r}")
    return value


def _flag(values: Mapping[str, Any], key: str, where: str) -> bool:
    value = values[key]
    if not isinstance(value, bool):
        raise BadData(f"{where}.{key}: true or false is needed, not {value!r}")
    return value


def _list(values: Mapping[str, Any], key: str, where: str) -> list[Any]:
    value = values.get(key, [])
    if not isinstance(value, list | tuple):
        raise BadData(f"{where}.{key}: a list is needed, not {value!r}")
    return list(value)
