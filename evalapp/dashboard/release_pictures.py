"""From a published release to its figures, in the reader's language: reads the release's JSON and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from evalapp import wording
from evalapp.dashboard.pictures import means_of
from evalapp.dashboard.release_words import HIDDEN, Part, Telling, listed, lowered, parts
from evalapp.figures import (
    Band,
    Climb,
    Cumulative,
    Estimate,
    Figure,
    Forest,
    InTen,
    Missing,
    Pair,
    Pairs,
    Plain,
    Row,
    Series,
    Tens,
)  # fmt: skip
from evalapp.figures.drawing import CONTROL, LOOKS, TREATMENT, Value
from evalapp.wording import N_, number

DIFFERENCE, MEANS, IN_TEN = N_("difference"), N_("mean of each group"), N_("people in ten")
# What a share's single replies are about, by the item they were given to.
REPLIES = {
    "AFF1": N_("Recognised: people saw what they do well"),
    "AFF2": N_("Affirmed: someone told them so"),
    "AFF3": N_("Built upon: people built on what they do well"),
    "VOI2": N_("Heard: people listened"),
}
CRITERIA = (
    N_("1 Required seats filled"),
    N_("2 Done in 2–3 days together"),
    N_("3 Trained, independent facilitator"),
    N_("4 Shared outcome agreed at the start"),
    N_("5 What worked and what must change"),
    N_("6 Strengths first, with examples"),
    N_("7 Family's voice heard"),
    N_("8 Child's voice or view present"),
    N_("9 No-blame rules stated and kept"),
    N_("10 Good practice named to the person"),
    N_("11 Actions made and owned together"),
    N_("12 Ends on the child's-eye question"),
)


@dataclass(frozen=True)
class Shown:
    """A figure of the release with its finding."""

    name: str
    finding: str
    figure: Figure
    as_of: int | None = None


class Reader(Telling):
    """A release told in one language, figures and words."""

    def recruitment(self) -> Shown | None:
        say, found = self.say, parts(self.content, "recruitment")
        if not found:
            return None
        pairs, said = [], []
        for _, one in found:
            label, count, target = say(one["label"]), one["count"], one["target"]
            if count is None:
                pairs.append(Pair(label, (Missing(say(HIDDEN)),)))
                continue
            words = say(N_("%(count)s of %(target)s")) if target else say(N_("%(count)s (no target)"))
            words = words % {"count": count, "target": target}
            pairs.append(Pair(label, (Plain(round(100 * count / target) if target else 0),), (words,)))
            said.append(f"{label}: {words}")
        finding = say(N_("Taking part so far, beside what was aimed for.")) + (f" {'; '.join(said)}." if said else "")
        if not said:
            finding = say(N_("Too few have taken part so far for a number to be shown."))
        title, unit = say(N_("Taking part, beside what was aimed for")), say(N_("per cent of what was aimed for"))
        figure = Pairs(title, ((say(N_("So far")), TREATMENT),), tuple(pairs), unit, suffix=" %")
        return Shown("recruitment", finding, figure, _as_of(found))

    def climb(self) -> Shown | None:
        """How many had come by each week, beside how many were foreseen."""
        say, found = self.say, parts(self.content, "recruiting")
        if not found:
            return None
        one = found[0][1]
        began = date.fromisoformat(one["starts_on"])
        weeks = max((date.fromisoformat(self.content["published_on"]) - began).days // 7, 0)
        foreseen = one["weeks"]
        climbs, told = [], []
        for line in one["lines"]:
            points, target = tuple((week, count) for week, count in line["points"]), line["target"]
            weeks = max(weeks, points[-1][0])
            count, label = points[-1][1], say(line["label"])
            words = say(N_("%(count)s of %(target)s")) % {"count": count, "target": target} if target else str(count)
            climbs.append(Climb(label, points, target, words))
        for climb in climbs:
            if climb.target is not None and foreseen:
                due = round(climb.target * min(weeks / foreseen, 1.0))
                said = N_("%(label)s: %(count)s, where %(due)s were foreseen by now")
                told.append(say(said) % {"label": climb.label, "count": climb.points[-1][1], "due": due})
            else:
                told.append(f"{climb.label}: {climb.said}")
        finding = say(N_("After %(weeks)s weeks.")) % {"weeks": weeks} if weeks > 1 else say(N_("The first week."))
        if not foreseen and any(climb.target for climb in climbs):
            told.append(say(N_("no day was set by which the targets are to be reached")))
        figure = Cumulative(
            say(N_("Who has come, week by week, beside what was aimed for")), tuple(climbs), weeks, foreseen,
            (say(N_("Come so far")), say(N_("Foreseen")) if foreseen else say(N_("Target"))), say(N_("week")),
        )  # fmt: skip
        return Shown("recruiting", f"{finding} {'; '.join(told)}.", figure, _as_of(found))

    def response(self) -> Shown | None:
        say, found = self.say, parts(self.content, "response")
        if not found:
            return None
        pairs, shares = [], []
        for _, one in found:
            label = f"{say(one['wave'])}: {lowered(say(one['group']))}"
            if one["hidden"]:
                few = N_("not shown: too few people answered, or too few did not")
                pairs.append(Pair(label, (Missing(say(few)),)))
                continue
            words = say(N_("%(count)s of %(target)s")) % {"count": one["answered"], "target": one["expected"]}
            pairs.append(Pair(label, (Plain(one["percent"]),), (words,)))
            shares.append(one["percent"])
        if not shares:
            finding = say(N_("Too few have answered so far for response to be shown."))
        elif min(shares) == max(shares):
            finding = say(N_("Of those asked, %(share)s in 100 have answered.")) % {"share": shares[0]}
        else:
            words = N_("Between %(low)s and %(high)s in 100 of those asked have answered, by group and time.")
            finding = say(words) % {"low": min(shares), "high": max(shares)}
        title = say(N_("Questionnaires answered, of those asked"))
        figure = Pairs(title, ((say(N_("Answered")), TREATMENT),), tuple(pairs), say(N_("per cent")), suffix=" %")
        return Shown("response", finding, figure, _as_of(found))

    def differences(self) -> Shown | None:
        """The difference of every outcome in points or in people of 100, on one axis; those against the model among them."""
        found = [
            one for one in self.outcomes.values()
            if one["comparison"] is not None and one["measure"] in {"points", "raw", "people"}
        ]  # fmt: skip
        if not found or not self.content["by_arm"]:
            return None
        units = {one["measure"] for one in found}
        if "raw" in units and len(units) > 1:
            return None
        say = self.say
        rows = tuple(
            Row(self._which_way(one), self._difference(one["comparison"]), LOOKS[_looks(one)], overall=one["primary"])
            for one in found
        )
        treatment, control = (say(label) for label in found[0]["arms"])
        reaches = {one["smallest_worthwhile"] for one in found}
        reach = min((one for one in reaches if one), default=None)
        unit = say(wording.UNITS[found[0]["measure"]]) if len(units) == 1 else say(N_("points, or people, in 100"))
        figure = Forest(
            say(N_("The difference between the groups, outcome by outcome")),
            rows,
            f"{say(DIFFERENCE)}, {unit}",
            None,
            None,
            ends=(control, treatment),
            band=None if reach is None else Band(reach, say(N_("too small to matter")) + f" (< {reach:g})"),
            decimals=1,
        )
        finding = say(
            N_(
                "The groups' difference in each outcome; to the right, the first group has more of it. Where the line crosses "
                "0, no difference is shown: we cannot tell yet, or it is too small to matter."
            )
        )
        return Shown("differences", finding, figure)

    def means(self, code: str) -> Shown | None:
        """The means of an outcome over its waves."""
        one, say = self.outcomes[code], self.say
        if all(cell["hidden"] for cell in one["cells"]):
            return None
        series = []
        for label, look in dict.fromkeys((cell["group"], cell["look"]) for cell in one["cells"]):
            mine = [cell for cell in one["cells"] if cell["group"] == label]
            series.append(Series(say(label), LOOKS[look], tuple(self._mean(cell) for cell in mine)))
        last = [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1] and not cell["hidden"]]
        unit = say(wording.UNITS[one["measure"]])
        said = listed([f"{say(cell['group'])} {number(cell['mean'], 1)}" for cell in last], say)
        name = say(one["label"])
        finding = f"{name}, {say(one['when'])}: {said} ({unit})." if last else f"{name}."
        waves = tuple(say(wave) for wave in one["waves"])
        figure = means_of(f"{name}: {say(MEANS)}", waves, series, unit, tuple(one["range"]), say(N_("mean")))
        return Shown(f"{code}-means", finding, figure, one.get("as_of"))

    def people(self, code: str) -> Shown | None:
        """People in ten who agree more than not, each group a row of ten."""
        one, say = self.outcomes[code], self.say
        last = [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1] and not cell["hidden"]]
        if not last or one["measure"] != "points" or one["kind"] != "scale":
            return None
        groups = tuple(InTen(say(cell["group"]), LOOKS[cell["look"]], self._ten(cell)) for cell in last)
        said = [
            say(N_("%(group)s, %(ten)s in 10")) % {"group": say(cell["group"]), "ten": cell["in_ten"][0]}
            for cell in last if cell["in_ten"]
        ]  # fmt: skip
        name = say(one["label"])
        finding = say(N_("People who agree more than not with “%(name)s”, %(when)s")) % {
            "name": lowered(name), "when": say(one["when"]),
        }  # fmt: skip
        finding += f": {'; '.join(said)}." if said else "."
        what = say(N_("agree more than not with “%(name)s”")) % {"name": lowered(name)}
        title = f"{name}: {say(IN_TEN)}"
        return Shown(f"{code}-people", finding, Tens(title, groups, what), one.get("as_of"))

    def shares(self, group: str, name: str, title: str) -> Shown | None:
        """Every share of one section, in people of 100, each group a bar."""
        say = self.say
        found = [
            (code, self.outcomes[code]) for code in (one.code for one in self.of(group))
            if self.outcomes[code]["kind"] == "share"
        ]  # fmt: skip
        marks = {one.code: one.mark for one in self.of(group)} if self.content["by_arm"] else {}
        lines: list[tuple[str, list[Part], int | None]] = [
            (
                say(one["label"]) + (f": {lowered(marks[code])}" if code in marks else ""),
                self._cells(one),
                one.get("as_of"),
            )
            for code, one in found
        ]
        for _, one in found:
            hidden: list[Part] = [{**cell, "hidden": True} for cell in self._cells(one)]
            lines += [
                (say(REPLIES.get(item, item)), cells or hidden, None) for item, cells in one.get("each", {}).items()
            ]
        return self._pairs(name, title, lines)

    def fidelity(self) -> Shown | None:
        """The twelve criteria, each group a bar."""
        found = parts(self.content, "fidelity")
        cells = found[0][1]["cells"] if found else []
        if not cells:
            return None
        say = self.say
        pairs = tuple(
            Pair(say(label), tuple(Plain(cell["criteria"][place]) for cell in cells))
            for place, label in enumerate(CRITERIA)
        )
        groups = tuple((say(cell["group"]), LOOKS[cell["look"]]) for cell in cells)
        unit = say(N_("points out of 100"))
        figure = Pairs(say(N_("How far each criterion was met, 0 to 100")), groups, pairs, unit)
        finding = say(
            N_(
                "How far reviews met each criterion of the appreciative way, in both groups: the mean of who led and who watched."
            )
        )
        return Shown("fidelity-criteria", finding, figure, found[0][1].get("as_of"))

    def figures(self) -> dict[str, Shown]:
        """Every figure of the release by its name."""
        found = [self.recruitment(), self.climb(), self.response(), self.differences(), self.fidelity()]
        for code, one in self.outcomes.items():
            if one["kind"] == "scale":
                found += [self.means(code), self.people(code)]
        found += [self.shares(group, f"{group}-shares", group) for group in ("parents", "hard")]
        return {one.name: one for one in found if one is not None}

    def _pairs(self, name: str, title: str, lines: list[tuple[str, list[Part], int | None]]) -> Shown | None:
        """Lines of shares as a figure, a bar a group; None where none may be shown."""
        say = self.say
        groups = {
            cell["group"]: LOOKS[cell["look"]] for _, cells, _ in lines for cell in cells if not cell.get("hidden")
        }
        if not groups:
            return None
        pairs = []
        for label, cells, _ in lines:
            by_group = {cell["group"]: cell for cell in cells if not cell.get("hidden")}
            values: list[Estimate | Plain | Missing | None] = []
            about = {cell["group"] for cell in cells}
            for group in groups:
                cell = by_group.get(group)
                if group not in about:
                    values.append(None)
                elif cell is None:
                    values.append(Missing(say(HIDDEN)))
                elif cell.get("low") is None:
                    values.append(Plain(cell["mean"] if "mean" in cell else cell["percent"]))
                else:
                    values.append(Estimate(cell["mean"], cell["low"], cell["high"]))
            pairs.append(Pair(label, tuple(values)))
        order = sorted(groups.items(), key=lambda pair: (pair[1] is not TREATMENT, pair[1] is not CONTROL))
        places = [list(groups).index(label) for label, _ in order]
        pairs = [Pair(one.label, tuple(one.values[place] for place in places)) for one in pairs]
        figure = Pairs(
            title, tuple((say(label), look) for label, look in order), tuple(pairs), say(N_("people in 100")),
            key=say(N_("The thin line is the range in which the true number is likely to lie.")),
        )  # fmt: skip
        return Shown(name, title, figure, min((as_of for _, _, as_of in lines if as_of), default=None))

    def _cells(self, one: Part) -> list[Part]:
        return [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1]]

    def _mean(self, cell: Part) -> Value:
        if cell["hidden"]:
            return Missing(self.say(HIDDEN))
        return Estimate(cell["mean"], cell["low"], cell["high"])

    def _ten(self, cell: Part) -> Value:
        return Estimate(*cell["in_ten"]) if cell["in_ten"] else Missing(self.say(HIDDEN))

    def _which_way(self, one: Part) -> str:
        """An outcome's name, and whether more of it is worse, or neither."""
        name, higher = self.say(one["label"]), one["higher_is_better"]
        if higher:
            return name
        why = N_("neither better nor worse") if higher is None else N_("more is worse")
        return f"{name} ({self.say(why)})"

    def _difference(self, comparison: Part) -> Value:
        if comparison["hidden"]:
            return Missing(self.say(HIDDEN))
        if "not_estimable" in comparison:
            return Missing(self._reason(comparison["not_estimable"]))
        return Estimate(comparison["estimate"], comparison["low"], comparison["high"])


def _looks(one: Part) -> str:
    """A difference that is good is drawn as the treatment's, one that is bad as the control's, others plainly."""
    verdict = one["comparison"].get("verdict")
    return {"benefit": "treatment", "harm": "control"}.get(verdict, "pooled")


def _as_of(found: list[tuple[str, Part]]) -> int | None:
    """The oldest release any of these numbers stands since, where one was carried."""
    return min((one["as_of"] for _, one in found if "as_of" in one), default=None)
