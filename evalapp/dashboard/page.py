"""What the dashboards' pages share: the blueprint, a chart with its finding, a trial by its slug, and safe CSV."""

import csv
import io
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from evalapp import access
from evalapp.exchange.files import safe
from evalapp.figures import Drawn, Figure, Table, draw
from evalapp.models import Trial

pages = Blueprint("dashboard", __name__, template_folder="templates")
Page = str | tuple[str, int] | AnyResponse


@dataclass(frozen=True)
class Chart:
    """A figure on a page: the finding in one sentence, the drawing, and where its numbers can be fetched."""

    finding: str
    drawn: Drawn
    csv: str


def chart(name: str, finding: str, figure: Figure, csv_url: str) -> Chart:
    return Chart(finding, draw(figure, name), csv_url)


def trial_of(slug: str) -> Trial:
    """The trial of an address; 404 when there is none."""
    found = access.database().scalar(select(Trial).where(Trial.slug == slug))
    if found is None:
        abort(404)
    return found


def all_trials() -> list[Trial]:
    return list(access.database().scalars(select(Trial).order_by(Trial.title)))


def choose_trial(endpoint: str, heading: str) -> Page:
    """An address that names no trial leads to the only one, or asks which."""
    trials = all_trials()
    if len(trials) == 1:
        return redirect(url_for(endpoint, slug=trials[0].slug), 303)
    return render_template("dashboard/choose.html", trials=trials, endpoint=endpoint, heading=heading)


def csv_of(table: Table, name: str) -> Response:
    """A table as CSV that no spreadsheet runs: words that look like a formula get a quote before them."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([safe(head) for head in table.head])
    writer.writerows([["" if cell is None else safe(cell) for cell in row] for row in table.rows])
    response = Response(written.getvalue(), mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def day(moment: datetime) -> str:
    """A day as people write it in Britain, in the trial's own time zone."""
    local = moment.astimezone(access.LONDON)
    return f"{local.day} {local:%B %Y}"


def opening(trial: Trial) -> str:
    """The day on which results by group open; empty where none is set."""
    return day(trial.results_open_at) if trial.results_open_at else ""
