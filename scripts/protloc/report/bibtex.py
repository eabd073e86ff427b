"""The sources of a study as BibTeX, from the citations that the tables of the configuration have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from protloc.errors import InputError

CITATION = re.compile(r"(?P<author>.+?) (?P<year>\d{4}), (?P<title>.+?), (?P<where>.+)")
SPECIAL = {character: f"\\{character}" for character in "&%$#_{}"}


def bibtex(citations: Sequence[str]) -> str:
    """An entry per distinct citation (`authors year, title, where`), in their order.

    Raises InputError for one of another form.
    """
    entries: dict[str, str] = {}
    for citation in dict.fromkeys(citations):
        match = CITATION.fullmatch(citation)
        if not match:
            raise InputError(f"citation: {citation}: is not of the form `authors year, title, where`")
        key = _key(match, entries)
        fields = {
            "author": " and ".join(re.split(r" & ", match["author"])).replace(" et al.", " and others"),
            "year": match["year"],
            "title": f"{{{_escaped(match['title'])}}}",
            "howpublished": _escaped(match["where"]),
        }
        inside = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        entries[key] = f"@misc{{{key},\n{inside}}}\n"
    return "\n".join(entries.values())


def _key(match: re.Match, taken: dict[str, str]) -> str:
    """A name such as caron2021dino that no other entry has."""
    words = match["author"].split()[0], match["year"], match["title"].split()[0]
    key = re.sub(r"[^a-z0-9]", "", "".join(words).lower())
    return key if key not in taken else f"{key}{len(taken)}"


def _escaped(text: str) -> str:
    return "".join(SPECIAL.get(character, character) for character in text)
