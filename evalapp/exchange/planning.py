"""A planned trial's power, from options to numbers and from numbers to a text for a person."""

import os
import textwrap
from dataclasses import dataclass
from typing import Any

from analysis.design.power import (
    TrialDesign,
    design_effect,
    power,
    proportional_odds,
    risk_difference,
    sites_required,
    smallest_effect,
    smallest_odds_ratio,
    smallest_risk,
    win_probability,
)
from analysis.errors import BadData
from analysis.primary import choose_primary
from analysis.resampling.allocations import complete

_WIDTH = 98
# Simulated trials beyond which sharing them among processes is worth starting those.
_SHARE_FROM = 5_000


@dataclass(frozen=True)
class Planned:
    """What is known of a trial before it begins.

    control_risk : share answering yes in the control arm, of a yes/no outcome.   control_answers : shares of the ordered
    answers in the control arm, from lowest to highest.   theta : win probability of the effect on them.   smallest_risk,
    smallest_odds_ratio : in the treatment arm, with the target power; None where even the largest has not.
    table : the same by number of sites.
    effect : in SD, None where only a power was asked for.    power : at the effect, else the target.
    mdes : smallest effect with the target power.    sites_required : for the effect, at the target.
    simulated_power, simulation_error : None where nothing was simulated.
    """

    design: TrialDesign
    alpha: float
    target: float
    effect: float | None
    power: float
    mdes: float
    design_effect: float
    sites_required: int | None
    simulated_power: float | None
    simulation_error: float | None
    simulated: int
    control_risk: float | None = None
    control_answers: tuple[float, ...] = ()
    theta: float | None = None
    smallest_risk: float | None = None
    smallest_odds_ratio: float | None = None
    table: tuple["Planned", ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The numbers at full precision; of yes/no and ordered outcomes, and of a table, further ones."""
        found: dict[str, Any] = {
            "power": self.power,
            "mdes": self.mdes,
            "df": self.design.df,
            "design_effect": self.design_effect,
            "simulated_power": self.simulated_power,
        }
        if self.control_risk is not None:
            found["smallest_risk"] = self.smallest_risk
        if self.control_answers:
            found |= {"theta": self.theta, "smallest_odds_ratio": self.smallest_odds_ratio}
        if self.table:
            found["table"] = [{"sites": one.design.sites, **one.to_dict()} for one in self.table]
        return found


def planned(
    *,
    delta: float | None,
    risks: tuple[str, ...],
    risk: float | None,
    answers: tuple[str, ...],
    odds_ratio: float | None,
    target: float | None,
    alpha: float,
    simulate: int | None,
    seed: int,
    table: tuple[str, ...] = (),
    **design_options: Any,
) -> Planned:
    """Closed forms, and a simulation where asked for; BadData in one line."""
    if sum(given is not None for given in (delta, risks or None, odds_ratio, target)) > 1:
        raise BadData("give one of --delta, --risks, --odds-ratio and --power")
    if sum(given is not None for given in (risks or None, risk, answers or None)) > 1:
        raise BadData("an outcome is yes/no or ordered: give one of --risks, --risk and --answers")
    if odds_ratio is not None and not answers:
        raise BadData("odds-ratio: say what the control arm answers, with --answers")
    if not 0 < alpha < 1:
        raise BadData(f"alpha: {alpha:g} is not a proportion between 0 and 1")
    if seed < 0:
        raise BadData(f"seed: {seed} is not a whole number from 0 upwards")
    design = TrialDesign(**design_options)
    goal = 0.8 if target is None else target
    control_risk = _shares(risks, "risks", 2)[1] if risks else risk
    control = _shares(answers, "answers") if answers else ()
    effect, theta = delta, None
    if risks:
        treated, control_share = _shares(risks, "risks", 2)
        effect = risk_difference(treated, control_share, design.in_treatment / design.sites)
    if odds_ratio is not None:
        theta, effect = win_probability(proportional_odds(control, odds_ratio), control)
    mdes = smallest_effect(design, goal, alpha)
    simulated = error = None
    if simulate is not None:
        # pandas behind the methods takes half a second, which closed forms need not wait for.
        from analysis.design.simulate import simulated_power  # noqa: PLC0415

        jobs = (os.cpu_count() or 1) if simulate >= _SHARE_FROM else 1
        found = simulated_power(design, mdes if effect is None else effect, simulate, seed=seed, alpha=alpha, jobs=jobs)
        if not found.trials:
            raise BadData("simulate: no simulated trial could be analysed; plan more people or sites")
        simulated, error = found.rejected, found.error
    return Planned(
        design=design,
        alpha=alpha,
        target=goal,
        effect=effect,
        power=goal if effect is None else power(design, effect, alpha),
        mdes=mdes,
        design_effect=design_effect(design),
        sites_required=sites_required(design, effect, goal, alpha) if effect else None,
        simulated_power=simulated,
        simulation_error=error,
        simulated=simulate or 0,
        control_risk=control_risk,
        control_answers=control,
        theta=theta,
        smallest_risk=None if control_risk is None else smallest_risk(design, control_risk, goal, alpha),
        smallest_odds_ratio=smallest_odds_ratio(design, control, goal, alpha) if control else None,
        table=tuple(
            planned(
                delta=delta, risks=risks, risk=risk, answers=answers, odds_ratio=odds_ratio, target=target, alpha=alpha,
                simulate=None, seed=seed, **_of_sites(design_options, sites),
            )
            for sites in table
        ),
    )  # fmt: skip


def _of_sites(design_options: dict[str, Any], sites: str) -> dict[str, Any]:
    """The same design with another number of sites, arms in the same proportion."""
    if not sites.isdecimal():
        raise BadData(f'table: "{sites}" is not a number of sites; give some with commas between them, such as 8,12,20')
    count, treated = int(sites), design_options.get("treated")
    if treated is not None:
        treated = min(max(round(count * treated / design_options["sites"]), 1), count - 1)
    return {**design_options, "sites": count, "treated": treated}


def _shares(values: tuple[str, ...], name: str, count: int | None = None) -> tuple[float, ...]:
    wanted = "two proportions with a comma" if count == 2 else "the control arm's proportions with commas"
    try:
        found = tuple(float(value) for value in values)
    except ValueError:
        found = ()
    if not found or (count is not None and len(found) != count):
        raise BadData(f"{name}: give {wanted} between them, such as 0.6,0.4")
    return found


def in_words(result: Planned) -> str:
    """The plan's numbers, for a terminal 100 characters wide."""
    design = result.design
    lines = [
        f"{design.sites} sites ({design.in_treatment} treatment, {design.sites - design.in_treatment} control), "
        f"{design.reviews:g} reviews a site, {design.people:g} people a review",
        "",
    ]
    rows = [
        ("sites with follow-up", f"{design.sites_left}"),
        ("people with follow-up, each review", f"{design.people_left:g}"),
        ("degrees of freedom", f"{design.df}"),
        ("design effect", f"{result.design_effect:.3f}"),
    ]
    if result.effect is not None:
        rows.append((f"power to detect {result.effect:.3g} SD", f"{100 * result.power:.1f} %"))
    if result.sites_required is not None:
        rows.append(
            (f"sites required for {result.effect:.3g} SD at {100 * result.target:g} %", f"{result.sites_required}")
        )
    rows.append((f"smallest difference with power {100 * result.target:g} %", f"{result.mdes:.3f} SD"))
    rows.append(
        ("smallest p of the randomisation test", f"{complete(design.sites, design.in_treatment).smallest_p():.2g}")
    )
    if result.simulated_power is not None and result.simulation_error is not None:
        at = result.mdes if result.effect is None else result.effect
        rows.append(
            (
                f"simulated power at {at:.3g} SD",
                f"{100 * result.simulated_power:.1f} % (± {100 * result.simulation_error:.1f}, {result.simulated} trials)",
            )
        )
    rows += _of_answers(result)
    lines += [f"  {name:42}{value:>12}" if len(value) <= 12 else f"  {name:42}  {value}" for name, value in rows]
    lines += _table(result)
    arms = (design.in_treatment, design.sites - design.in_treatment)
    ladder = choose_primary("randomised", design.sites, arms, has_before=bool(design.baseline_r), planned_arms=arms)
    notes = [ladder.reason]
    if result.mdes > 0.5:
        notes.append("a study of this size could only see a very large effect")
    notes.append("ICCs are guesses before the trial: try the lowest and the highest that are plausible")
    wrapped = (textwrap.wrap(note, _WIDTH, initial_indent="  – ", subsequent_indent="    ") for note in notes)
    return "\n".join([*lines, "", "To mind", *(line for note in wrapped for line in note)])


def _of_answers(result: Planned) -> list[tuple[str, str]]:
    """What the numbers mean for a yes/no outcome, or one of ordered answers."""
    rows, goal = [], f"{100 * result.target:g} %"
    if result.control_risk is not None:
        shown = "none" if result.smallest_risk is None else f"{100 * result.smallest_risk:.1f} %"
        rows.append((f"smallest share above {100 * result.control_risk:g} % with {goal}", shown))
    if result.theta is not None:
        rows.append(("win probability of the odds ratio", f"{result.theta:.3f}"))
    if result.control_answers:
        shown = "none" if result.smallest_odds_ratio is None else f"{result.smallest_odds_ratio:.3f}"
        rows.append((f"smallest odds ratio with {goal}", shown))
    return rows


def _table(result: Planned) -> list[str]:
    if not result.table:
        return []
    share, odds = result.control_risk is not None, bool(result.control_answers)
    head = f"  {'sites':>7}{'df':>6}{'power':>10}{'smallest, SD':>15}"
    lines = ["", head + (f"{'share':>10}" if share else "") + (f"{'odds ratio':>13}" if odds else "")]
    for one in result.table:
        power_of = "" if one.effect is None else f"{100 * one.power:.1f} %"
        line = f"  {one.design.sites:>7}{one.design.df:>6}{power_of:>10}{one.mdes:>15.3f}"
        if share:
            line += f"{'none' if one.smallest_risk is None else f'{100 * one.smallest_risk:.1f} %':>10}"
        if odds:
            line += f"{'none' if one.smallest_odds_ratio is None else f'{one.smallest_odds_ratio:.3f}':>13}"
        lines.append(line)
    return lines
