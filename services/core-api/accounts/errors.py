"""Refusals of this app."""

from django.conf import settings

from config.problems import Conflict, Problem, TokenInvalid


class InvalidCredentials(Problem):
    status, code, title = 401, "invalid_credentials", "Not logged in"
    detail = "There is no account with that name and password."


class RefreshTokenInvalid(TokenInvalid):
    detail = "The refresh token is unknown, expired or revoked. Log in again."


class TokenSuperseded(Problem):
    status, code, title = 401, "token_superseded", "Token already used"
    detail = "This refresh token was used a moment ago. Use the one that was given for it."


class TokenReused(Problem):
    status, code, title = 401, "token_reused", "Token used again"
    detail = (
        "This refresh token was used before, so somebody else may have it. That login has been ended: log in again."
    )


class LoginEndedByReuse(RefreshTokenInvalid):
    detail = (
        "This login has been ended because one of its refresh tokens was used twice, so somebody else may have had it. "
        "Log in again."
    )


class WrongPassword(Problem):
    status, code, title = 403, "wrong_password", "Wrong password"
    detail = "That is not your present password."


class LinkInvalid(Conflict):
    code, title = "link_invalid", "Link not valid"
    detail = "This link was used already, has expired, or was never valid. Ask for a new one."


class OtpRequired(Problem):
    status, code, title = 401, "otp_required", "One-time code needed"
    detail = "Send a code of your authenticator app, or a recovery code, as `otp` with the same name and password."


class OtpInvalid(Problem):
    status, code, title = 401, "otp_invalid", "One-time code not accepted"
    detail = "That code is wrong, too old, or was used already. Send the present one, or a recovery code."


class OtpEnrolmentRequired(Problem):
    status, code, title = 403, "otp_enrolment_required", "Authenticator app needed"
    detail = (
        "Staff and support agents log in with one-time codes here. "
        f"Set up an authenticator app at {settings.PUBLIC_URL}/admin/second-factor/ first."
    )


class NoSetUp(Conflict):
    code, title = "no_setup", "Nothing to confirm"
    detail = "There is no authenticator app that waits for its first code. Begin anew."


class OneselfStays(Conflict):
    code, title = "oneself_stays", "Not oneself"
    detail = "Nobody deactivates themselves. Have another admin do it, so that nobody locks everybody out."
