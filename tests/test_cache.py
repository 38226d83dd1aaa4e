"""Rules kept between runs: the same as read anew, given up as soon as a file changes, never trusted, never in the way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine import cache
from engine.pack import open_library
from engine.problems import RuleFileError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "kept"
    monkeypatch.setenv("HAZARD_CACHE", str(folder))
    cache.folder.cache_clear()
    yield folder
    cache.folder.cache_clear()


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    root = tmp_path / "pack"
    root.mkdir()
    (root / "fields.yaml").write_text("sector: shops\ntitle: 店\nfields:\n  有出口: {type: bool, meaning: 有出口}\n", encoding="utf-8")
    (root / "d.yaml").write_text(
        "document: {id: d, title: 某标准, number: 某号, issuer: 某机关, in_force: {from: 2020-01-01}}\ncriteria:\n"
        "  - {id: shops/d/1, clause: 第一条, name: 没有出口, when: NOT 有出口, grade: major, status: verified}\n",
        encoding="utf-8",
    )
    return root


def test_the_whole_library_comes_back_as_it_was(kept: Path) -> None:
    anew, problems = open_library().load()
    assert problems == [] and len(list(kept.glob("*.json"))) == len(anew.sectors) + 2
    library = open_library()
    assert library.kept is not None
    again, problems = library.load()
    assert problems == []
    assert again == anew
    assert library.titles_by_sector() == open_library().discovered().titles_by_sector()


def test_a_sector_kept_alone_does_not_hide_that_a_document_leads_nowhere(kept: Path, pack: Path) -> None:
    """Where documents lead is asked only when all is loaded; what was kept before must not answer for it."""
    (pack / "d.yaml").write_text((pack / "d.yaml").read_text("utf-8").replace("issuer:", "replaced_by: e, issuer:"), "utf-8")
    assert open_library([pack], shipped=False).load(["shops"])[1] == []
    found = [[problem.message for problem in open_library([pack], shipped=False).load()[1]] for _ in range(2)]
    assert found == [["replaced_by 指的文件“e”不存在。"]] * 2


def test_which_documents_serve_a_second_sector_is_kept(kept: Path) -> None:
    pack, _ = open_library().load(["gas"])
    library = open_library()
    assert library.kept is not None
    assert {library.sectors_of(c.document) for c in pack.sectors["gas"].criteria if c.document.id == "gb-55037-2022-gas"} == {("gas", "fire")}


def test_one_sector_is_kept_and_named_with_its_own_files(kept: Path) -> None:
    anew, _ = open_library().load(["gas"])
    again, _ = open_library().load(["gas"])
    assert again == anew
    names = [name for name, _ in again.files]
    assert "rules/gas/sc-583-2010.yaml" in names and "rules/fireworks/fields.yaml" in names
    assert not any(name.startswith("rules/fireworks/") and not name.endswith("fields.yaml") for name in names)


def test_a_changed_file_is_read_anew(kept: Path, pack: Path) -> None:
    assert open_library([pack], shipped=False).load()[0].criterion("shops/d/1").grade == "major"
    path = pack / "d.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("grade: major", "grade: general"), encoding="utf-8")
    assert open_library([pack], shipped=False).load()[0].criterion("shops/d/1").grade == "general"


def test_what_is_wrong_is_not_kept(kept: Path, pack: Path) -> None:
    path = pack / "d.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("NOT 有出口", "NOT 有门"), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(RuleFileError):
            engine.load_pack([pack], shipped=False)
    assert list(kept.glob("*.json")) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"[[0],[[99,1]]]", b"[[5],[]]", b"\xff\xfe", b"[[0],[[0]]]", b"[" * 100_000, b'"text"'])
def test_a_spoilt_cache_is_as_good_as_none(kept: Path, pack: Path, content: bytes) -> None:
    first, _ = open_library([pack], shipped=False).load()
    for path in kept.glob("*.json"):
        path.write_bytes(content)
    again, problems = open_library([pack], shipped=False).load()
    assert (again, problems) == (first, [])


def test_nothing_but_the_known_classes_can_be_built() -> None:
    for value in (object(), {1, 2}, Path("x")):
        with pytest.raises(TypeError):
            cache.dump(value)
    with pytest.raises(ValueError, match="not a cache"):
        cache.restore(json.dumps([[0], [[len(cache._CLASSES)]]]).encode())


def test_a_folder_that_cannot_be_written_is_no_hindrance(tmp_path: Path, pack: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    environment = {**os.environ, "HAZARD_CACHE": str(blocked / "sub")}
    done = subprocess.run([sys.executable, "-m", "cli", "rules", "check", str(pack)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_rules_are_checked_without_the_table_engine(tmp_path: Path) -> None:
    code = "import sys; from engine.pack import open_library; open_library().load(); print([m for m in ('polars', 'pandas', 'pyarrow') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
