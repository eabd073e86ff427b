"""Sets of labels as arrays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from protloc.indicators import indicators
from sklearn.preprocessing import MultiLabelBinarizer

SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_indicators_are_those_of_scikit_learn():
    labels = [["er", "golgi"], [], ["golgi"], ["er", "golgi"]]
    for classes in (["er", "golgi"], ["golgi", "er", "membrane"]):
        expected = MultiLabelBinarizer(classes=classes).fit_transform(labels).astype(bool)
        np.testing.assert_array_equal(indicators(labels, classes), expected)


def test_labels_that_are_not_classes_do_not_count():
    assert indicators([["er", "membrane"], ["membrane"]], ["er"]).tolist() == [[True], [False]]


def test_no_rows_have_indicators_of_no_rows():
    assert indicators([], ["er", "golgi"]).shape == (0, 2)


@pytest.mark.parametrize("module", ["evaluate.study", "evaluate.published", "figures.predictions"])
def test_a_step_starts_without_libraries_that_are_slow_to_import(module):
    code = f"import sys, protloc.{module}; print({{'sklearn', 'scipy.stats'}} & sys.modules.keys())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "set()\n"
