"""Refusals of this app."""

from config.problems import Problem, TokenInvalid


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
