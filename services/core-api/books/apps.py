from django.apps import AppConfig


class BooksConfig(AppConfig):
    """What proves and reports the ledger. Reads the wallet's tables, writes none of them."""

    name = "books"
    verbose_name = "Books"
