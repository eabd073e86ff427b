from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from protloc.modules import SCRIPTS, _rests_on, module_hashes

SCRIPT_NAMES = sorted(path.name for path in SCRIPTS.glob("*.py"))
HEAVY = {"torch", "timm", "snakemake"}
NEEDED = {
    "embed_network.py": {"torch", "timm"},
    "pretrain.py": {"torch", "timm"},
    "finetune.py": {"torch", "timm"},
    "probe.py": {"torch"},
    "knn.py": {"torch"},
    "attention.py": {"torch", "timm"},
}


@cache
def imported_by(script: str) -> dict[str, str]:
    """The modules that a fresh Python holds after the script's imports, with their files."""
    code = (
        "import ast, sys; tree = ast.parse(open(sys.argv[1]).read());"
        "tree.body = [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))];"
        "exec(compile(tree, sys.argv[1], 'exec'));"
        "print(*(f'{n} {getattr(m, \"__file__\", None)}' for n, m in sys.modules.items()), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(SCRIPTS / script)], capture_output=True, text=True, check=True
    )
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize("script", SCRIPT_NAMES)
def test_a_script_is_hashed_with_all_that_it_imports(script):
    files = {
        Path(file).relative_to(SCRIPTS).as_posix()
        for name, file in imported_by(script).items()
        if name.split(".")[0] == "protloc" and not file.endswith("__init__.py")
    }
    assert files
    assert files <= module_hashes(script).keys()


@pytest.mark.parametrize("script", SCRIPT_NAMES)
def test_only_steps_that_need_them_import_heavy_libraries(script):
    assert not HEAVY & imported_by(script).keys() - NEEDED.get(script, set())


def test_a_changed_helper_changes_the_hashes_of_its_importers_alone():
    assert "protloc/embed/handmade.py" not in module_hashes("split.py")
    assert "protloc/splits/stratify.py" in module_hashes("split.py")
    assert "protloc/splits/stratify.py" not in module_hashes("acquire.py")


SHARED = {"config", "heads", "models"}
STAGES = sorted({path.parent.name for path in (SCRIPTS / "protloc").glob("*/__init__.py")} - SHARED)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(stage):
    others = tuple(SCRIPTS / "protloc" / other for other in STAGES if other != stage)
    for path in (SCRIPTS / "protloc" / stage).rglob("*.py"):
        wrong = [file for file in _rests_on(path) if set(others) & set(file.parents)]
        assert wrong == [], path


def test_a_data_file_that_a_module_names_is_hashed_with_it():
    assert "protloc/simulate/cooccurrence.csv" in module_hashes("simulate.py")
    assert "protloc/report/overview.html" in module_hashes("overview.py")
