"""Runs a rule's script as Snakemake would, from what a record says: SCRIPT JOB.json, in its folder."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from protloc.facts import CODE, HOW, PROJECT


class Named(list):
    """A list of which members, or runs of members, have names: as Snakemake hands things to a script."""

    def __init__(self, unnamed: list[Any], named: dict[str, Any]) -> None:
        super().__init__(unnamed)
        self._named = named
        for value in named.values():
            self.extend(value if isinstance(value, list) else [value])

    def items(self) -> Any:
        """Names with their members."""
        return self._named.items()

    def keys(self) -> Any:
        """The names."""
        return self._named.keys()

    def get(self, name: str, default: Any = None) -> Any:
        """The members of a name."""
        return self._named.get(name, default)

    def __getitem__(self, key: Any) -> Any:
        return self._named[key] if isinstance(key, str) else super().__getitem__(key)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._named:
            raise AttributeError(name)
        return self._named[name]


def inputs_of(facts: list[dict[str, str]], project: str) -> Named:
    """The inputs of a job, grouped as its rule groups them."""
    unnamed, named = [], {}
    for fact in facts:
        path = fact["path"]
        if path.startswith(f"{PROJECT}/"):
            path = f"{project}/{path.removeprefix(f'{PROJECT}/')}"
        name, number = re.fullmatch(r"(.*?)(\[\d+\])?", fact["name"], re.DOTALL).groups()
        if not name:
            unnamed.append(path)
        elif number:
            named.setdefault(name, []).append(path)
        else:
            named[name] = path
    return Named(unnamed, named)


def job_of(facts: dict[str, Any], run: dict[str, Any], project: str) -> SimpleNamespace:
    """What a script finds under the name `snakemake`."""
    how = dict(run[HOW])
    threads = how.pop("threads")
    params = facts["params"] | {CODE: facts["code"]} | ({HOW: how} if how else {})
    return SimpleNamespace(
        rule=facts["rule"],
        input=inputs_of(facts["inputs"], project),
        output=Named([], facts["outputs"]),
        params=Named([], params),
        wildcards=Named([], facts["wildcards"]),
        threads=threads,
        log=["replay.log"],
    )


if __name__ == "__main__":
    script, job = sys.argv[1:]
    runpy.run_path(script, {"snakemake": job_of(**json.loads(Path(job).read_text()))}, "__main__")
