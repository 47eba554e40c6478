"""The staff's pages in a real browser: each role's own, on a phone and a desk, with and without script."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import Page

from evalapp.cli import main
from tests.journeys import checks
from tests.journeys.conftest import DESKTOP, PHONE, Demo, Opener, Watch

pytestmark = pytest.mark.browser

REFERENCES = Path(__file__).parent.parent / "references"
BOARD = ["/dashboard/demo/responses", "/dashboard/demo/responses?by=site", "/dashboard/demo/responses?by=role"]
PAGES = {
    "admin": ["/staff/", "/staff/accounts", "/staff/sites", "/staff/people", *BOARD],
    "coordinator": ["/staff/", "/staff/people", *BOARD],
    "evaluator": [
        "/staff/", "/staff/sites", "/dashboard/", "/dashboard/demo/", "/dashboard/demo/outcomes/blame",
        "/dashboard/demo/outcomes/affirmed", "/dashboard/demo/releases", *BOARD,
        "/dashboard/demo/questions", "/dashboard/demo/questions/practitioner", "/dashboard/demo/questions/practitioner/BLG",
        "/dashboard/demo/questions/practitioner/VAL?compare=yes", "/dashboard/demo/questions/practitioner/BLG/reliability",
        "/dashboard/demo/questions/practitioner/items/COM5", "/dashboard/demo/missing", "/dashboard/demo/missing?by=site",
        "/dashboard/demo/fidelity", "/dashboard/demo/outcomes/days-to-report",
    ],
    "funder": ["/staff/", "/funder/demo"],
}  # fmt: skip


def sign_in(page: Page, demo: Demo, role: str) -> None:
    known = demo.staff(role)
    page.goto("/staff/sign-in")
    page.get_by_label("E-mail").fill(known["email"])
    page.get_by_label("Password").fill(known["password"])
    checks.go_on(page, page.locator("main").get_by_role("button"))
    page.wait_for_url("**/staff/")


def look(page: Page, watch: Watch, size: dict[str, int]) -> None:
    page.wait_for_load_state("networkidle")
    checks.assert_fits(page, size["width"])
    checks.assert_accessible(page)
    watch.assert_quiet()


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desk"])
@pytest.mark.parametrize("role", list(PAGES))
def test_each_role_sees_its_own_pages_whole_without_script(
    demo: Demo, open_page: Opener, role: str, size: dict[str, int]
) -> None:
    page, watch = open_page(size=size)
    sign_in(page, demo, role)
    for address in PAGES[role]:
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 200, address
        look(page, watch, size)
        if "/outcomes/" in address or "/funder/" in address:
            assert page.locator("figure svg[role=img]").count() >= 2


def test_a_funder_sees_nothing_but_the_release(demo: Demo, open_page: Opener) -> None:
    page, _ = open_page()
    sign_in(page, demo, "funder")
    for address in ("/dashboard/demo/outcomes/blame", "/dashboard/demo/responses", "/staff/accounts", "/staff/people"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403, address


def test_a_wrong_password_says_so_and_shows_nothing(demo: Demo, open_page: Opener) -> None:
    page, watch = open_page()
    page.goto("/staff/sign-in")
    page.get_by_label("E-mail").fill("nobody@example.org")
    page.get_by_label("Password").fill("not the password at all")
    checks.go_on(page, page.locator("main").get_by_role("button"))
    assert page.url.endswith("/staff/sign-in")
    assert page.locator("[role=alert]").count() == 1
    assert page.get_by_label("Password").input_value() == ""
    look(page, watch, PHONE)


@pytest.mark.parametrize("address", ["/dashboard/demo/outcomes/blame", "/funder/demo"])
def test_plotly_takes_a_chart_over_within_the_policy_and_without_moving_the_page(
    demo: Demo, open_page: Opener, address: str
) -> None:
    page, watch = open_page(script=True, size=DESKTOP)
    sign_in(page, demo, "evaluator")
    page.goto(address)
    page.locator(".chart-stage").first.scroll_into_view_if_needed()
    page.wait_for_selector(".js-plotly-plot .main-svg", timeout=30_000)
    assert page.locator(".modebar-btn").count() == 0  # no button, so none that uploads data to a cloud
    page.wait_for_load_state("networkidle")
    moved = page.evaluate(
        "() => new Promise(done => { let sum = 0;"
        " new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })"
        ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 300); })"
    )
    assert moved < 0.1
    watch.assert_quiet()


def test_a_trial_brought_in_shows_the_comparison_of_the_command_line(
    demo: Demo, open_page: Opener, tmp_path: Path
) -> None:
    columns = "site=site,review=review,participant=participant,arm=arm,baseline=baseline,outcome=outcome"
    brought = CliRunner().invoke(
        main,
        ["import-trial", str(REFERENCES / "tvsfp.csv"), "--dir", str(demo.folder), "--map", columns, "--treatment", "1",
         "--planned-sites", "28", "--label", "Tobacco and health knowledge"],
    )  # fmt: skip
    assert brought.exit_code == 0, brought.output
    page, watch = open_page(size=DESKTOP)
    sign_in(page, demo, "evaluator")
    page.goto("/dashboard/tvsfp/outcomes/outcome")
    look(page, watch, DESKTOP)
    shown = page.locator("main").inner_text()
    # as R has them, rounded as the page rounds: estimate, interval, standard error, df, p, g
    for number in ("0.385", "0.192 to 0.578", "0.0934", "23.6", "0.00039", "0.35", "Mixed model with Kenward–Roger"):
        assert number in shown, number
    answer = page.context.request.get("/dashboard/tvsfp/outcomes/outcome/methods.csv")
    rows = {row["Method"]: row for row in csv.DictReader(io.StringIO(answer.text()))}
    options = ["--outcome", "outcome", "--baseline", "baseline", "--arm", "arm", "--site", "site", "--review", "review"]
    direct = CliRunner().invoke(
        main,
        ["compare", str(REFERENCES / "tvsfp.csv"), *options, "--participant", "participant", "--design", "randomised",
         "--planned-sites", "28", "--json"],
    )  # fmt: skip
    methods = json.loads(direct.stdout)["methods"]
    for name, label in {
        "lmm_kenward_roger": "Mixed model with Kenward–Roger",
        "cr2": "Least squares, cluster-robust CR2",
        "cluster_summary": "Site means, cluster-summary t",
    }.items():
        for key, column in {
            "estimate": "Estimate",
            "se": "Standard error",
            "df": "Degrees of freedom",
            "p": "p",
        }.items():
            assert float(rows[label][column]) == pytest.approx(methods[name][key], rel=1e-9), (name, key)
