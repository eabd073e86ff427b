"""`protloc audit`: what a person asks of results, answered on a screen or as JSON."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protloc.audit.digests import Digests
from protloc.audit.judge import Audit
from protloc.audit.study import Study, open_study, study_of
from protloc.audit.text import printable, problems, summary, tree, wants_colour
from protloc.audit.verdicts import FINE, Node
from protloc.errors import InputError
from protloc.hashing import sha256_value
from protloc.records import DIGEST_LENGTH
from protloc.stamp import read_stamp

USAGE = """\
protloc audit FILE...             is it still true, and what was it made from?
protloc audit DIGEST              the same of the figure that has this digest at its edge
protloc audit --all [FOLDER...]   the same of every result below results/, and what lies there unrecorded
protloc audit diff A B            where two results begin to differ: inputs, parameters, code, versions
protloc audit why FILE            what would make it stale, and whether Snakemake would notice
protloc audit replay FILE         run its step again in a scratch folder, and compare
protloc audit row TABLE SELECTOR  a number back to its run, predictions, vectors, crops and pixels
protloc audit crate DIR           write a Workflow Run RO-Crate of a study
"""


def audit(words: Sequence[str]) -> int:
    """Answer a question; 0 if all that was asked about is as the records say, 1 if not."""
    questions = {"diff": _diff, "why": _why, "replay": _replay, "row": _row, "crate": _crate}
    question = questions.get(words[0]) if words else None
    return question(words[1:]) if question else _verdicts(words)


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    usage = None if name else f"\n{USAGE}"
    prog = f"protloc audit {name}".strip()
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=prog, usage=usage, description=description, formatter_class=formatter)


def _verdicts(words: Sequence[str]) -> int:
    parser = _parser("", "Needs the results alone: no Snakefile, no GPU, no network.")
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE")
    parser.add_argument("--all", action="store_true", help="everything; FILEs are then folders of results")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--rehash", action="store_true", help="read every file again, also unchanged ones")
    options = parser.parse_args(words)
    if not options.files and not options.all:
        parser.error("name files, or --all")
    answer = _of_folders if options.all else _of_files
    found = answer(options.files, options.rehash, not options.json)
    if options.json:
        print(json.dumps([as_json(study, nodes) for study, nodes in found], indent=1))
    return int(any(node.verdict not in FINE for _, nodes in found for node in nodes.values()))


Found = list[tuple[Study, Mapping[str, Node]]]


def _of_folders(folders: Sequence[Path], rehash: bool, speak: bool) -> Found:
    found = []
    for folder in folders or studies():
        study = open_study(folder)
        digests = Digests(study.root, rehash)
        nodes = Audit(study, digests).all()
        digests.keep()
        found.append((study, nodes))
        if speak:
            for line in problems(nodes, f"{study.name}/", wants_colour()):
                print(line)
            print(f"{folder}: {summary(nodes)}")
    return found


def _of_files(files: Sequence[Path], rehash: bool, speak: bool) -> Found:
    found = []
    for file in map(_meant, files):
        study = study_of(file)
        digests = Digests(study.root, rehash)
        about = Audit(study, digests)
        node = about.of(file.absolute())
        digests.keep()
        found.append((study, about.nodes))
        if speak:
            print(*tree(node.name, about.nodes, f"{study.name}/", wants_colour()), sep="\n")
            print(summary(about.nodes))
    return found


def _meant(file: Path) -> Path:
    """The file itself, or the result whose short digest was given, as figures print it at their edge.

    Raises InputError for what is neither, and says of a file that lies alone what its stamp tells.
    """
    if not file.exists() and re.fullmatch(f"[0-9a-f]{{{DIGEST_LENGTH}}}", str(file)):
        for folder in studies():
            for record in open_study(folder).records.values():
                if sha256_value(record.facts).startswith(str(file)):
                    return record.file
        raise InputError(f"{file}: no record below results/ has this digest")
    try:
        study_of(file)
    except InputError as error:
        try:
            stamp = read_stamp(file)
            made = f"made by {stamp['rule']} as {', '.join(stamp['outputs'].values())}"
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise error from None  # there is none, or nothing that can be read
        raise InputError(printable(f"{error}; its stamp says: {made}")) from None
    return file


def studies() -> list[Path]:
    """The folders of results below the working directory. Raises InputError if there is none."""
    folders = sorted(path.parent for path in Path("results").glob("*/config.yaml.record.json"))
    if not folders:
        raise InputError("results: no study here has a record; name a folder of results")
    return folders


def _bad(nodes: Mapping[str, Node]) -> bool:
    return any(node.verdict not in FINE for node in nodes.values())


def as_json(study: Study, nodes: Mapping[str, Node]) -> dict[str, Any]:
    """An audit as plain values."""
    return {
        "study": study.name,
        "verified": not _bad(nodes),
        "files": [
            {
                "name": node.name,
                "verdict": node.verdict,
                "reasons": list(node.reasons),
                "inputs": list(node.inputs),
                **_of_record(node),
            }
            for node in nodes.values()
        ],
    }


def _of_record(node: Node) -> dict[str, Any]:
    if node.record is None:
        return {}
    return {
        "rule": node.record.facts["rule"],
        "sha256": node.record.content["sha256"],
        "chain": node.record.chain,
    }


def _diff(words: Sequence[str]) -> int:
    from protloc.audit.diff import differences

    parser = _parser("diff", "Where two results begin to differ.")
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    options = parser.parse_args(words)
    lines = list(differences(options.a, options.b))
    print(*(lines or ["no difference: the same chain"]), sep="\n")
    return int(bool(lines))


def _why(words: Sequence[str]) -> int:
    from protloc.audit.why import explain

    parser = _parser("why", "What would make a result stale, what has, and whether Snakemake would notice.")
    parser.add_argument("file", type=Path)
    options = parser.parse_args(words)
    lines, fine = explain(options.file)
    print(*lines, sep="\n")
    return int(not fine)


def _replay(words: Sequence[str]) -> int:
    from protloc.audit.replay import replay

    parser = _parser("replay", "Run the step that made a result again in a scratch folder, and compare.")
    parser.add_argument("file", type=Path)
    help = "numbers of tables may differ by so much, as between kinds of device (0: equal bytes)"
    parser.add_argument("--tolerance", type=float, default=0.0, help=help)
    options = parser.parse_args(words)
    lines, same = replay(options.file, options.tolerance)
    print(*lines, sep="\n")
    return int(not same)


def _row(words: Sequence[str]) -> int:
    from protloc.audit.row import trace

    parser = _parser("row", "A number of a table, or of a figure's table, back to its pixels.")
    parser.add_argument("file", type=Path, metavar="FIGURE|TABLE")
    parser.add_argument("selector", nargs="+", metavar="COLUMN=VALUE", help="as many as tell one row")
    options = parser.parse_args(words)
    print(*trace(options.file, options.selector), sep="\n")
    return 0


def _crate(words: Sequence[str]) -> int:
    from protloc.audit.crate.write import write_crate

    parser = _parser("crate", "Write a Workflow Run RO-Crate, Provenance Run profile, of a study.")
    parser.add_argument("directory", type=Path, help="to be made")
    parser.add_argument("--study", type=Path, help="folder of results; may be left out if there is one")
    options = parser.parse_args(words)
    folders = [options.study] if options.study else studies()
    if len(folders) > 1:
        raise InputError(f"results: holds {len(folders)} studies; name one with --study")
    write_crate(open_study(folders[0]), options.directory)
    print(options.directory)
    return 0
