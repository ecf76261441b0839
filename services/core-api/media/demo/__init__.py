"""The demo: two courses with videos made on the spot, and people to try everything with."""
