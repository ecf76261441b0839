"""Static files under names that carry a hash of their content, and of everything that they load.

So a browser keeps them for a year and never puts together modules of two releases: a page names one desk.js, which names the
very modules that belong to it.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

CSS = ManifestStaticFilesStorage.patterns[0]
# Only statements: Django's own patterns also take `import("./shapes.js")` in comments that name types, and those go in circles.
MODULES = (
    "*.js",
    (
        (
            r"""(?m)^(?P<matched>(?P<names>(?:import|export)\b[^'";]*?)\s*from\s*["'](?P<url>\.{1,2}/[^"']+)["'];)""",
            """%(names)s from "%(url)s";""",
        ),
        (r"""(?m)^(?P<matched>import\s*["'](?P<url>\.{1,2}/[^"']+)["'];)""", """import "%(url)s";"""),
    ),
)


class HashedStaticFiles(ManifestStaticFilesStorage):
    """`collectstatic` writes the list of names, staticfiles.json; what is not on it, or while there is none, keeps its own name."""

    patterns = (CSS, MODULES)
    max_post_process_passes = 20  # as deep as modules import modules

    def stored_name(self, name: str) -> str:
        known = self.hash_key(urlsplit(unquote(name)).path.strip()) in self.hashed_files
        return str(super().stored_name(name)) if known else name
