"""Refusals about payments."""

from config.problems import Conflict, Problem, Unavailable


class SignatureInvalid(Problem):
    status, code, title = 400, "signature_invalid", "Signature not valid"
    detail = "The signature of this event is missing, wrong or too old."


class ProviderUnavailable(Unavailable):
    code, title = "provider_unavailable", "Payment provider not available"
    detail = "The payment provider does not answer. Repeat the request with the same Idempotency-Key."


class ProviderRefused(Problem):
    status, code, title = 502, "provider_refused", "Refused by the payment provider"
    detail = "The payment provider does not accept this payment. Nothing was charged."


class PaymentSettled(Conflict):
    code, title = "payment_settled", "Payment is settled"
    detail = "This payment was made already: it cannot fail any more."


class TopUpNotPaid(Conflict):
    code, title = "topup_not_paid", "Top-up is not paid"
    detail = "This top-up brought no credit: there is nothing to refund."


class TopUpDisputed(Conflict):
    code, title = "topup_disputed", "Top-up is disputed"
    detail = "The buyer's bank disputes this payment, so its money cannot be refunded. Its credits were taken back."


class NothingToReverse(Conflict):
    code, title = "nothing_to_reverse", "Nothing to reverse"
    detail = "This payment has no money, refund or dispute that this could be about."
