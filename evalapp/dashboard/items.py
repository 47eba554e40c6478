"""Everything a trial asks, scale by scale and item by item: what was asked when, what was answered, and its figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from analysis.plan import ROLES, Outcome, Plan
from analysis.question import Design
from evalapp import findings, responses
from evalapp.dashboard import pictures
from evalapp.dashboard.board import ROLE_NAMES
from evalapp.figures import (
    Answered,
    Bar,
    Bars,
    Distribution,
    Diverging,
    Figure,
    Forest,
    Missing,
    Multiples,
    Panel,
    Row,
    Series,
    Statement,
    Table,
)
from evalapp.figures.diverging import MOST_ANSWERS
from evalapp.figures.drawing import CONTROL, LOOKS, TREATMENT, Cell, Look, number
from evalapp.findings import POOLED, WAVE_NAMES, WAVE_PHRASES, Measured
from evalapp.kept import kept
from evalapp.models import WAVES, Trial
from evalapp.responses import TEXT_KINDS, Asked
from evalapp.shelf import questionnaire
from instruments import Instrument, Item, Scale

if TYPE_CHECKING:
    import pandas as pd

SITES_A_PAGE = 24  # a page of small multiples that a telephone still shows at once
ORDERED = ("agreement", "faces", "pictures", "rating")
TOGETHER = "Both groups together"
Arms = tuple[tuple[str, str], tuple[str, str]]  # (code, label) of the treatment, then of the control
Named = dict[str, tuple[str, Figure]]  # figures by name, each with its finding
MOST_LINES = 20  # different numbers that get a line each; more are banded


@dataclass(frozen=True)
class Family:
    """One questionnaire through the waves (a role's, or a version of it such as easy read): never mixed with another.

    asked : what was asked of it, by wave in the trial's order.
    """

    name: str
    asked: tuple[Asked, ...]

    @cached_property
    def instruments(self) -> dict[str, Instrument]:
        """The questionnaire of each wave, at the latest version asked there."""
        return {one.wave: questionnaire(one.instrument, one.version) for one in self.asked}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.instrument for one in self.asked))

    @property
    def title(self) -> str:
        """Who answers it, and how it differs from their usual questionnaire."""
        roles = list(dict.fromkeys(role for one in self.instruments.values() for role in one.roles))
        everyone = len(roles) > 3
        told = "Several roles" if everyone else _listed([ROLE_NAMES[role] for role in roles])
        parts = {part for role in roles for part in role.split("_")}
        rest = [part for part in self.name.split("_") if everyone or part not in parts]
        return f"{told} ({' '.join(rest)})" if rest else told

    @property
    def scales(self) -> dict[str, Scale]:
        """Every scale by code, as its latest wave has it."""
        return {scale.code: scale for one in self.instruments.values() for scale in one.scales}

    @property
    def items(self) -> dict[str, Item]:
        """Every closed question by code, as its latest wave has it."""
        return {item.code: item for one in self.instruments.values() for item in one.items if is_closed(item)}

    @property
    def alone(self) -> tuple[Item, ...]:
        """Closed questions that belong to no scale."""
        scaled = {code for one in self.scales.values() for code in one.items}
        return tuple(item for code, item in self.items.items() if code not in scaled)

    @property
    def mixed(self) -> str:
        """Which versions were asked at one wave and are counted together, in a sentence; empty when there is one each."""
        told = []
        for wave in dict.fromkeys(one.wave for one in self.asked):
            versions = sorted({one.version for one in self.asked if one.wave == wave})
            if len(versions) > 1:
                told.append(f"{_listed([str(one) for one in versions])} {WAVE_PHRASES[wave]}")
        return f"Several versions are counted together: {'; '.join(told)}." if told else ""

    def waves_of(self, scale: str) -> tuple[str, ...]:
        return tuple(wave for wave, one in self.instruments.items() if any(each.code == scale for each in one.scales))

    def waves_asking(self, item: str) -> tuple[str, ...]:
        return tuple(wave for wave, one in self.instruments.items() if any(each.code == item for each in one.items))


def families(session: Session, trial: Trial) -> tuple[Family, ...]:
    """What a trial asks, by family, in the order in which each is first asked."""
    found: dict[str, list[Asked]] = {}
    for one in kept(session, (trial.id, "asked"), lambda: responses.asked_of(session, trial.id)):
        found.setdefault(family_of(one.instrument), []).append(one)
    return tuple(Family(name, tuple(asked)) for name, asked in found.items())


def family_of(instrument: str) -> str:
    """The name without its wave: practitioner_before and practitioner_month3 are one family."""
    return "_".join(part for part in instrument.split("_") if part not in WAVES) or instrument


def is_closed(item: Item) -> bool:
    return item.kind != "information" and item.kind not in TEXT_KINDS


@dataclass(frozen=True)
class Counted:
    """One question at one wave in one group: people who gave each value, and who gave none."""

    item: str
    wave: str
    arm: str
    given: dict[Any, int]
    refused: int
    blank: int

    @property
    def answered(self) -> int:
        return sum(self.given.values())


Counts = dict[tuple[str, str, str], Counted]


def counts(session: Session, trial: Trial, family: Family, items: Iterable[str], *, by_arm: bool) -> Counts:
    """Answers by (item, wave, arm); everyone together (`findings.POOLED`) unless `by_arm`."""
    tally = responses.answers_tally(session, trial.id, family.names, list(items), by_arm=by_arm)
    found: Counts = {}
    for row in tally.itertuples(index=False):
        arm = row.arm if by_arm else POOLED
        key = (row.item, row.wave, arm)
        one = found.setdefault(key, Counted(row.item, row.wave, arm, {}, 0, 0))
        people = int(row.people)
        if row.value is not None:
            one.given[row.value] = one.given.get(row.value, 0) + people
        elif row.reason is not None:
            found[key] = replace(one, refused=one.refused + people)
        else:
            found[key] = replace(one, blank=one.blank + people)
    return found


@dataclass(frozen=True)
class View:
    """One scale as an evaluator looks at it.

    frame : site, review, wave, arm, value: a row a person and wave; arms together while results are closed.
    how : the scale as an outcome at the wave looked at, with the waves that may be drawn with it.
    planned : the plan's own outcome of this scale, where there is one.   apart : why other waves are not drawn with it.
    """

    trial: Trial
    family: Family
    scale: Scale
    frame: pd.DataFrame
    unscored: dict[str, int]
    how: Measured
    planned: Outcome | None
    apart: str
    by_arm: bool
    level: float
    names: dict[str, tuple[str, str | None]]

    @property
    def wave(self) -> str:
        return self.how.outcome.wave

    @property
    def sites(self) -> list[str]:
        """Ids of the sites with people at a wave drawn, by name."""
        here = set(self.frame.loc[self.frame["wave"].isin(self.how.waves), "site"])
        return sorted(here & set(self.names), key=lambda site: self.names[site][0])

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.sites) // SITES_A_PAGE))


def look(
    session: Session, trial: Trial, plan: Plan | None, family: Family, code: str, wave: str, *, by_arm: bool
) -> View:
    """A scale at a wave ("" for the plan's, or the last somebody has answered), its scores counted by the database."""
    key = (trial.id, family.name, "scores", code)
    frame, unscored = people_of(
        kept(session, key, lambda: responses.scores_tally(session, trial.id, code, family.names))
    )
    waves = family.waves_of(code)
    answered = [one for one in waves if (frame["wave"] == one).any()]
    planned = planned_outcome(plan, family, code)
    if not wave:
        prefer = planned.wave if planned and planned.wave in answered else ""
        wave = prefer or (answered or list(waves))[-1]
    scale = family.instruments[wave].scale(code)
    together, apart = _comparable(family, code, waves, wave)
    names = findings.arm_by_site(session, trial.id) if by_arm else {}
    arms = {site: arm for site, (_, arm) in names.items()}
    frame["arm"] = frame["site"].map(arms).astype(object) if by_arm else POOLED
    outcome = outcome_of(scale, wave, planned, frame)
    how = Measured(outcome, together, change=False, why_not=apart, arms=findings.arms_of(trial))
    level = plan.level if plan else 0.95
    return View(trial, family, scale, frame, unscored, how, planned, apart, by_arm, level, names)


def people_of(tally: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """A tally of scores as a row a person, and how many by wave had answered too little for a score."""
    scored = tally["value"].notna()
    frame = tally.loc[scored, ["site", "review", "wave", "value"]]
    frame = frame.loc[frame.index.repeat(tally.loc[scored, "people"])].reset_index(drop=True)
    without = tally.loc[~scored].groupby("wave")["people"].sum()
    return frame, {str(wave): int(people) for wave, people in without.items()}


def exploratory(session: Session, trial: Trial, view: View, design: Design) -> Measured:
    """A scale as an outcome to be compared though the plan does not: adjusted for its first answers where they are fit."""
    earlier = [wave for wave in view.how.waves if _order(wave) < _order(view.wave)]
    roles = tuple(role for role in ROLES if role in view.family.instruments[view.wave].roles)
    outcome = replace(view.how.outcome, baseline_wave=earlier[0] if earlier else None, roles=roles)
    return findings.measured(session, trial, outcome, design)


def planned_outcome(plan: Plan | None, family: Family, code: str) -> Outcome | None:
    """The plan's outcome scored from this scale among these people; None for a scale the plan does not name."""
    for one in plan.outcomes if plan else ():
        roles = {role for each in family.instruments.values() for role in each.roles}
        here = one.scale == code and one.wave in family.waves_of(code)
        if here and (not one.roles or roles & set(one.roles)):
            return one
    return None


def outcome_of(scale: Scale, wave: str, planned: Outcome | None, frame: pd.DataFrame) -> Outcome:
    """A scale as an outcome, so that it is drawn and compared as the plan's own are."""
    low, high = (0.0, 100.0) if scale.reported == "0-100" else (scale.minimum, scale.maximum)
    if low is None or high is None:  # a measure from a file: the plan knows its range, or else the answers do
        ends = (frame["value"].min(), frame["value"].max()) if len(frame) else (0.0, 1.0)
        low, high = (
            (planned.minimum, planned.maximum) if planned else (float(ends[0]), max(ends[0] + 1, float(ends[1])))
        )
    better = scale.higher_is_better if scale.higher_is_better is not None else True
    return Outcome(
        code=scale.code, label=scale.title, scale=scale.code, wave=wave, baseline_wave=None, roles=(), minimum=low,
        maximum=high, higher_is_better=better, smallest_worthwhile=None, primary=False,
    )  # fmt: skip


def _comparable(family: Family, code: str, waves: tuple[str, ...], wave: str) -> tuple[tuple[str, ...], str]:
    """The waves at which a scale asks about the same thing as at `wave`, and a sentence on those where it does not."""
    about = {one: family.instruments[one].scale(code).referent or "the same thing" for one in waves}
    together = tuple(one for one in waves if about[one] == about[wave])
    others = [one for one in waves if one not in together]
    if not others:
        return together, ""
    told = _listed([f"about {about[one]} {WAVE_PHRASES[one]}" for one in others])
    return together, (
        f"The statements are about {about[wave]} {WAVE_PHRASES[wave]} and {told}, so no change is drawn between them."
    )


def figures(view: View, found: Counts, page: int) -> Named:
    """The figures of a scale's page by name; none at the waves drawn while nobody has answered."""
    how, level, by_arm = view.how, view.level, view.by_arm
    here = view.frame[view.frame["wave"] == view.wave]
    drawn: Named = {}
    if len(here):
        means = findings.means(view.frame, level)
        told = [
            f"{number(means[code, view.wave].mean, 0 if how.is_percent else 1)} in {_group(label)}"
            for code, label, _ in findings.labels(how, by_arm=by_arm)
            if (code, view.wave) in means
        ]
        when = WAVE_PHRASES[view.wave]
        mean = (
            f"{view.scale.title} {when}: mean {_listed(told)}, {how.unit}." if told else f"{view.scale.title} {when}."
        )
        drawn["profile"] = (mean, pictures.profile(view.frame, how, level, by_arm=by_arm))
        drawn["distribution"] = (
            f"How {len(here)} people's scores were spread {when}{_unscored(view)}.",
            pictures.distribution(view.frame, how, level, by_arm=by_arm),
        )
    drawn |= _statements(view, found)
    if by_arm and view.sites:
        drawn |= _by_site(view, page)
    return drawn


def _unscored(view: View) -> str:
    count = view.unscored.get(view.wave, 0)
    return f"; {count} more answered too few of its statements for a score" if count else ""


def _by_site(view: View, page: int) -> Named:
    """The forest of sites and their small multiples, a page of sites at a time."""
    from analysis.summary import site_means  # noqa: PLC0415  (pandas stays out of the participant's path)

    how, level = view.how, view.level
    chosen = view.sites[SITES_A_PAGE * (page - 1) : SITES_A_PAGE * page]
    arms = [code for code, _ in how.arms]
    frame = view.frame[view.frame["site"].isin(chosen) & view.frame["arm"].isin(arms)]
    review = "review" if frame["review"].notna().all() else None  # a site's own survey is outside its reviews
    found = {
        (one.site, wave): one
        for wave in how.waves
        for one in site_means(frame[frame["wave"] == wave], "value", "arm", "site", review, level)
    }
    looks = {how.arms[0][0]: TREATMENT, how.arms[1][0]: CONTROL}
    shown = [site for site in chosen if view.names[site][1] in looks]
    if not shown:
        return {}
    rows = []
    means = findings.means(view.frame, level)
    for code, label, look in findings.labels(how, by_arm=True):
        rows += [
            Row(view.names[site][0], pictures.value_of(found.get((site, view.wave)), how), LOOKS[look])
            for site in shown
            if view.names[site][1] == code
        ]
        rows.append(
            Row(f"All {label}", pictures.value_of(means.get((code, view.wave)), how), LOOKS[look], overall=True)
        )
    key = ((how.arms[0][1], TREATMENT), (how.arms[1][1], CONTROL))
    decimals = 0 if how.is_percent else 1
    when = WAVE_PHRASES[view.wave]
    ends = (how.outcome.minimum, how.outcome.maximum)
    forest = Forest(
        f"{view.scale.title}: mean of each site, {when}", tuple(rows), f"mean, {how.unit}", *ends, key=key,
        decimals=decimals,
    )  # fmt: skip
    panels = tuple(
        Series(view.names[site][0], looks[view.names[site][1] or ""],
               tuple(pictures.value_of(found.get((site, wave)), how) for wave in how.waves))
        for site in shown
    )  # fmt: skip
    waves = tuple(WAVE_NAMES[wave] for wave in how.waves)
    small = Multiples(f"{view.scale.title}: each site", waves, panels, how.unit, key, *ends, decimals=decimals)
    part = f" ({len(shown)} of {len(view.sites)} sites, by name)" if view.pages > 1 else ""
    told = f"Each site's mean {when}, with its interval{part}: how much sites differ within a group."
    drawn: Named = {"sites": (told, forest)}
    if len(waves) > 1:  # at a single time the forest says it all
        drawn["multiples"] = (f"Each site at {len(waves)} times, all on one axis{part}.", small)
    return drawn


def _statements(view: View, found: Counts) -> Named:
    """The answers to a scale's statements before and after: at the first and at the chosen of the waves drawn together."""
    items = [view.family.instruments[view.wave].item(code) for code in view.scale.items]
    if not all(item.kind in ORDERED and 2 <= len(item.options) <= MOST_ANSWERS for item in items):
        return {}
    if len({item.codes for item in items}) > 1 or not any(found):
        return {}
    first = next((wave for wave in view.how.waves if wave != view.wave), view.wave)
    waves = [first, view.wave] if first != view.wave and _order(first) < _order(view.wave) else [view.wave]
    groups = groups_of(view.how.arms, by_arm=view.by_arm)
    statements = []
    for item in items:
        worded = [wave for wave in waves if _text(view.family, wave, item.code) == item.text]
        bars = tuple(
            answered_bar(found.get((item.code, wave, code)), item, _place(wave, label, by_arm=view.by_arm), look)
            for wave in worded
            for code, label, look in groups
        )
        note = "Agreeing lowers the score." if item.code in view.scale.reversed else ""
        statements.append(Statement(item.text, bars, note))
    labels = tuple(label for _, label in items[0].options)
    title = f"{view.scale.title}: answers to each statement"
    return {"statements": (_agreed(view, found, items), Diverging(title, labels, tuple(statements)))}


def _agreed(view: View, found: Counts, items: list[Item]) -> str:
    """Which statement most people agreed with, and which fewest, everyone together."""
    shares = {}
    for item in items:
        given: dict[Any, int] = {}
        for (code, wave, _), one in found.items():
            if code == item.code and wave == view.wave:
                for value, people in one.given.items():
                    given[value] = given.get(value, 0) + people
        upper = item.codes[-(len(item.codes) // 2) :]
        if given:
            shares[item.text] = 100 * sum(given.get(code, 0) for code in upper) / sum(given.values())
    when = WAVE_PHRASES[view.wave]
    if not shares:
        return f"Nobody has answered these statements {when} yet."
    most, least = max(shares, key=lambda text: shares[text]), min(shares, key=lambda text: shares[text])
    agrees = "agree" in items[0].options[-1][1].lower()
    said = "agreed that" if agrees else "gave an answer to the right of the middle to"
    told = f"{when[0].upper()}{when[1:]}, {shares[most]:.0f} % {said} “{_bare(most)}”"
    return f"{told}, and {shares[least]:.0f} % “{_bare(least)}”." if most != least else f"{told}."


def item_figures(arms: Arms, family: Family, item: Item, found: Counts, *, by_arm: bool) -> Named:
    """How one question was answered, a figure a wave (answers in an order: one for all waves)."""
    waves = family.waves_asking(item.code)
    groups = groups_of(arms, by_arm=by_arm)
    seen = {wave: _people(found, item.code, wave) for wave in waves}
    if not any(seen.values()):
        return {}
    if item.kind in ORDERED and len(item.options) <= MOST_ANSWERS:
        bars = tuple(
            answered_bar(found.get((item.code, wave, code)), item, _place(wave, label, by_arm=by_arm), look)
            for wave in waves
            for code, label, look in groups
        )
        labels = tuple(label for _, label in item.options)
        told = _listed([f"{people} people answered {WAVE_PHRASES[wave]}" for wave, people in seen.items()])
        return {"answers": (f"{told}.", Diverging(item.text, labels, (Statement(item.text, bars),)))}
    drawn: Named = {}
    for wave in (one for one in waves if seen[one]):
        picture = _numbers if item.kind == "number" and not _few(found, item.code) else _shares
        drawn[wave] = picture(item, wave, groups, found)
    return drawn


def answer_table(arms: Arms, family: Family, item: Item, found: Counts, *, by_arm: bool) -> Table:
    """Who was shown a question and who gave no answer, by wave and group."""
    rows: list[tuple[Cell, ...]] = []
    for wave in family.waves_asking(item.code):
        for code, label, _ in groups_of(arms, by_arm=by_arm):
            one = found.get((item.code, wave, code)) or Counted(item.code, wave, code, {}, 0, 0)
            shown = one.answered + one.refused + one.blank
            rows.append((WAVE_NAMES[wave], label, shown, one.answered, one.refused, one.blank))
    return Table(("When", "Group", "Shown", "Answered", "Refused", "Left blank"), tuple(rows))


def item_counts(family: Family, found: Counts) -> dict[str, list[tuple[str, int, int] | None]]:
    """(wave, answered, missing) of each question at each wave of a family; None where it was not asked."""
    table: dict[str, list[tuple[str, int, int] | None]] = {}
    for code in family.items:
        cells: list[tuple[str, int, int] | None] = []
        asking = family.waves_asking(code)
        for wave in family.instruments:
            one = found.get((code, wave, POOLED))
            cells.append(
                (wave, one.answered if one else 0, one.refused + one.blank if one else 0) if wave in asking else None
            )
        table[code] = cells
    return table


def groups_of(arms: Arms, *, by_arm: bool) -> list[tuple[str, str, Look]]:
    """(code, label, look) of each group drawn."""
    if not by_arm:
        return [(POOLED, TOGETHER, LOOKS["pooled"])]
    return [(*arms[0], TREATMENT), (*arms[1], CONTROL)]


def answered_bar(one: Counted | None, item: Item, label: str, look: Look) -> Answered:
    if one is None:
        return Answered(label, (0,) * len(item.options), look=look)
    return Answered(label, tuple(one.given.get(code, 0) for code in item.codes), one.refused, one.blank, look)


def _shares(item: Item, wave: str, groups: list[tuple[str, str, Look]], found: Counts) -> tuple[str, Figure]:
    """How many gave each answer, of those who answered; several answers may be given by one person."""
    options = [(code, label) for code, label in item.options] or [
        (value, _worded(value)) for value in sorted({_kind(value, item) for value in _values(found, item.code)})
    ]
    bars = []
    for code, label in options:
        for arm, group, _ in groups:
            one = found.get((item.code, wave, arm))
            if one is None or not one.answered:
                bars.append(Bar(f"{group}: {label}" if len(groups) > 1 else label, None, None, None, "nobody answered"))
                continue
            gave = sum(people for value, people in one.given.items() if _has(value, code, item))
            bars.append(Bar(f"{group}: {label}" if len(groups) > 1 else label, one.answered, gave))
    people = _people(found, item.code, wave)
    title = f"{item.text} {WAVE_NAMES[wave]}"
    more = ", and may have given several answers" if item.kind == "several" else ""
    finding = f"{people} people answered {WAVE_PHRASES[wave]}{more}."
    return finding, Bars(title, tuple(bars), done="gave this answer", of="answered")


def _numbers(item: Item, wave: str, groups: list[tuple[str, str, Look]], found: Counts) -> tuple[str, Figure]:
    """Numbers in ten bands from the least to the greatest given at any wave."""
    values = sorted(_values(found, item.code))
    low, high = float(values[0]), float(values[-1])
    step = (high - low) / 10
    edges = (*(low + step * place for place in range(10)), high)
    panels, everyone = [], []
    for arm, label, look in groups:
        one = found.get((item.code, wave, arm))
        people = [0] * 10
        for value, count in (one.given if one else {}).items():
            people[min(int((value - low) / step), 9)] += count
            everyone += [value] * count
        panels.append(Panel(label, look, tuple(people), Missing("numbers are shown as they were given")))
    middle = sorted(everyone)[(len(everyone) - 1) // 2] if everyone else None
    told = (
        f"Half of {len(everyone)} people gave {middle:g} or less {WAVE_PHRASES[wave]}."
        if everyone
        else "Nobody answered."
    )
    return told, Distribution(f"{item.text} {WAVE_NAMES[wave]}", edges, tuple(panels), "the number given")


def _few(found: Counts, item: str) -> bool:
    return len(_values(found, item)) <= MOST_LINES


def _values(found: Counts, item: str) -> set[Any]:
    return {value for (code, _, _), one in found.items() if code == item for value in one.given}


def _kind(value: Any, item: Item) -> Any:
    """What a free value is counted under: a date by its year."""
    return str(value)[:4] if item.kind == "date" else value


def _has(value: Any, code: Any, item: Item) -> bool:
    return code in value if item.kind == "several" else bool(_kind(value, item) == code)


def _worded(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _people(found: Counts, item: str, wave: str) -> int:
    return sum(one.answered for (code, when, _), one in found.items() if (code, when) == (item, wave))


def _place(wave: str, group: str, *, by_arm: bool) -> str:
    return f"{WAVE_NAMES[wave]}, {group}" if by_arm else WAVE_NAMES[wave]


def _group(label: str) -> str:
    return label.lower() if label == TOGETHER else label


def _text(family: Family, wave: str, code: str) -> str:
    return next((item.text for item in family.instruments[wave].items if item.code == code), "")


def _order(wave: str) -> int:
    return WAVES.index(wave)


def _bare(text: str) -> str:
    return text.rstrip(".")


def _listed(parts: list[str]) -> str:
    """Parts as one reads them aloud; all but the first in lower case where they are names of roles."""
    lowered = [parts[0], *(one[0].lower() + one[1:] if one in ROLE_NAMES.values() else one for one in parts[1:])]
    return lowered[0] if len(lowered) == 1 else f"{', '.join(lowered[:-1])} and {lowered[-1]}"
