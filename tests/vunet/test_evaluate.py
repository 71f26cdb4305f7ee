from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from pose.estimator import PoseEstimator
from vunet import metrics
from vunet.evaluate import (
    FIGURES,
    Case,
    Pair,
    PairsError,
    copy_row,
    evaluate,
    evaluate_files,
    format_table,
    read_pairs,
)
from vunet.images import OutputError, read_image, write_png


@pytest.fixture(scope="module")
def estimator() -> PoseEstimator:
    return PoseEstimator()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """An astronaut, the same one smaller, a mask of nobody, and a cat."""
    folder = tmp_path_factory.mktemp("photos")
    # with space around her the detector finds the same at any scale
    astronaut = cv2.resize(data.astronaut(), (384, 384), interpolation=cv2.INTER_AREA)
    astronaut = cv2.copyMakeBorder(astronaut, 60, 0, 90, 40, cv2.BORDER_REPLICATE)
    smaller = cv2.resize(astronaut, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    write_png(astronaut, folder / "astronaut.png")
    write_png(smaller, folder / "small.png")
    write_png(np.zeros_like(astronaut), folder / "nobody.png")
    write_png(np.ascontiguousarray(data.chelsea()), folder / "cat.png")
    return folder


@pytest.fixture(scope="module")
def backbones() -> Path:
    folder = metrics.find_backbones()
    if folder is None:
        pytest.skip("needs the pretrained networks of ../shared/backbones beside the checkout")
    return folder


def grey_row(case: Case) -> np.ndarray:
    return np.full_like(case.truth, 128)


def stubborn_row(case: Case) -> np.ndarray:
    raise ValueError("never draws")


class TestTable:
    def write(self, folder: Path, text: str | bytes) -> Path:
        path = folder / "pairs.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_reads_rows(self, photos, mark, end):
        lines = [
            f"{mark}kind,pose,appearance,mask,remark",
            "turn,small.png,astronaut.png,nobody.png,x",
            ",cat.png,small.png,,",
        ]
        path = self.write(photos, end.join(lines) + end)
        assert read_pairs(path) == [
            Pair(photos / "astronaut.png", photos / "small.png", "turn", photos / "nobody.png"),
            Pair(photos / "small.png", photos / "cat.png", "pairs", None),
        ]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("", "no column 'appearance'"),
            ("appearance\nx.png\n", "no column 'pose'"),
            ("pose;appearance\ncat.png;cat.png\n", "no column"),
            ("appearance,pose\n", "names no pairs"),
            ("appearance,pose\ncat.png\n", "line 2: pose is empty"),
            ("appearance,pose\n ,cat.png\n", "line 2: appearance is empty"),
            ("appearance,pose\ncat.png,cat.png\n\ncat.png,gone.png\n", "line 4: pose gone.png"),
            ("appearance,pose\n.,cat.png\n", "line 2: appearance . does not exist"),
            ("appearance,pose,mask\ncat.png,cat.png,gone.png\n", "line 2: mask gone.png"),
            (f"appearance,pose\n{'x' * 5000},cat.png\n", "line 2: appearance xxx"),
            (f"appearance,pose\n{'x' * 200_000},cat.png\n", "not a CSV table"),
            (b"appearance,pose\n\xff\xfe,cat.png\n", "not a CSV table"),
            (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "pairs.csv"),
            ("appearance,pose\ncat\0.png,cat.png\n", "pairs.csv"),
        ],
    )
    def test_refuses_with_one_sentence(self, photos, text, says):
        path = self.write(photos, text)
        with pytest.raises(PairsError) as caught:
            read_pairs(path)
        message = str(caught.value)
        assert says in message
        assert "pairs.csv" in message
        assert "\n" not in message
        assert len(message) < 600

    def test_a_table_that_is_absent_or_a_folder(self, tmp_path):
        for path in (tmp_path / "gone.csv", tmp_path):
            with pytest.raises(PairsError, match="cannot be read"):
                read_pairs(path)


