"""After every test about money the books are right."""

from tests.books import books_stay_right

__all__ = ["books_stay_right"]
