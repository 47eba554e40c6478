"""From a published release to its words, in the reader's language: reads the release's JSON and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from analysis import certainty as bands
from evalapp import wording
from evalapp.releases import GROUPS
from evalapp.wording import N_, Say, Told, number

Part = Mapping[str, Any]
HIDDEN = N_("not shown: too few people or reviews")
TOGETHER = N_("Both groups together")
NOT_COMPARED = N_("Not compared")
AND = N_("and")
ABOUT = N_("about %(points)s points out of 100")
# What stands under "Did it work?", worst first, where chance decided the groups; without chance a yes would say too much.
WORKED: dict[wording.Verdict, str] = {
    "harm": N_("No: worse"),
    "benefit": N_("Yes: better"),
    "cannot_tell": N_("We cannot tell yet"),
    "too_small": N_("No difference that matters"),
}
UNSEEN = ("suppressed", "pooled", "not_compared")
# The two ways, by the labels a trial's groups have unless it gives them others.
WAYS = {
    "Appreciative": N_("2 or 3 days together, starting from strengths, without blame."),
    "Traditional": N_("as sites have reviewed until now."),
}
# What a name means, by scale or process, where a reader from elsewhere would not know.
MEANINGS = {
    "BLG": N_("whether professionals expect fairness, not blame, when things go wrong."),
    "BLR": N_("whether they felt free from blame in the one review they had just been in; asked only after it."),
    "MOR": N_("how professionals feel about their work."),
    "AFF": N_("whether parents say that what they do well was seen, named and built upon."),
    "CAN": N_("whether professionals say that hard things were spoken of openly in the review."),
    "fidelity": N_("how closely a review was held in the appreciative way, scored on twelve criteria in both groups."),
    "high_fidelity": N_("reviews scored 80 points of 100 or more, with no essential criterion absent."),
    "days_to_report": N_("the days from what set the review off (its trigger) to its report."),
    "own_actions": N_("steps people began of their own accord, as who led or watched the review counted them."),
}
# Why the groups are not compared, by what the analysis's reason says of it.
REASONS = {
    "Only one site": N_(
        "In one group only one site has answered. A site cannot be told apart from its group, so a second must answer first."
    ),
    "Nobody": N_("In one group nobody has answered yet."),
    "No site has been allocated": N_("No site has been allocated to a group yet."),
    "fewer than 4": N_("Fewer than four sites have answered, so the groups are described and not compared."),
    "has no interval": N_("No range can be given for the difference."),
}


@dataclass(frozen=True)
class Finding:
    """One outcome of the release: what it found, in a word and a sentence.

    verdict : of the plan's rule; "suppressed", "pooled" or "not_compared" where there is none.
    group : the section it is told in.    numbers : what each group showed, in words, for a table; "" where not shown.
    """

    code: str
    label: str
    primary: bool
    group: str
    verdict: str
    mark: str
    sentence: str
    why_not: str
    numbers: tuple[str, ...]
    as_of: int | None


@dataclass(frozen=True)
class Reason:
    """One aspect of how sure anyone can be: its name, its rating (None where it is not known), why, and what a 5 takes."""

    code: str
    name: str
    rating: int | None
    why: str
    five: str


SURE = (
    N_("not sure at all"),
    N_("hardly sure"),
    N_("a little sure"),
    N_("fairly sure"),
    N_("quite sure"),
    N_("as sure as a trial can be"),
)


@dataclass(frozen=True)
class Certainty:
    """overall : 0 to 5.    words : the same in words.    short : in a sentence.    answers : who has answered, who may yet.

    banner : a warning that a small trial carries, or "".    conclude : what to make of its answer, or "".
    """

    overall: int
    words: str
    short: str
    answers: str
    reasons: tuple[Reason, ...]
    banner: str
    conclude: str


@dataclass(frozen=True)
class Short:
    """The answers a reader comes for: did it work, and what went badly."""

    mark: str
    verdict: str
    worked: str
    badly_mark: str
    badly_verdict: str
    badly: tuple[str, ...]


def ways_of(arms: list[str], say: Say) -> list[tuple[str, str]]:
    """(label, what is done) of each way of reviewing that has one of the usual names."""
    return [(say(label), say(WAYS[label])) for label in arms if label in WAYS]


def is_earlier_form(content: Part) -> bool:
    """Whether a release was published in the first shape of this page, which kept sentences instead of codes."""
    return "form" not in content


def parts(content: Part, kind: str) -> list[tuple[str, Part]]:
    """The parts of one kind, in the order of the release."""
    return [(key, content["parts"][key]) for key in content["order"] if key.startswith(f"{kind}/") or key == kind]


def has_own_scales(content: Part) -> bool:
    """Whether any outcome is one of the project's own 0–100 scales; a measure brought in from a file is not."""
    return any(one["scale"] != "MEASURE" for _, one in parts(content, "outcome"))