class TestCopyRow:
    def test_of_the_same_photo_is_that_photo(self, photos, estimator):
        case = Case(Pair(photos / "astronaut.png", photos / "astronaut.png"), estimator)
        apart = np.abs(copy_row(case).astype(int) - case.truth)
        assert apart.max() <= 1

    def test_puts_the_person_s_box_on_the_target_s(self, photos, estimator):
        there = Case(Pair(photos / "astronaut.png", photos / "small.png"), estimator)
        back = Case(Pair(photos / "small.png", photos / "astronaut.png"), estimator)
        for case in (there, back):
            drawn = copy_row(case)
            assert drawn.shape == case.truth.shape
            person = case.mask > 0.9
            apart = np.abs(drawn[person].astype(int) - case.truth[person]).mean()
            assert apart < 25 < np.abs(128 - case.truth[person].astype(int)).mean()

    def test_a_mask_of_another_size_is_refused(self, photos, estimator):
        pair = Pair(photos / "astronaut.png", photos / "small.png", "x", photos / "nobody.png")
        with pytest.raises(ValueError, match="another size"):
            Case(pair, estimator)


class TestOutputs:
    """What cannot be written is refused before any work."""

    @pytest.mark.parametrize(
        ("outputs", "says"),
        [
            ({"sheet": "sheet.png"}, "ending in .jpg"),
            ({"sheet": "sheet"}, "no ending"),
            ({"sheet": "."}, "folder|ending"),
            ({"json_path": "."}, "is a folder"),
        ],
    )
    def test_refused(self, tmp_path, outputs, says):
        paths = {key: tmp_path / name for key, name in outputs.items()}
        with pytest.raises(OutputError, match=says):
            evaluate_files(tmp_path / "gone.csv", (), **paths)

    def test_the_table_comes_first_then_the_backbones(self, photos, tmp_path):
        with pytest.raises(PairsError, match=r"gone\.csv cannot be read"):
            evaluate_files(tmp_path / "gone.csv", ())
        table = photos / "one.csv"
        table.write_text("appearance,pose\ncat.png,cat.png\n")
        with pytest.raises(metrics.BackboneMissing, match="no such folder"):
            evaluate_files(table, (), backbones=tmp_path / "nowhere")


