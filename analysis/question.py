"""What is asked of a table: which column is what, how sites were allocated, which methods."""

from dataclasses import dataclass
from typing import Literal, get_args

from analysis.errors import BadData

Design = Literal["randomised", "nonrandomised"]
DESIGNS: tuple[Design, ...] = get_args(Design)
MixedModel = Literal["lmm", "clda"]
MIXED_MODELS: tuple[MixedModel, ...] = get_args(MixedModel)

Allocation = Literal["complete", "stratified", "pairs", "constrained", "minimised"]
ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)
# Drawn in a way that the table does not hold: there is then no reference set.
Unrecorded = Literal["unrecorded"]
UNRECORDED: Unrecorded = "unrecorded"

METHODS = (
    "lmm_kenward_roger",
    "lmm_satterthwaite",
    "cluster_summary",
    "cr1s",
    "cr2",
    "cr3",
    "wild_bootstrap",
    "gee",
    "win_probability",
    "randomisation",
    "did",
    "clda",
)
# Those whose reference set is made of the allocation record, and not of the arms and strata alone.
RECORDED: tuple[Allocation, ...] = ("constrained", "minimised")


@dataclass(frozen=True)
class Question:
    """Columns and options of one comparison of two arms.

    outcome, arm, site : column names.   review, participant, baseline, wave, strata, pairs : column names
    or None.
    wave       : the data are long, one row a person and wave; the last wave is compared, the first is its
    baseline.
    wave_order : labels of the waves from first to last; needed where waves are not numbers.
    treatment  : label of the treated arm; without it see `analysis.trial_data.treated_label`.
    covariates : further columns; numbers enter as they are, labels as indicators.
    strata     : allocation strata.   pairs : matched pairs of sites, one of each arm.
    allocation : how sites were drawn; None takes strata or pairs where they are named, else complete randomisation, with a
    warning. "constrained" and "minimised" need `balance`; "unrecorded" has no randomisation test.
    balance    : columns of the site: numbers a constrained set was balanced on, or labels minimised over.
    best       : "constrained": share of the allocations, best balanced first, that were acceptable.
    order, coin : "minimised": column with each site's place in the order of entry; probability of the arm that leaves
    less imbalance.
    design     : None where it was not said; then taken as randomised, with a warning.
    planned_sites : the number the plan was written for; without it every result is exploratory.
    planned_arms : the same by arm, (treatment, control), where the plan says it; they make `planned_sites`.
    primary    : which mixed model the plan names where one decides; the baseline-adjusted "lmm" unless "clda".
    review_wave : whether reviews also vary from wave to wave on their own account, in the longitudinal model.
    methods    : names from METHODS.   level : of the intervals.   seed : of anything drawn.
    """

    outcome: str
    arm: str
    site: str
    review: str | None = None
    participant: str | None = None
    baseline: str | None = None
    wave: str | None = None
    wave_order: tuple[str, ...] = ()
    treatment: str | None = None
    covariates: tuple[str, ...] = ()
    strata: str | None = None
    pairs: str | None = None
    allocation: Allocation | Unrecorded | None = None
    balance: tuple[str, ...] = ()
    best: float = 0.1
    order: str | None = None
    coin: float = 0.8
    design: Design | None = None
    planned_sites: int | None = None
    planned_arms: tuple[int, int] | None = None
    primary: MixedModel = "lmm"
    review_wave: bool = False
    methods: tuple[str, ...] = METHODS
    level: float = 0.95
    seed: int = 1

    def __post_init__(self) -> None:
        unknown = [name for name in self.methods if name not in METHODS]
        if unknown:
            raise BadData(f'there is no method "{unknown[0]}"; choose from {", ".join(METHODS)}')
        if not self.methods:
            raise BadData("no method was named; leave methods out to have all of them")
        if not 0.5 <= self.level < 1.0:
            raise BadData(f"the level is {self.level:g}; give a proportion from 0.5 to below 1, such as 0.95")
        if self.design is not None and self.design not in DESIGNS:
            raise BadData(f'the design is "{self.design}"; it is one of {", ".join(DESIGNS)}')
        if self.primary not in MIXED_MODELS:
            raise BadData(f'the primary is "{self.primary}"; it is one of {", ".join(MIXED_MODELS)}')
        if self.primary == "clda" and not self.wave:
            raise BadData("the primary is clda without a wave column; name the column, or choose lmm")
        self._add_up_arms()
        if self.planned_sites is not None and self.planned_sites < 2:
            raise BadData(f"{self.planned_sites} planned sites; a comparison of two arms has at least two")
        if self.seed < 0:
            raise BadData(f"the seed is {self.seed}; give a whole number from 0 upwards")
        if self.strata and self.pairs:
            raise BadData("both strata and pairs are given; pairs are strata of two, so name only one of them")
        if self.wave and self.baseline:
            raise BadData("both wave and baseline are given; in long data the first wave is the baseline")
        if self.wave and not self.participant:
            raise BadData("wave is given without participant; name the column that says whose row it is")
        if self.wave_order and not self.wave:
            raise BadData("a wave order is given without a wave column; name the column too")
        self._refuse_another_allocation()
        self._refuse_double_use()

    def _refuse_another_allocation(self) -> None:
        """What is said of the allocation must be what that kind of allocation needs, and no more."""
        kind = self.allocation
        if kind is not None and kind not in {*ALLOCATIONS, UNRECORDED}:
            raise BadData(f'the allocation is "{kind}"; it is one of {", ".join(ALLOCATIONS)}')
        for needed, column in (("stratified", self.strata), ("pairs", self.pairs)):
            if kind == needed and column is None:
                name = "strata" if needed == "stratified" else needed
                raise BadData(f"the allocation is {kind} without {name}; name the column that holds them")
        if kind in {"complete", "minimised"} and (self.strata or self.pairs):
            raise BadData(f"the allocation is {kind}, yet strata or pairs are named; name one or the other")
        if kind in RECORDED and not self.balance:
            raise BadData(f"the allocation is {kind} without balance; name the columns of the site that it balanced")
        if kind in RECORDED and self.design == "nonrandomised":
            raise BadData(
                f"the allocation is {kind}, yet the design is nonrandomised; sites that chose were not allocated"
            )
        if self.balance and kind not in RECORDED:
            raise BadData(
                f"balance is given without a constrained or minimised allocation; say which: {', '.join(RECORDED)}"
            )
        if (kind == "minimised") != (self.order is not None):
            raise BadData(
                "a minimised allocation, and no other, needs the order in which sites entered; name its column"
            )
        if not 0 < self.best <= 1:
            raise BadData(
                f"best is {self.best:g}; give the share of allocations that were acceptable, above 0 and up to 1"
            )
        if not 0.5 < self.coin <= 1:
            raise BadData(f"the coin is {self.coin:g}; give a probability above 0.5 and up to 1")

    def _add_up_arms(self) -> None:
        if self.planned_arms is None:
            return
        treated, control = self.planned_arms
        if min(treated, control) < 1:
            raise BadData(f"{treated} and {control} planned sites in the arms; give each arm at least one")
        if self.planned_sites not in {None, treated + control}:
            raise BadData(
                f"{treated} and {control} sites are planned in the arms and {self.planned_sites} in all; "
                "make them add up, or give the arms alone"
            )
        object.__setattr__(self, "planned_sites", treated + control)

    def _refuse_double_use(self) -> None:
        uses: dict[str, str] = {}
        for role, column in self.columns():
            if role in {"balance", "order"}:  # what an allocation used may well be adjusted for too
                if column in {self.outcome, self.arm, self.site}:
                    raise BadData(f'column "{column}" cannot be what the allocation of sites used; name another')
                continue
            if column in uses:
                raise BadData(f'column "{column}" is named both as {uses[column]} and as {role}; name two columns')
            uses[column] = role

    def columns(self) -> list[tuple[str, str]]:
        """Every (role, column) the question names."""
        single = [
            ("outcome", self.outcome),
            ("arm", self.arm),
            ("site", self.site),
            ("review", self.review),
            ("participant", self.participant),
            ("baseline", self.baseline),
            ("wave", self.wave),
            ("strata", self.strata),
            ("pairs", self.pairs),
            ("order", self.order),
        ]
        named = [(role, column) for role, column in single if column is not None]
        balance = [("balance", column) for column in self.balance]
        return [*named, *balance, *(("covariate", column) for column in self.covariates)]
