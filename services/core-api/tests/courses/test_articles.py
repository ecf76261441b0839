"""Markdown becomes HTML that nobody can do harm with."""

from __future__ import annotations

import re

import pytest

from courses.articles import as_html
from tests.factories import lessons_of, make_course


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# Flour\n\nAnd *water*.", "<h1>Flour</h1>\n<p>And <em>water</em>.</p>\n"),
        ("3. three\n4. four", '<ol start="3">\n<li>three</li>\n<li>four</li>\n</ol>\n'),
        ("`a < b`", "<p><code>a &lt; b</code></p>\n"),
        ("~~old~~", "<p><s>old</s></p>\n"),
        (
            "[oven](https://example.org 'hot')",
            '<p><a href="https://example.org" title="hot" rel="noopener noreferrer nofollow">oven</a></p>\n',
        ),
        ("![loaf](https://example.org/l.jpg)", '<p><img src="https://example.org/l.jpg" alt="loaf"></p>\n'),
        ("<b>raw</b>", "<p>&lt;b&gt;raw&lt;/b&gt;</p>\n"),
        ("", ""),
    ],
)
def test_what_authors_write(markdown, html):
    assert as_html(markdown) == html


def test_tables():
    assert as_html("|a|b|\n|-|:-:|\n|1|2|").replace("\n", "") == (
        "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    )


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zz4=)",
    '![x](x "onerror=alert(1)")',
    '[x](https://a"onmouseover="alert(1))',
    "<https://a.example/\"onclick='alert(1)'>",
    "<javascript:alert(1)>",
    "[x]: javascript:alert(1)\n[x]",
    "<style>body{display:none}</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '```"><script>alert(1)</script>\nx\n```',
    "<form action=https://evil.example><input name=password>",
    "<base href=https://evil.example>",
    "<a href='https://a' style='position:fixed' class=x id=y target=_top>x</a>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_runs_styles_or_frames(attack):
    html = as_html(attack)
    tags = re.findall(r"<[^>]*>", html)
    allowed = r'</?(?:p|pre|code|blockquote|a|img|br|h\d|em)(?: (?:href|src|alt|title|rel)="[^"<>]*")*>'
    assert [tag for tag in tags if not re.fullmatch(allowed, tag)] == []
    addresses = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert [address for address in addresses if not re.match(r"(?:https?:|mailto:|[^:]*$)", address)] == []


def test_learners_get_both(api, alice, database):
    course = make_course(description="*All* <script>x</script>")
    lesson = lessons_of(course)[0]
    lesson.body = "**Knead** [it](javascript:x)"
    lesson.save()
    page = api.get(f"/api/v1/lessons/{lesson.pk}/").json()
    assert page["body"] == "**Knead** [it](javascript:x)"
    assert page["body_html"] == "<p><strong>Knead</strong> [it](javascript:x)</p>\n"
    shown = api.get("/api/v1/courses/baking/").json()["description_html"]
    assert shown == "<p><em>All</em> &lt;script&gt;x&lt;/script&gt;</p>\n"


def test_an_article_as_long_as_may_be(api, ines):
    lesson = lessons_of(make_course(instructor=ines))[0]
    path = f"/api/v1/lessons/{lesson.pk}/"
    assert api.as_(ines).patch(path, {"body": "[" * 20_000}).status_code == 200
    assert api.get(path).status_code == 200
    refused = api.as_(ines).patch(path, {"body": "x" * 200_001})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["body"])