class Telling:
    """A release told in one language: its findings, the short answers and how sure anyone can be, in words."""

    def __init__(self, content: Part, say: Say, *, english: bool = True) -> None:
        self.content = content
        self.say = say
        self.english = english
        self.outcomes = {key.removeprefix("outcome/"): one for key, one in parts(content, "outcome")}
        self.findings = tuple(self._finding(code, one) for code, one in self.outcomes.items())

    def of(self, group: str) -> list[Finding]:
        return [one for one in self.findings if one.group == group]

    def hard_truths(self) -> list[Finding]:
        """Candour and harm, and whatever else was found to be worse: as prominent as what was found to be better."""
        return self.of("hard") + [one for one in self.by_verdict("harm") if one.group not in {"hard", "decides"}]

    def tally(self) -> list[tuple[str, str, list[Finding]]]:
        """(verdict, mark, findings) of each mark, worst first, in one order, those without a finding too.

        Only "described" stands where there is one alone: it is of a whole trial with few sites.
        """
        described = self.by_verdict("described")
        neither = [one for one in described if self.outcomes[one.code]["higher_is_better"] is None]
        plain = [one for one in described if one not in neither]
        found: list[tuple[str, str, list[Finding]]] = [
            (verdict, wording.WORDS[verdict].mark, self.by_verdict(verdict)) for verdict in WORKED
        ]
        found += [("described", wording.WORDS["described"].mark, plain)] if plain else []
        found += [
            ("described", wording.NEITHER.mark, neither),
            ("not_compared", NOT_COMPARED, self.by_verdict(*UNSEEN)),
        ]
        return [(verdict, self.say(mark), listed_by) for verdict, mark, listed_by in found]

    def meanings(self) -> list[tuple[str, str]]:
        """The names on this page that need a few words, with them; and who answers."""
        say = self.say
        roles = {role for one in self.outcomes.values() for role in one["roles"]}
        names = [lowered(say(label)) for label, of_it in GROUPS.values() if roles & of_it]
        found = [(say(N_("Who answers")), f"{', '.join(names)}.")] if names else []
        found += [
            (say(one["label"]), say(MEANINGS[one["scale"]]))
            for one in self.outcomes.values()
            if one["scale"] in MEANINGS
        ]
        found.append((say(wording.NEITHER.mark), say(N_("no direction of these is good or bad by itself."))))
        return [*found, (say(NOT_COMPARED), say(N_("too few have answered, in one group or the other.")))]

    def ways(self) -> list[tuple[str, str]]:
        """The two ways of reviewing in a line each, where they have the usual names, and what the outcome that decides is.

        None of the ways while the groups are kept together.
        """
        told = ways_of(self.content["arms"], self.say)
        return told + [
            (self.say(one["label"]), self.say(MEANINGS[one["scale"]]))
            for one in self.outcomes.values()
            if one["primary"] and one["scale"] in MEANINGS
        ]

    def rule(self) -> list[str]:
        """How a range becomes a word: the whole rule, as `wording.ruled` has it."""
        say = self.say
        reaches = dict.fromkeys(
            (one["smallest_worthwhile"], one["measure"]) for one in self.outcomes.values() if one["smallest_worthwhile"]
        )
        told = [say(N_("Every difference has a range in which the true one is likely to lie."))]
        if reaches:
            sizes = listed([f"{number(reach, 1)} {say(wording.UNITS[unit])}" for reach, unit in reaches], say)
            small = N_(
                "Wholly within the smallest difference that the plan says would matter (%(sizes)s either way): too small to matter."
            )
            told.append(say(small) % {"sizes": sizes})
            told.append(
                say(
                    N_(
                        "Otherwise, where it includes 0: we cannot tell yet, as none and one that matters are both possible."
                    )
                )
            )
        else:
            told.append(say(N_("Where it includes 0: we cannot tell yet.")))
        told.append(say(N_("Otherwise, wholly on one side of 0: better or worse.")))
        return told

    def adjusted(self, code: str) -> str:
        """That a difference is not one mean minus the other, where it is not; else ""."""
        comparison = self.outcomes[code]["comparison"]
        if not comparison or not comparison.get("adjusted"):
            return ""
        return self.say(N_("Differences allow for where people started: not one mean minus the other."))

    def unseen_hard(self) -> str:
        """What is said under the hard truths where none of them can be shown or compared."""
        hard = self.hard_truths()
        if not hard or any(one.verdict not in {"suppressed", "not_compared"} or any(one.numbers) for one in hard):
            return ""
        said = N_(
            "None of these can be shown or compared yet, as too few have answered, in one group or the other: %(names)s."
        )
        return self.say(said) % {"names": listed([one.label for one in hard], self.say)}

    def by_verdict(self, *verdicts: str) -> list[Finding]:
        return [one for one in self.findings if one.verdict in verdicts]

    def short(self) -> Short | None:
        """None where the trial has no plan yet."""
        first = next((one for one in self.findings if one.primary), None)
        if first is None:
            return None
        say, worse = self.say, self.by_verdict("harm")
        if not self.content["by_arm"]:
            together = say(N_("The groups are kept together for now, so nothing can be said of one against the other."))
            return Short(first.mark, first.verdict, first.sentence, say(TOGETHER), "pooled", (together,))
        unsure = [one for one in self.of("hard") if one.verdict not in {"benefit", "too_small", "harm"}]
        badly = []
        if worse:
            mark, verdict = say(wording.WORDS["harm"].mark), "harm"
            told = N_("Worse in the %(treatment)s group: %(names)s.")
            names = listed([one.label for one in worse], say)
            badly.append(say(told) % {"treatment": self.groups()[0], "names": names})
        elif self.by_verdict("benefit", "too_small", "cannot_tell", "described"):
            mark = say(N_("No harm was shown, nor is it ruled out") if unsure else N_("No harm was shown"))
            verdict = "cannot_tell"
        else:
            mark, verdict = say(wording.WORDS["cannot_tell"].mark), "cannot_tell"
            badly.append(say(N_("Nothing has been compared yet.")))
        if unsure:
            told = N_("Harm is not ruled out for: %(names)s.")
            badly.append(say(told) % {"names": listed([one.label for one in unsure], say)})
            badly += [] if worse else self._furthest_apart(unsure)
        few = self._too_few_sites()
        if few:
            return Short(say(WORKED["cannot_tell"]), "cannot_tell", few, mark, verdict, tuple(badly))
        worked = "cannot_tell" if first.verdict in UNSEEN else first.verdict
        by_chance = self.content["design"] == "randomised" or worked == "cannot_tell"
        answer = say(WORKED[worked]) if by_chance and worked in WORKED else first.mark
        return Short(answer, worked, first.sentence, mark, verdict, tuple(badly))

    def _furthest_apart(self, unsure: list[Finding]) -> list[str]:
        """Of the harms that are not ruled out, the one that more people of the first group met with, if there is one."""
        found = []
        for one in unsure:
            outcome = self.outcomes[one.code]
            cells = {
                cell["look"]: cell
                for cell in outcome["cells"]
                if cell["wave"] == outcome["waves"][-1] and not cell["hidden"]
            }
            if outcome["kind"] == "share" and {"treatment", "control"} <= cells.keys():
                found.append((cells["treatment"]["mean"] - cells["control"]["mean"], one.label, cells))
        gap, label, cells = max(found, key=lambda one: float(one[0]), default=(0, "", {}))
        if gap <= 0:
            return []
        treatment, control = self.groups()
        said = N_(
            "Furthest apart: %(name)s, %(first)s in 100 of the %(treatment)s group and %(second)s of the %(control)s group."
        )
        parts_of = {
            "name": lowered(label), "first": number(cells["treatment"]["mean"], 0), "treatment": treatment,
            "second": number(cells["control"]["mean"], 0), "control": control,
        }  # fmt: skip
        return [self.say(said) % parts_of]

    def _too_few_sites(self) -> str:
        """Why nothing can be said of the groups while one of them lacks two sites, and what must happen first."""
        found = parts(self.content, "certainty")
        sites = found[0][1]["facts"].get("sites", []) if found else []
        if len(sites) != 2 or min(sites) >= 2:
            return ""
        treatment, control = self.groups()
        said = N_(
            "Sites that have answered on the outcome that decides: %(first)s of the %(treatment)s group, %(second)s of the "
            "%(control)s group. A site cannot be told apart from its group: it takes two sites of each before the groups can "
            "be set side by side, and %(fewest)s in all before anything is concluded."
        )
        return self.say(said) % {
            "first": sites[0], "second": sites[1], "treatment": treatment, "control": control,
            "fewest": wording.FEWEST_SITES,
        }  # fmt: skip

    def certainty(self) -> Certainty | None:
        found = parts(self.content, "certainty")
        if not found:
            return None
        one, say = found[0][1], self.say
        facts, ratings = one["facts"], one["ratings"]
        few = facts and facts["smallest"] is None
        names = {
            "design": N_("How sites came to their groups"),
            "size": N_("How few sites have answered") if few else N_("How small a difference the trial can see"),
            "attrition": N_("How many people were lost"),
            "fidelity": N_("Whether the groups were reviewed in different ways"),
            "balance": N_("Whether the groups began alike"),
        }
        whys = {
            "design": self._why_design, "size": self._why_size, "attrition": self._why_attrition,
            "fidelity": self._why_fidelity, "balance": self._why_balance,
        }  # fmt: skip
        fives = self._fives(facts)
        reasons = tuple(
            Reason(
                code, say(name), ratings.get(code), whys[code](facts) if facts else say(N_("Not shown.")), fives[code]
            )
            for code, name in names.items()
        )
        cap = next(reason for reason in reasons if reason.code == one["capped_by"])
        name, why = cap.name, cap.why
        if facts and cap.code == "size":  # in the first few lines in points alone, and no longer than it must be
            name, why = name if few else say(N_("Its size")), self._why_size(facts, brief=True)
        short = say(N_("What limits it most: %(name)s. %(why)s")) % {"name": lowered(name), "why": why}
        smallest = facts.get("smallest")
        banner, conclude = "", ""
        if smallest is not None and smallest > bands.LARGE:
            banner, conclude = say(N_("This study could only have seen a very large effect.")), self._conclude()
        return Certainty(one["overall"], say(SURE[one["overall"]]), short, self._answers(), reasons, banner, conclude)

    def _conclude(self) -> str:
        """What to make of the answer of a trial that could only have seen a very large difference."""
        first = next((one for one in self.findings if one.primary), None)
        if first is None or not self.content["by_arm"]:
            return ""
        if first.verdict in {"benefit", "harm"}:
            return self.say(
                N_(
                    "The difference it found may be real, but is more likely to be overstated than understated: so small a study "
                    "sees only what looks large."
                )
            )
        return self.say(N_("That it has shown no difference does not mean there is none."))

    def _answers(self) -> str:
        """How many of those asked the questions that decide have answered, and whether more may."""
        say = self.say
        first = next((one for one in self.outcomes.values() if one["primary"]), None)
        if first is None:
            return ""
        asked = {label for label, roles in GROUPS.values() if not first["roles"] or roles & set(first["roles"])}
        told = []
        for _, one in parts(self.content, "response"):
            if one["wave"] != first["waves"][-1] or one["group"] not in asked:
                continue
            if one["hidden"]:
                told.append(say(N_("How many of those asked have answered is not shown: too few have, or have not.")))
            else:
                said = N_("%(group)s: %(answered)s of %(expected)s asked have answered.")
                told.append(say(said) % {**one, "group": say(one["group"])})
        return " ".join([*told, *self._later()])

    def _later(self) -> list[str]:
        """Whether more answers may come, as it was on the day of the release; nothing where it did not record that."""
        still_open = self.content.get("open")
        if still_open is None:
            return []
        if still_open:
            return [self.say(N_("More answers may come, so this may change."))]
        step = self.content["rules"]["step"]
        found = [
            one
            for key, one in parts(self.content, "recruitment")
            if key.endswith(("/sites", "/reviews")) and one["target"]
        ]
        short = [one for one in found if one["target"] - one["count"] >= (1 if one["label"] == "Sites" else step)]
        if short:
            return [self.say(N_("Only sites or reviews to come can change this."))]
        return [self.say(N_("No more answers are expected."))]

    def _fives(self, facts: Part) -> dict[str, str]:
        """What each aspect takes: for a 5 of the first three, for the others so much that nothing is taken off."""
        say = self.say
        high, above = bands.TRUE_TO_FORM[5 - bands.POOR - 1]
        size = self._size(bands.SEEN[0], facts.get("sd"))
        return {
            "design": say(N_("Chance decides, and nobody knows their group when the first answers are given.")),
            "size": say(N_("A true difference of %(size)s is found four times in five.")) % {"size": size},
            "attrition": say(
                N_("At most %(lost)s in 100 are lost, and the groups differ in this by at most %(apart)s in 100.")
            )
            % {"lost": bands.LOST[0], "apart": bands.LOST_APART[0]},
            "fidelity": say(
                N_("Nothing is taken off from %(high)s in 100 of high fidelity and %(above)s points above.")
            )
            % {"high": high, "above": above},
            "balance": say(N_("Nothing is taken off up to %(apart)s standard deviations apart."))
            % {"apart": f"{bands.APART[5 - bands.POOR - 1]:g}"},
        }

    def _why_design(self, facts: Part) -> str:
        if self.content["design"] != "randomised":
            return self.say(N_("Sites were not allocated by chance, so a difference may have other causes."))
        if facts["clean"]:
            return self.say(N_("Sites were allocated by chance, and nobody knew their group at the start."))
        return self.say(
            N_("Sites were allocated by chance, but some knew their group when the first answers were given.")
        )

    def _why_size(self, facts: Part, *, brief: bool = False) -> str:
        """brief : in points alone, where there are any."""
        say = self.say
        sites = listed([str(one) for one in facts["sites"]], say)
        planned = facts["planned"] or "–"
        if facts["smallest"] is None:
            said = N_(
                "Sites that have answered: %(sites)s, of %(planned)s planned. That is too few for any comparison."
            )
            told = say(said) % {"sites": sites, "planned": planned}
            if facts["smallest_planned"] is not None:
                later = say(N_("All of them would find a true difference of %(size)s four times in five."))
                told += " " + later % {"size": self._size(facts["smallest_planned"], facts["sd"], brief=brief)}
            return told
        said = N_(
            "Sites that have answered: %(sites)s, of %(planned)s planned. So many find a true difference of %(size)s four times "
            "in five."
        )
        size = self._size(facts["smallest"], facts["sd"], brief=brief)
        return say(said) % {"sites": sites, "planned": planned, "size": size}

    def _size(self, smallest: float, sd: float | None, *, brief: bool = False) -> str:
        """A size in points where the outcome has them, and in standard deviations; brief, in points alone."""
        told = self.say(N_("%(sd)s standard deviations")) % {"sd": number(smallest, 2)}
        if sd is None:
            return told
        points = self.say(ABOUT) % {"points": number(smallest * sd, 0)}
        return points if brief else f"{points} ({told})"

    def _why_attrition(self, facts: Part) -> str:
        say = self.say
        if facts["lost"] is None:
            return say(N_("Not known yet: too few people have reached their last day to answer, or have answered."))
        said = say(N_("Of every 100 people asked the questions that decide, %(band)s did not answer.")) % {
            "band": _band(facts["lost"], say)
        }
        if facts["lost_apart"] is not None:
            said += " " + say(N_("Between the groups this differs by %(band)s.")) % {
                "band": _band(facts["lost_apart"], say)
            }
        return said

    def _why_fidelity(self, facts: Part) -> str:
        if facts["high"] is None or facts["above"] is None:
            return self.say(N_("Not known: too few reviews have been scored by those who led or watched them."))
        said = N_(
            "High fidelity: %(high)s in 100 reviews of the first group. On average its reviews score %(above)s points out of "
            "100 above the other group's."
        )
        return self.say(said) % {"high": facts["high"], "above": number(facts["above"], 0)}

    def _why_balance(self, facts: Part) -> str:
        if facts["start"] is None:
            return self.say(N_("Not known: the groups' starting points cannot be set side by side."))
        said = N_("On the outcome that decides the groups began %(band)s standard deviations apart.")
        return self.say(said) % {"band": _band(facts["start"], self.say)}

    def gate(self) -> str:
        """How many parents were asked, in a sentence; what is not known is said."""
        say = self.say
        cells = [cell for _, one in parts(self.content, "gate") for cell in one["cells"]]
        if not cells:
            return say(
                N_(
                    "How many parents were invited cannot be shown: too few took part in reviews, or too few were kept from "
                    "being asked."
                )
            )
        said = N_("%(group)s: %(invited)s of %(people)s parents in these reviews were invited (%(percent)s in 100).")
        told = [say(said) % {**cell, "group": say(cell["group"])} for cell in cells]
        return " ".join(
            [*told, say(N_("The others were not asked: it was not safe, lawful or kind, or their child had died."))]
        )

    def scored(self) -> list[tuple[str, tuple[str, ...]]]:
        """Who scored fidelity: (what, a number a group), for a table."""
        cells = [cell for _, one in parts(self.content, "fidelity") for cell in one["cells"]]
        rows = {
            N_("Fidelity as those who led the review scored it"): "facilitator",
            N_("Fidelity as those who watched it scored it"): "observer",
            N_("Reviews scored (to the nearest five)"): "reviews",
            N_("Reviews scored by both"): "double",
        }
        return [
            (
                self.say(name),
                tuple(self.say(N_("not shown")) if cell[key] is None else number(cell[key], 0) for cell in cells),
            )
            for name, key in rows.items()
            if cells
        ]

    def processes(self) -> list[Finding]:
        return self.of("process")

    def groups(self) -> list[str]:
        """The labels at the head of a table by group."""
        return [self.say(label) for label in self.content["arms"]] or [self.say(TOGETHER)]

    def _finding(self, code: str, one: Part) -> Finding:
        verdict, mark, sentence = self._told(one)
        if verdict in UNSEEN and self.content["by_arm"]:  # one name wherever it stands, whatever the reason
            mark = NOT_COMPARED
        last = [cell for cell in one["cells"] if cell["wave"] == one["waves"][-1]]
        numbers = tuple("" if cell["hidden"] else self._counted(cell["mean"], one["measure"]) for cell in last)
        return Finding(
            code, self.say(one["label"]), one["primary"], _group(one), verdict, self.say(mark), sentence,
            self.say(_why_not(one["why_not"])) if one["why_not"] else "", numbers, one.get("as_of"),
        )  # fmt: skip

    def _counted(self, value: float, measure: wording.Unit) -> str:
        """A number with what it counts, for a table; a plain count needs no more."""
        if measure == "number":
            return number(value, 1)
        unit = wording.UNITS["days"] if measure == "times" else wording.UNITS[measure]
        return f"{number(value, 1)} {self.say(unit)}"

    def _told(self, one: Part) -> tuple[str, str, str]:
        """(verdict, mark, sentence) of one outcome."""
        comparison, say, name = one["comparison"], self.say, self.say(one["label"])
        hidden = (wording.SUPPRESSED, say(wording.SUPPRESSED_SENTENCE) % {"name": name})
        if one["groups"] == "hidden" or not one["cells"] or all(cell["hidden"] for cell in one["cells"]):
            return ("suppressed", *hidden)
        if comparison is None:
            return "pooled", TOGETHER, self._pooled(one)
        if comparison["hidden"]:
            return ("suppressed", *hidden)
        if "not_estimable" in comparison:
            said = say(N_("%(name)s: the groups cannot be compared. %(reason)s"))
            return (
                "not_compared",
                NOT_COMPARED,
                said % {"name": name, "reason": self._reason(comparison["not_estimable"])},
            )
        treatment, control = one["arms"]
        told = Told(
            one["label"], treatment, control, one["measure"], one["when"], comparison["estimate"], comparison["low"],
            comparison["high"], one["smallest_worthwhile"], one["higher_is_better"] is None,
            self.content["design"] != "nonrandomised",
        )  # fmt: skip
        said = wording.sentence(comparison["verdict"], told, say)
        if comparison.get("people"):
            rests = (
                N_("From about %(people)s reviews.")
                if one["kind"] == "process"
                else N_("From about %(people)s people.")
            )
            said += " " + say(rests) % {"people": comparison["people"]}
        words = (
            wording.NEITHER
            if told.neither and comparison["verdict"] == "described"
            else wording.WORDS[comparison["verdict"]]
        )
        return comparison["verdict"], words.mark, said

    def _reason(self, reason: str) -> str:
        """Why the groups are not compared: in words there are in every language, or as the analysis gave it, in English."""
        known = next((words for part, words in REASONS.items() if part in reason), None)
        if known is not None:
            return self.say(known)
        if self.english:
            return _whole(reason)
        return self.say(N_("The analysis gives the reason in English, on the English page."))

    def _pooled(self, one: Part) -> str:
        say, last = self.say, one["cells"][-1]
        parts_of = {
            "name": say(one["label"]), "when": say(one["when"]) if one["when"] else "", "unit": say(wording.UNITS[one["measure"]]),
            "mean": "" if last["hidden"] else number(last["mean"], 1),
        }  # fmt: skip
        if last["hidden"]:
            said = say(N_("%(name)s: too few people have answered %(when)s for a number to be shown.")) % parts_of
        elif one["measure"] == "times":
            said = say(N_("%(name)s: %(mean)s days on average, both groups together.")) % parts_of
        else:
            said = say(N_("%(name)s: %(mean)s %(unit)s on average %(when)s, both groups together.")) % parts_of
        if self.content["by_arm"]:
            said += " " + say(N_("Too few have answered in each group for them to be shown apart."))
        return said.replace(" ,", ",").replace("  ", " ")


