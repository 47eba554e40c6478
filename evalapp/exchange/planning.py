"""A planned trial's power, from options to numbers and from numbers to a text for a person."""

import os
import textwrap
from dataclasses import dataclass
from typing import Any

from analysis.design.power import TrialDesign, design_effect, power, risk_difference, sites_required, smallest_effect
from analysis.errors import BadData
from analysis.primary import choose_primary
from analysis.resampling.allocations import complete

_WIDTH = 98
# Simulated trials beyond which sharing them among processes is worth starting those.
_SHARE_FROM = 5_000


@dataclass(frozen=True)
class Planned:
    """What is known of a trial before it begins.

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

    def to_dict(self) -> dict[str, Any]:
        """The numbers at full precision."""
        return {
            "power": self.power,
            "mdes": self.mdes,
            "df": self.design.df,
            "design_effect": self.design_effect,
            "simulated_power": self.simulated_power,
        }


def planned(
    *,
    delta: float | None,
    risks: tuple[str, ...],
    target: float | None,
    alpha: float,
    simulate: int | None,
    seed: int,
    **design_options: Any,
) -> Planned:
    """Closed forms, and a simulation where asked for; BadData in one line."""
    if sum(given is not None for given in (delta, risks or None, target)) > 1:
        raise BadData("give one of --delta, --risks and --power")
    if not 0 < alpha < 1:
        raise BadData(f"alpha: {alpha:g} is not a proportion between 0 and 1")
    if seed < 0:
        raise BadData(f"seed: {seed} is not a whole number from 0 upwards")
    design = TrialDesign(**design_options)
    effect = _effect(risks, design) if risks else delta
    goal = 0.8 if target is None else target
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
    )


def _effect(risks: tuple[str, ...], design: TrialDesign) -> float:
    try:
        treated, control = (float(value) for value in risks)
    except ValueError:
        raise BadData("risks: give two proportions with a comma between them, such as 0.6,0.4") from None
    return risk_difference(treated, control, design.in_treatment / design.sites)


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
    lines += [f"  {name:42}{value:>12}" if len(value) <= 12 else f"  {name:42}  {value}" for name, value in rows]
    arms = (design.in_treatment, design.sites - design.in_treatment)
    ladder = choose_primary("randomised", design.sites, arms, has_before=bool(design.baseline_r))
    notes = [ladder.reason]
    if result.mdes > 0.5:
        notes.append("a study of this size could only see a very large effect")
    notes.append("ICCs are guesses before the trial: try the lowest and the highest that are plausible")
    wrapped = (textwrap.wrap(note, _WIDTH, initial_indent="  – ", subsequent_indent="    ") for note in notes)
    return "\n".join([*lines, "", "To mind", *(line for note in wrapped for line in note)])
