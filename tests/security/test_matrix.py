"""Who may do what, page by page: every rule, method and kind of visitor in one table, each cell asked for."""

import re

import pytest
from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from evalapp import access
from evalapp.access import Permission, Role
from evalapp.vault import Vault
from tests.security import visitors
from tests.security.visitors import World

VISITORS = ("anyone", "participant", "admin", "evaluator", "coordinator", "funder", "closed", "ended")
# "in": shown to the staff's sign-in page. "door": shown to the participants' door. A number is the status.
# Forms are sent empty, so that 422 is "you may, but there is something to mend". 303 leads on within what one may do.
TABLE = """
                                                       anyone part admin eval coord fund closed ended
GET  /                                                 200  200  200  200  200  200  200  200
POST /                                                 422  422  422  422  422  422  422  422
GET  /j                                                200  200  200  200  200  200  200  200
GET  /help                                             200  200  200  200  200  200  200  200
GET  /exit                                             200  200  200  200  200  200  200  200
POST /exit                                             303  303  303  303  303  303  303  303
GET  /stopped                                          200  200  200  200  200  200  200  200
POST /language                                         303  303  303  303  303  303  303  303
GET  /health                                           200  200  200  200  200  200  200  200
GET  /go                                               door 303  door door door door door door
GET  /about                                            door 200  door door door door door door
GET  /consent                                          door 200  door door door door door door
POST /consent                                          401  409  401  401  401  401  401  401
GET  /q/<int:number>                                   door 303  door door door door door door
POST /q/<int:number>                                   401  409  401  401  401  401  401  401
GET  /check                                            door 303  door door door door door door
POST /check                                            401  409  401  401  401  401  401  401
GET  /call-back                                        door 303  door door door door door door
POST /call-back                                        401  303  401  401  401  401  401  401
GET  /pin                                              door 303  door door door door door door
POST /pin                                              401  409  401  401  401  401  401  401
POST /pin/new                                          401  409  401  401  401  401  401  401
GET  /said                                             door 200  door door door door door door
GET  /change                                           200  200  200  200  200  200  200  200
POST /change                                           401  422  401  401  401  401  401  401
POST /change/sure                                      401  400  401  401  401  401  401  401
GET  /change/done                                      door 303  door door door door door door
GET  /permission                                       door 303  door door door door door door
POST /permission                                       401  409  401  401  401  401  401  401
GET  /done                                             door 200  door door door door door door
GET  /staff/sign-in                                    200  200  200  200  200  200  200  200
POST /staff/sign-in                                    422  422  422  422  422  422  422  422
GET  /staff/accept                                     200  200  200  200  200  200  200  200
POST /staff/accept                                     422  422  422  422  422  422  422  422
GET  /staff/                                           in   in   200  200  200  200  in   in
POST /staff/sign-out                                   in   in   in   in   in   in   in   in
GET  /staff/accounts                                   in   in   200  403  403  403  in   in
POST /staff/accounts                                   in   in   422  403  403  403  in   in
GET  /staff/accounts/<user_id>/role                    in   in   200  403  403  403  in   in
POST /staff/accounts/<user_id>/role                    in   in   422  403  403  403  in   in
GET  /staff/accounts/<user_id>/<change>                in   in   200  403  403  403  in   in
POST /staff/accounts/<user_id>/<change>                in   in   303  403  403  403  in   in
GET  /staff/trials/new                                 in   in   200  200  403  403  in   in
POST /staff/trials/new                                 in   in   422  422  403  403  in   in
GET  /staff/sites                                      in   in   200  200  200  403  in   in
GET  /staff/trials/<trial_id>/sites/new                in   in   200  200  200  403  in   in
POST /staff/trials/<trial_id>/sites/new                in   in   422  422  422  403  in   in
GET  /staff/sites/<site_id>/allocation                 in   in   403  200  403  403  in   in
POST /staff/sites/<site_id>/allocation                 in   in   403  422  403  403  in   in
GET  /staff/people                                     in   in   200  403  200  403  in   in
GET  /staff/sites/<site_id>/reviews/new                in   in   200  403  200  403  in   in
POST /staff/sites/<site_id>/reviews/new                in   in   422  403  422  403  in   in
GET  /staff/people/<review_id>                         in   in   200  403  200  403  in   in
GET  /staff/people/<review_id>/add                     in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/add                     in   in   422  403  422  403  in   in
GET  /staff/people/<review_id>/known                   in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/known                   in   in   422  403  422  403  in   in
GET  /staff/people/<review_id>/<person_id>/card        in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/<person_id>/card        in   in   303  403  303  403  in   in
GET  /staff/people/<review_id>/facts                   in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/facts                   in   in   303  403  303  403  in   in
GET  /staff/people/<review_id>/<person_id>/invitation  in   in   404  403  404  403  in   in
POST /staff/people/<review_id>/<person_id>/invitation  in   in   404  403  404  403  in   in
GET  /staff/people/<review_id>/<person_id>/contact     in   in   303  403  303  403  in   in
POST /staff/people/<review_id>/<person_id>/contact     in   in   303  403  303  403  in   in
GET  /staff/sites/<site_id>/people/<person_id>/contact in   in   404  403  404  403  in   in
POST /staff/sites/<site_id>/people/<person_id>/contact in   in   404  403  404  403  in   in
GET  /staff/messages                                   in   in   200  403  200  403  in   in
GET  /stop/<token>                                     200  200  200  200  200  200  200  200
POST /stop/<token>                                     200  200  200  200  200  200  200  200
GET  /staff/trials/<trial_id>/readers                  in   in   200  403  403  403  in   in
POST /staff/trials/<trial_id>/readers                  in   in   303  403  403  403  in   in
GET  /staff/words                                      in   in   403  403  200  403  in   in
GET  /staff/words/released                             in   in   403  200  403  403  in   in
POST /staff/words/<response_id>/<item>                 in   in   403  403  404  403  in   in
POST /staff/call-backs/<call_id>                       in   in   403  403  404  403  in   in
GET  /staff/set-aside                                  in   in   403  200  403  403  in   in
POST /staff/set-aside/<aside_id>                       in   in   403  404  403  403  in   in
GET  /staff/people/<review_id>/tablet                  in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/tablet                  in   in   303  403  303  403  in   in
POST /staff/people/<review_id>/tablets/close           in   in   303  403  303  403  in   in
GET  /tablet/close                                     404  404  404  404  404  404  404  404
POST /tablet/close                                     404  404  404  404  404  404  404  404
GET  /staff/people/<review_id>/<person_id>/paper       in   in   200  403  200  403  in   in
POST /staff/people/<review_id>/<person_id>/paper       in   in   422  403  422  403  in   in
GET  /staff/sites/<site_id>/people/<person_id>/paper   in   in   404  403  404  403  in   in
POST /staff/sites/<site_id>/people/<person_id>/paper   in   in   404  403  404  403  in   in
GET  /staff/questionnaires                             in   in   200  200  200  403  in   in
GET  /staff/paper                                      in   in   403  200  200  403  in   in
POST /staff/paper                                      in   in   403  422  422  403  in   in
GET  /staff/paper/<paper_id>/<int:number>              in   in   403  303  303  403  in   in
POST /staff/paper/<paper_id>/<int:number>              in   in   403  303  303  403  in   in
POST /staff/paper/<paper_id>/again                     in   in   403  303  303  403  in   in
GET  /staff/paper/<paper_id>/differences               in   in   403  303  303  403  in   in
POST /staff/paper/<paper_id>/differences               in   in   403  303  303  403  in   in
GET  /staff/paper/<paper_id>/decision                  in   in   403  303  403  403  in   in
POST /staff/paper/<paper_id>/decision                  in   in   403  303  403  403  in   in
GET  /staff/people/<review_id>/<person_id>/parent      in   in   404  403  404  403  in   in
POST /staff/people/<review_id>/<person_id>/parent      in   in   404  403  404  403  in   in
GET  /staff/sites/<site_id>/rules                      in   in   200  403  403  403  in   in
POST /staff/sites/<site_id>/rules                      in   in   422  403  403  403  in   in
GET  /staff/trials/<trial_id>/terms                    in   in   200  200  403  403  in   in
POST /staff/trials/<trial_id>/terms                    in   in   303  303  403  403  in   in
GET  /staff/sites/<site_id>/people                     in   in   200  403  200  403  in   in
GET  /staff/sites/<site_id>/people/add                 in   in   200  403  200  403  in   in
POST /staff/sites/<site_id>/people/add                 in   in   422  403  422  403  in   in
GET  /staff/sites/<site_id>/people/<person_id>/card    in   in   404  403  404  403  in   in
POST /staff/sites/<site_id>/people/<person_id>/card    in   in   404  403  404  403  in   in
GET  /dashboard/                                       in   in   200  200  200  403  in   in
GET  /dashboard/responses                              in   in   303  303  303  403  in   in
GET  /dashboard/<slug>/                                in   in   200  200  200  403  in   in
GET  /dashboard/<slug>/responses                       in   in   200  200  200  403  in   in
GET  /dashboard/<slug>/responses.csv                   in   in   200  200  200  403  in   in
GET  /dashboard/<slug>/flow.csv                        in   in   403  200  403  403  in   in
GET  /dashboard/outcomes                               in   in   403  303  403  403  in   in
GET  /dashboard/<slug>/outcomes                        in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/outcomes/<code>                 in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/outcomes/<code>/<name>.csv      in   in   403  404  403  403  in   in
GET  /dashboard/questions                              in   in   403  303  403  403  in   in
GET  /dashboard/<slug>/questions                       in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/questions/<family>              in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/questions/<family>/<scale>      in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/questions/<family>/<scale>/<name>.csv in   in   403  404  403  403  in   in
GET  /dashboard/<slug>/questions/<family>/<scale>/reliability in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/questions/<family>/items/<item> in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/questions/<family>/items/<item>/<name>.csv in   in   403  404  403  403  in   in
GET  /dashboard/<slug>/fidelity                        in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/fidelity.csv                    in   in   403  200  403  403  in   in
GET  /dashboard/missing                                in   in   403  303  403  403  in   in
GET  /dashboard/<slug>/missing                         in   in   403  200  403  403  in   in
GET  /dashboard/<slug>/missing.csv                     in   in   403  200  403  403  in   in
GET  /dashboard/releases                               in   in   403  303  403  403  in   in
GET  /dashboard/<slug>/releases                        in   in   403  200  403  403  in   in
POST /dashboard/<slug>/releases                        in   in   403  303  403  403  in   in
GET  /funder/                                          in   in   403  303  403  303  in   in
GET  /funder/<slug>                                    in   in   403  200  403  200  in   in
GET  /funder/<slug>/<name>.csv                         in   in   403  404  403  404  in   in
"""
ROWS: dict[tuple[str, str], dict[str, str]] = {
    (line.split()[0], line.split()[1]): dict(zip(VISITORS, line.split()[2:], strict=True))
    for line in TABLE.strip().splitlines()[1:]
}
# A page about a thing that is not there, for whoever may see the page at all: the same 404 for every kind of key.
KEYED = sorted({(method, rule) for method, rule in ROWS if re.search(r"<(slug|\w+_id)>", rule)})
NOT_A_KEY = "0123456789abcdef"


