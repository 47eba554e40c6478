"""The funder's one page: the latest release of a trial, and not a number from anywhere else."""

from datetime import date
from typing import Any

from flask import abort, render_template, url_for

from evalapp import access, releases
from evalapp.access import Permission, requires
from evalapp.dashboard import release_pictures
from evalapp.dashboard.page import Chart, Page, chart, choose_trial, csv_of, pages, trial_of
from evalapp.dashboard.release_pictures import Shown


@pages.get("/funder/", defaults={"slug": None}, endpoint="funder")
@pages.get("/funder/<slug>", endpoint="funder")
@requires(Permission.SEE_RELEASE)
def funder(slug: str | None) -> Page:
    if slug is None:
        return choose_trial("dashboard.funder", "Funder page")
    trial = trial_of(slug)
    last = releases.latest(access.database(), trial.id)
    if last is None:
        return render_template("dashboard/funder_empty.html", trial=trial)
    content = releases.content_of(last)

    def drawn(one: Shown | None) -> Chart | None:
        if one is None:
            return None
        return chart(one.name, one.finding, one.figure, url_for("dashboard.funder_csv", slug=slug, name=one.name))

    found = release_pictures.outcomes(content)
    return render_template(
        "dashboard/funder.html", trial=trial, content=content, published=_day(content["published_on"]),
        opens=_day(content["opens_on"]), found=found, chart_of=drawn,
        recruitment=release_pictures.recruitment(content), response=release_pictures.response(content),
        differences=release_pictures.differences(content), own_scales=release_pictures.has_own_scales(content),
    )  # fmt: skip


@pages.get("/funder/<slug>/<name>.csv")
@requires(Permission.SEE_RELEASE)
def funder_csv(slug: str, name: str) -> Page:
    last = releases.latest(access.database(), trial_of(slug).id)
    found: dict[str, Any] = release_pictures.figures(releases.content_of(last)) if last else {}
    if name not in found:
        abort(404)
    return csv_of(found[name].figure.table(), f"{slug}-{name}")


def _day(written: str | None) -> str:
    if written is None:
        return ""
    found = date.fromisoformat(written)
    return f"{found.day} {found:%B %Y}"