def _why_not(reason: str) -> str:
    """Why no change is drawn, in a sentence that there is in every language."""
    known = N_(
        "Some sites knew their group when these first answers were given, so they cannot serve as a starting point: the groups "
        "are compared after the review alone."
    )
    other = N_(
        "The questions ask about something else before the review than after it, so no change is drawn: the groups are "
        "compared after the review alone."
    )
    return known if reason == known else other


def _group(one: Part) -> str:
    """The section of the page an outcome is told in. Candour and every harm stand among the hard truths."""
    if one["primary"]:
        return "decides"
    if one["kind"] == "process":
        return "process"
    if one["scale"] == "CAN" or (one["kind"] == "share" and one["higher_is_better"] is False):
        return "hard"
    if one["scale"] in {"BLR", "MOR"}:
        return {"BLR": "blame", "MOR": "morale"}[one["scale"]]
    return "parents" if one["roles"] == ["parent"] else "others"


def _band(ends: tuple[float, float | None], say: Callable[[str], str]) -> str:
    low, high = ends
    if high is None:
        return say(N_("more than %(low)s")) % {"low": f"{low:g}"}
    if low == 0:
        return say(N_("at most %(high)s")) % {"high": f"{high:g}"}
    return say(N_("%(low)s to %(high)s")) % {"low": f"{low:g}", "high": f"{high:g}"}


def lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _whole(reason: str) -> str:
    """A reason as a whole sentence."""
    return f"{reason[:1].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"


def listed(words: list[str], say: Say) -> str:
    if len(words) < 2:
        return words[0] if words else ""
    return f"{', '.join(words[:-1])} {say(AND)} {words[-1]}"
