"""The pages that make a device a review's tablet and end that again."""

from typing import Any

from flask import abort, flash, redirect, render_template, request, session, url_for

from evalapp import access, accounts, tablets
from evalapp.access import Permission, Role, requires
from evalapp.accounts import NotAccepted
from evalapp.models import Review, Site
from evalapp.trial import forms
from evalapp.trial.routes import Page, by_whom, done, end_session, found, page, pages


@pages.route("/staff/people/<review_id>/tablet", methods=["GET", "POST"])
@requires(Permission.OPEN_TABLET)
def open_tablet(review_id: str) -> Page:
    """Ask first; then this browser is the review's tablet, and nobody is signed in on it any more."""
    review = found(Review, review_id)
    if request.method != "POST":  # HEAD asks too
        return render_template(
            "trial/tablet.html",
            review=review,
            site=found(Site, review.site_id),
            count=tablets.open_at(access.database(), review.id, now=access.now()),
            hours=tablets.LASTS.seconds // 3600,
        )
    key = tablets.open_tablet(access.database(), review.id, **by_whom())
    end_session()
    access.database().commit()
    session["tablet"] = key
    return redirect(url_for("survey.start"), 303)


@pages.post("/staff/people/<review_id>/tablets/close")
@requires(Permission.OPEN_TABLET)
def close_tablets(review_id: str) -> Page:
    """End every tablet of a review from afar."""
    review = found(Review, review_id)
    tablets.close_all(access.database(), review.id, **by_whom())
    return done("The tablets of this review are closed.", url_for("trial.review", review_id=review.id))


@pages.route("/tablet/close", methods=["GET", "POST"])
@requires(Permission.OPEN_THE_DOOR)
def close_tablet() -> Page:
    """End this tablet: only a colleague who may open one can, by signing in on it."""
    on = access.tablet()
    if on is None:
        return redirect(url_for("trial.sign_in"), 303) if "tablet" in session else abort(404)
    form = forms.SignIn()
    if not form.validate_on_submit():
        return page("close_tablet", form)
    database = access.database()
    who: dict[str, Any] = {"now": access.now()}
    try:
        signed_in = accounts.sign_in(database, form.email.data, form.password.data, access.vault(), **who)
    except NotAccepted as reason:
        form.refuse("password", str(reason))
        return page("close_tablet", form, status=429)
    if signed_in is None or not access.may(Role(signed_in[0].role), Permission.OPEN_TABLET):
        if signed_in is not None:
            accounts.sign_out(database, signed_in[1], **who)
        database.commit()
        form.refuse("password", "The e-mail address or the password is not right, or you may not close tablets.")
        return page("close_tablet", form)
    tablets.close(database, on, actor=signed_in[0].id, **who)
    end_session()
    database.commit()
    session["staff"] = signed_in[1]
    flash("The tablet is closed. You are signed in on this device.", "done")
    return redirect(url_for("trial.review", review_id=on.review_id), 303)
