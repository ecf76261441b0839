from e2e.conftest import accounts, base_url

__all__ = ["accounts", "base_url"]
