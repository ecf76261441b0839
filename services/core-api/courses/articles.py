"""Articles: Markdown to HTML that is safe to show on any page.

Two walls: raw HTML in the text is shown as text, and whatever the renderer makes passes an allow-list.
"""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_TAGS = {
    *("h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
}
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes={"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}},
    url_schemes={"https", "http", "mailto"},
    link_rel="noopener noreferrer nofollow",
)


def as_html(markdown: str) -> str:
    """CommonMark with tables and ~~strikethrough~~ as HTML, without anything that runs, styles or frames."""
    return _CLEANER.clean(_MARKDOWN.render(markdown))
