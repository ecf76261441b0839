"""Refusals about money."""

from config.problems import Conflict, Problem


class InsufficientCredit(Problem):
    status, code, title = 402, "insufficient_credit", "Not enough credit"
    detail = "Your wallet does not hold enough credit for this."

    @classmethod
    def missing(cls, price: int, balance: int) -> "InsufficientCredit":
        return cls(f"This costs {price} credits and your wallet holds {balance}: {price - balance} are missing.")


class AccessOver(Conflict):
    code, title = "access_over", "Access is over"
    detail = "The time for which this is sold has passed: nobody could use it."


class PriceChanged(Conflict):
    code, title = "price_changed", "The price has changed"
    detail = "The price is no longer the one that you expected."


class WalletFrozen(Conflict):
    code, title = "wallet_frozen", "Wallet frozen"
    detail = "This wallet is frozen: it can receive credit, but not spend it. Support can tell you why."

    @classmethod
    def owing(cls, owed: int) -> "WalletFrozen":
        if not owed:
            return cls()
        return cls(
            f"Your wallet is frozen until the {owed} credits that you owe are paid: top up, and they are paid first."
        )


class CouponUnknown(Conflict):
    code, title = "coupon_unknown", "Coupon unknown"
    detail = "There is no coupon with this code."


class CouponExpired(Conflict):
    code, title = "coupon_expired", "Coupon expired"
    detail = "This coupon is no longer valid."


class CouponUsedUp(Conflict):
    code, title = "coupon_used_up", "Coupon used up"
    detail = "This coupon has been used as often as it may be."


class CouponNotForThis(Conflict):
    code, title = "coupon_not_for_this", "Coupon not for this"
    detail = "This coupon takes nothing off what you are buying."


class Busy(Conflict):
    code, title = "busy", "Busy"
    detail = "Another request is moving the same credit right now. Try again in a moment."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class KeyMissing(Problem):
    status, code, title = 400, "idempotency_key_missing", "Idempotency-Key missing"
    detail = (
        "Send a header Idempotency-Key with a random text of your own, the same one whenever you repeat this request."
    )


class KeyInvalid(Problem):
    status, code, title = 400, "idempotency_key_invalid", "Idempotency-Key not usable"
    detail = "An Idempotency-Key has 1 to 255 visible ASCII characters, without spaces."


class KeyReused(Problem):
    status, code, title = 422, "idempotency_key_reused", "Idempotency-Key used before"
    detail = "This Idempotency-Key came with another request before. Take a new one for a new request."
