"""Subtitle files as authors have them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from media import captions
from media.actions import do_set_caption
from media.captions import LARGEST, CaptionRefused, to_webvtt
from media.models import Caption
from tests.factories import make_course, make_lesson

SRT = (
    "1\r\n00:00:01,000 --> 00:00:03,500\r\nFlour & <b>water</b>\r\n<font color=red>only</font>\r\n\r\n"
    "2\r\n00:00:04,000 --> 00:00:06,000\r\nKnead < 10 min\r\n"
)


def test_srt_becomes_webvtt():
    assert to_webvtt(SRT.encode()) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:03.500\nFlour &amp; <b>water</b>\nonly\n\n"
        "00:00:04.000 --> 00:00:06.000\nKnead &lt; 10 min\n"
    )


def test_webvtt_stays_what_it_is():
    vtt = (
        "WEBVTT - Bread\n\nNOTE by Bob\n\nintro\n01:02.000 --> 01:04.000 line:0 align:start\n<v Bob>Hi &amp; bye</v>\n"
    )
    assert to_webvtt(vtt.encode()) == (
        "WEBVTT\n\n00:01:02.000 --> 00:01:04.000 line:0 align:start\n<v Bob>Hi &amp; bye</v>\n"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_usual_encodings(encoding):
    assert "Grüße" in to_webvtt("1\n00:00:01,000 --> 00:00:02,000\nGrüße\n".encode(encoding))


def test_captions_are_put_in_order():
    swapped = "00:00:05.000 --> 00:00:06.000\nlater\n\n00:00:01.000 --> 00:00:02.000\nfirst\n"
    text = to_webvtt(swapped.encode())
    assert text.index("first") < text.index("later")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no caption"),
        (b"Dear diary", "no caption"),
        ("Grüße".encode("latin-1"), "UTF-8"),
        (b"\0\1\2", "not a text file"),
        (b"1\nsoon --> 00:00:02,000\nHi\n", "Line 2: a time should look like"),
        (b"1\n00:00:03,000 --> 00:00:02,000\nHi\n", "Line 2: the caption ends before it begins"),
        (b"1\n00:99:03,000 --> 00:99:04,000\nHi\n", "Line 2"),
        (b"x" * (2 * 2**20 + 1), "larger than 2 MB"),
    ],
)
def test_what_cannot_be_used_is_refused(data, why):
    with pytest.raises(CaptionRefused, match=why):
        to_webvtt(data)


def test_a_line_of_the_largest_size_is_read_through_once():
    """By the square of its length it took 0.56 s for 40 kB; this is 2 MiB."""
    text = b"00:01.000 --> 00:02.000\n"
    assert to_webvtt(text + b"{\\" * ((LARGEST - len(text)) // 2))


class Lines(list):
    """Gives lines, one at a time."""

    def __getitem__(self, place):
        assert isinstance(place, int), "the rest of the file is copied for each caption"
        return super().__getitem__(place)


def test_captions_do_not_copy_what_follows_them():
    assert len(captions._cues(Lines(["0:01.000 --> 0:02.000", "a", ""] * 3))) == 3


@pytest.fixture
def lesson(database, media_root):
    return make_lesson(make_course(lessons=0).sections.get(), kind="video")


def test_captions_of_a_lesson_are_replaced_by_language(lesson, media_root):
    do_set_caption(lesson, "en", SRT.encode())
    do_set_caption(lesson, "pt-BR", SRT.encode())
    second = do_set_caption(lesson, "en", SRT.replace("water", "milk").encode())
    assert [(c.language, c.label) for c in Caption.objects.all()] == [("en", "English"), ("pt-BR", "Português (BR)")]
    assert "milk" in (media_root / second.path).read_text()
    assert second.path.startswith(f"captions/{lesson.id}/en-")


@pytest.mark.parametrize("language", ["", "../en", "EN", "en/..", "e", "en\n"])
def test_a_language_is_a_tag(lesson, language, media_root):
    with pytest.raises(ValidationError):
        do_set_caption(lesson, language, SRT.encode())
    assert not media_root.exists()
