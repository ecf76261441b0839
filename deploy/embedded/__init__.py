"""Lectern on one machine with nothing but Python packages: `make demo` and the servers that the tests use."""