def rules_of(app: Flask) -> set[tuple[str, str]]:
    """Every method and rule of the app, HEAD and OPTIONS apart (Flask makes them from the rest)."""
    return {
        (method, re.sub(r"<any\([^)]*\):change>", "<change>", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def path_of(rule: str, world: World, **others: str) -> str:
    paths = {**world.paths, "change": "close", **others}
    return re.sub(r"<(?:int:)?(\w+)>", lambda found: paths[found.group(1)], rule)


def outcome_of(answer: TestResponse) -> str:
    """A cell of the table."""
    if answer.status_code == 303 and answer.location == "/staff/sign-in":
        return "in"
    if answer.status_code == 303 and answer.location == "/?again=1":
        return "door"
    return str(answer.status_code)


@pytest.fixture
def world(engine: Engine, vault: Vault) -> World:
    return visitors.world(engine, vault)


def test_the_table_holds_every_rule_of_the_app_and_no_other(app: Flask) -> None:
    assert set(ROWS) == rules_of(app)


def test_the_table_of_permissions_names_every_permission_and_only_known_roles() -> None:
    assert set(access.MAY) == set(Permission)
    assert {role for roles in access.MAY.values() for role in roles} <= set(Role)
    assert all(access.MAY.values())


@pytest.mark.parametrize("kind", VISITORS)
def test_every_cell(app: Flask, session: Session, world: World, kind: str) -> None:
    wrong = []
    for (method, rule), expected in ROWS.items():
        who = visitors.visitor(kind, app, session, world)  # anew: some pages end the visit
        found = outcome_of(who.ask(method, path_of(rule, world)))
        if found != expected[kind]:
            wrong.append(f"{method} {rule}: {found}, not {expected[kind]}")
    assert wrong == []


@pytest.mark.parametrize("kind", VISITORS)
def test_head_and_options_open_no_door_that_get_keeps_shut(
    app: Flask, session: Session, world: World, kind: str
) -> None:
    who = visitors.visitor(kind, app, session, world)
    wrong = []
    for (method, rule), expected in ROWS.items():
        path = path_of(rule, world)
        if method == "GET" and outcome_of(who.ask("HEAD", path)) != expected[kind]:
            wrong.append(f"HEAD {rule}")
        refused = expected[kind] in {"in", "door", "401", "403"}
        answer = who.ask("OPTIONS", path)
        if refused and answer.status_code == 200 and method == "GET":
            wrong.append(f"OPTIONS {rule}")
    assert wrong == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_other_methods_are_refused_everywhere(app: Flask, session: Session, world: World, method: str) -> None:
    who = visitors.visitor("admin", app, session, world)
    answers = {rule: who.ask(method, path_of(rule, world)).status_code for _, rule in ROWS}
    assert set(answers.values()) == {405}


@pytest.mark.parametrize("kind", ["admin", "evaluator", "coordinator", "funder"])
def test_a_key_that_is_not_there_is_a_404_that_tells_nothing(
    app: Flask, session: Session, world: World, kind: str
) -> None:
    who = visitors.visitor(kind, app, session, world)
    nothing = dict.fromkeys(("slug", "trial_id", "site_id", "review_id", "person_id", "user_id", "paper_id"), NOT_A_KEY)
    for method, rule in KEYED:
        found = outcome_of(who.ask(method, path_of(rule, world, **nothing)))
        assert found == ("403" if ROWS[method, rule][kind] == "403" else "404"), f"{method} {rule}"


def test_a_person_of_another_review_is_not_found_in_this_one(app: Flask, session: Session, world: World) -> None:
    from tests import make

    elsewhere = make.person(session, make.review(session, world.site, "Review 2"))
    session.commit()
    who = visitors.visitor("coordinator", app, session, world)
    path = path_of("/staff/people/<review_id>/<person_id>/card", world, person_id=elsewhere.person_id)
    assert who.get(path).status_code == who.post(path).status_code == 404


def test_a_page_that_names_no_permission_is_closed_to_everyone(
    settings: object, app: Flask, session: Session, world: World
) -> None:
    app.view_functions["health"] = lambda: "open to all?"
    for kind in VISITORS:
        assert visitors.visitor(kind, app, session, world).get("/health").status_code == 403


def test_an_unknown_page_is_a_404_for_everyone(app: Flask, session: Session, world: World) -> None:
    for kind in VISITORS:
        who = visitors.visitor(kind, app, session, world)
        for path in (
            "/nothing",
            "/staff/nothing",
            "/dashboard/a/b/c/d",
            "/static/nothing.css",
            "/static/../evalapp.toml",
        ):
            assert who.get(path).status_code == 404, path