class TestEvaluate:
    def test_without_the_judges_their_figures_are_null(self, photos, estimator):
        pair = Pair(photos / "astronaut.png", photos / "astronaut.png", "same")
        report = evaluate({"copy": copy_row}, [pair], estimator=estimator, quiet=True, rim_px=2)
        assert report["rim_px"] == 2
        assert any("dilated by 2 px" in sentence for sentence in report["protocol"])
        figures = report["rows"]["copy"]["mean"]
        assert set(report["missing"]) == {"sqpd", "sqpd_person", "sqpd_plain", "face", "pckh"}
        assert all(figures[name] is None for name in report["missing"])
        assert figures["ssim"] > 0.99
        assert figures["ssim_person"] > 0.99
        assert "No sqpd, sqpd_person, sqpd_plain, face: " in format_table(report)

    def test_rows_that_fail_are_counted_and_leave_the_others_comparable(self, photos, estimator):
        def picky_row(case: Case) -> np.ndarray:
            if case.pair.pose.name == "small.png":
                raise ValueError("not this one")
            return case.truth

        pairs = [
            Pair(photos / "astronaut.png", photos / "astronaut.png", "same"),
            Pair(photos / "astronaut.png", photos / "small.png", "other"),
            Pair(photos / "astronaut.png", photos / "cat.png", "other"),
            Pair(photos / "astronaut.png", photos / "astronaut.png", "x", photos / "nobody.png"),
        ]
        rows = {"grey": grey_row, "picky": picky_row, "stubborn": stubborn_row}
        report = evaluate(rows, pairs, estimator=estimator, quiet=True)
        assert (report["given"], report["compared"]) == (4, 1)
        assert [entry["pose"] for entry in report["skipped"]] == ["cat.png", "astronaut.png"]
        assert report["rows"]["picky"]["failed"] == [
            {"appearance": "astronaut.png", "pose": "small.png", "reason": "not this one"}
        ]
        assert len(report["rows"]["stubborn"]["failed"]) == 2
        assert report["rows"]["stubborn"]["mean"] == {"count": 0} | dict.fromkeys(FIGURES)
        assert list(report["rows"]["grey"]["kinds"]) == ["same"]
        assert report["rows"]["picky"]["mean"]["ssim"] == 1
        text = format_table(report)
        assert "stubborn failed on 2 pairs, the first: never draws" in text
        assert "2 pairs were skipped" in text
        json.dumps(report, allow_nan=False)

    def test_pictures_of_another_size_are_a_fault_of_the_row(self, photos, estimator):
        pair = Pair(photos / "astronaut.png", photos / "astronaut.png")
        with pytest.raises(ValueError, match="a row's picture must be"):
            evaluate({"x": lambda c: c.truth[1:]}, [pair], estimator=estimator, quiet=True)

    def test_nothing_to_evaluate_is_refused(self, photos):
        pair = Pair(photos / "astronaut.png", photos / "astronaut.png")
        for rows, pairs in (({}, [pair]), ({"copy": copy_row}, []), ({"ideal": grey_row}, [pair])):
            with pytest.raises(ValueError, match="needs pairs and rows"):
                evaluate(rows, pairs, quiet=True)

    @pytest.mark.shared
    def test_figures_sheet_and_table(self, photos, estimator, backbones, tmp_path):
        pairs = [
            Pair(photos / "astronaut.png", photos / "small.png", "there"),
            Pair(photos / "small.png", photos / "astronaut.png", "back"),
        ]
        sheet = tmp_path / "sheet.jpg"
        report = evaluate(
            {"copy": copy_row, "grey": grey_row},
            pairs,
            backbones=backbones,
            estimator=estimator,
            sheet=sheet,
            worst_of="grey",
            quiet=True,
        )
        copy, grey, ideal, truth = (
            report["rows"][name]["mean"] for name in ("copy", "grey", "ideal", "truth")
        )
        assert report["missing"] == {}
        for name in ("sqpd", "sqpd_person"):
            assert truth[name] == 0 < copy[name] < grey[name]
            assert ideal[name] > 0
        for name in ("sqpd_plain", "face"):
            assert ideal[name] == pytest.approx(0, abs=0.02)
            assert ideal[name] < min(copy[name], grey[name])
        for name in ("ssim", "ssim_person"):
            assert grey[name] < copy[name] < truth[name] == 1
        assert truth["pckh"] == 1 == copy["pckh"] > grey["pckh"]
        for name in FIGURES:  # one pair a kind: the mean of the kinds is the mean
            kinds = [report["rows"]["copy"]["kinds"][kind][name] for kind in ("there", "back")]
            if name != "pckh":
                assert np.mean(kinds) == pytest.approx(copy[name], abs=1e-4)
        assert grey["sharpness"] == 0
        assert truth["sharpness"] == 1
        assert 0.3 < copy["sharpness"] < 3
        picture = cv2.imread(str(sheet))
        assert picture is not None
        assert picture.shape[1] > picture.shape[0] > 0
        text = format_table(report)
        for word in ("**there** (1 pairs)", "| copy |", "| truth |", "SqPD-person", "| ms |"):
            assert word in text
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert all(line.count("|") in (10, 11) for line in lines)

    @pytest.mark.shared
    def test_the_same_evaluation_gives_the_same_figures(
        self, photos, estimator, backbones, tmp_path
    ):
        pairs = [Pair(photos / "astronaut.png", photos / "small.png", "there")]
        runs = []
        for name in ("a.jpg", "b.jpg"):
            report = evaluate(
                {"copy": copy_row},
                pairs,
                backbones=backbones,
                estimator=estimator,
                sheet=tmp_path / name,
                quiet=True,
            )
            runs.append({row: r["pairs"] for row, r in report["rows"].items()})
        assert runs[0] == runs[1]
        assert (tmp_path / "a.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


def test_people_are_found_once_and_the_same(photos, estimator):
    from vunet.evaluate import RememberingEstimator

    asked = []

    class Counting:
        def find(self, image, max_people=1):
            asked.append(max_people)
            return estimator.find(image, max_people)

    once = RememberingEstimator(Counting())
    image = read_image(photos / "astronaut.png")
    first = once.find_one(image, "astronaut")
    again = once.find_one(image.copy(), "astronaut")
    assert again is first
    assert asked == [3]
    assert np.array_equal(first.pose.keypoints, estimator.find(image, 3)[0].pose.keypoints)
    for level in range(once.KEPT):  # others push it out
        once.find(np.full((32, 32, 3), level, np.uint8), 1)
    once.find_one(image, "astronaut")
    assert asked.count(3) == 2
