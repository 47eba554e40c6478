"""The admin's pages: who has an account, and changing that."""

from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for

from evalapp import access, accounts, readers
from evalapp.access import Permission, requires
from evalapp.accounts import Account, NotAccepted
from evalapp.trial import forms
from evalapp.trial.routes import Page, by_whom, done, page, pages

CHANGES = {
    "close": (accounts.disable, "The account is closed and its sessions are ended."),
    "open": (accounts.enable, "The account is open again."),
}


@pages.route("/staff/accounts", methods=["GET", "POST"])
@requires(Permission.MANAGE_STAFF)
def accounts_page() -> Page:
    """Every account, and the form that invites one more."""
    form = forms.Invite()
    if form.validate_on_submit():
        try:
            code = accounts.invite(access.database(), form.email.data, form.role.data, **by_whom())
        except NotAccepted as reason:
            form.refuse("email", str(reason))
        else:
            access.database().commit()
            return invitation_page(form.email.data, code)
    return page("accounts", form, **listed())


@pages.route("/staff/accounts/<user_id>/role", methods=["GET", "POST"])
@requires(Permission.MANAGE_STAFF)
def change_role(user_id: str) -> Page:
    account = other(user_id)
    form = forms.NewRole(data={"role": account.role})
    if not form.validate_on_submit():
        return page("change_role", form, account=account)
    accounts.change_role(access.database(), user_id, form.role.data, actor=access.staff(), now=access.now())
    if form.role.data != "coordinator":
        readers.stand_down(access.database(), user_id, **by_whom())
    return done("The role is changed. They have to sign in again.", url_for("trial.accounts_page"))


@pages.route("/staff/accounts/<user_id>/<any(close, open, invite):change>", methods=["GET", "POST"])
@requires(Permission.MANAGE_STAFF)
def change_account(user_id: str, change: str) -> Page:
    """Ask first; then close an account, open it again, or invite its owner again."""
    account = other(user_id)
    if request.method != "POST":  # HEAD asks too
        return render_template("trial/change_account.html", account=account, change=change)
    if change == "invite":
        try:
            code = accounts.invite_again(access.database(), user_id, actor=access.staff(), now=access.now())
        except NotAccepted as reason:
            flash(str(reason), "warning")
            return redirect(url_for("trial.accounts_page"), 303)
        access.database().commit()
        return invitation_page(account.email, code)
    act, message = CHANGES[change]
    act(access.database(), user_id, actor=access.staff(), now=access.now())
    if change == "close":
        readers.stand_down(access.database(), user_id, **by_whom())
    return done(message, url_for("trial.accounts_page"))


def other(user_id: str) -> Account:
    """Someone else's account: nobody changes their own, and an unknown one is a 404."""
    account = next((one for one in accounts.everyone(access.database(), now=access.now()) if one.id == user_id), None)
    if account is None:
        abort(404)
    if account.id == access.staff().id:
        abort(403)
    return account


def invitation_page(email: str, code: str) -> Page:
    return render_template("trial/invitation.html", email=email, code=code, door=request.url_root)


def listed() -> dict[str, Any]:
    return {
        "everyone": accounts.everyone(access.database(), now=access.now()),
        "own": access.staff().id,
        "labels": {role: label.partition(":")[0] for role, label in forms.STAFF_ROLE_LABELS.items()},
    }
