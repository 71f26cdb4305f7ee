"""The measurement of how finding grows, on few items."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from apps.gallery_scale import main
from vunet.bench import memory_mb


@pytest.mark.slow
def test_exact_and_approximate_search_are_measured(tmp_path: Path) -> None:
    plot, figures = tmp_path / "scale.png", tmp_path / "scale.json"
    sizes = ["300", "30000"]
    asked = ["--items", *sizes, "--dims", "64", "--queries", "6"]
    main([*asked, "--out", str(plot), "--json", str(figures)])
    few, many = json.loads(figures.read_text())["rows"]
    assert (few["items"], many["items"]) == (300, 30000)
    assert few["recall"] == 1
    assert few["index_mb"] == 0
    assert many["recall"] > 0.9
    assert many["index_mb"] > 30000 * 64 * 2 / 1e6  # sixteen bits a number
    assert 0 < many["query_ms"] <= many["query_ms_worst"]
    if memory_mb(1)[0] is not None:
        assert many["memory_mb"] > 0
    assert cv2.imread(str(plot)).shape[1] > 1000


@pytest.mark.parametrize("wrong", [["--items", "3"], ["--queries", "1"], ["--dims", "0"]])
def test_too_little_to_measure_is_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(wrong)
