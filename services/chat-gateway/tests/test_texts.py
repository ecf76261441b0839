"""Which characters are let in."""

from __future__ import annotations

import sys
import unicodedata

from tickets import texts

EVERYTHING = "".join(map(chr, range(sys.maxunicode + 1)))


def test_control_characters_and_halves_of_characters_are_refused_and_nothing_else():
    controls = {character for character in EVERYTHING if unicodedata.category(character) in {"Cc", "Cs"}}
    assert set(texts.NOT_IN_LINES.findall(EVERYTHING)) == controls
    assert set(texts.NOT_IN_TEXTS.findall(EVERYTHING)) == controls - {"\n", "\t"}
