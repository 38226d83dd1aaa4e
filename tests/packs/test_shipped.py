"""Every rule that is shipped, and every rule of the real tables, stands with tests beside it that the engine and the interpreter pass."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from engine.documents import Criterion
from engine.pack import Library, Pack, Sector, open_library
from engine.ruletests import run_tests

from .beside import Beside, judged, read_beside

ROOT = Path(__file__).resolve().parents[2]
REAL = sorted(path for path in (ROOT / "datasets" / "real").iterdir() if (path / "fields.yaml").is_file())
SECTORS = sorted(path.name for path in (ROOT / "rules").iterdir() if (path / "fields.yaml").is_file() and path.name != "shared")
PACKS = [f"rules/{name}" for name in SECTORS] + [f"datasets/real/{path.name}" for path in REAL]
each_pack = pytest.mark.parametrize("name", PACKS)


@cache
def library(name: str) -> Library:
    return open_library([] if name.startswith("rules/") else [ROOT / name])


@cache
def loaded(name: str) -> tuple[Pack, Sector]:
    pack, problems = library(name).load([Path(name).name])
    assert problems == [], "\n".join(problem.text() for problem in problems)
    return pack, pack.sectors[Path(name).name]


@cache
def beside(name: str) -> list[Beside]:
    return read_beside(ROOT / name)


def test_the_sectors_and_the_real_tables_are_here() -> None:
    assert {"fireworks", "gas", "special-equipment"} <= set(SECTORS)
    assert {"chicago-inspections", "nyc-elevators", "toronto-highrise"} <= {path.name for path in REAL}


@each_pack
def test_the_rules_load_without_a_problem(name: str) -> None:
    assert loaded(name)[1].criteria


@each_pack
def test_the_engine_passes_every_test_beside_the_rules(name: str) -> None:
    outcomes = run_tests(library(name), [Path(name).name])
    assert [outcome.message for outcome in outcomes if not outcome.ok] == []
    assert len(outcomes) == len(beside(name)) > 0


@each_pack
def test_the_interpreter_passes_every_test_beside_the_rules(name: str) -> None:
    wrong = []
    for test, (verdict, suspected) in zip(beside(name), judged(beside(name), loaded(name)[1]), strict=True):
        if verdict != test.verdict or test.suspected not in (None, suspected):
            wrong.append(f"{test.place} {test.criterion}: expected {test.verdict} {test.suspected}, found {verdict} {suspected}")
    assert wrong == []


@each_pack
def test_every_criterion_is_tested_as_met_not_met_and_undetermined(name: str) -> None:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for test in beside(name):
        seen[test.criterion].add(test.verdict)
    sector = loaded(name)[1]
    assert set(seen) == {criterion.id for criterion in sector.criteria if criterion.document.sector == sector.id}
    assert {one: lack for one, verdicts in seen.items() if (lack := {"met", "not_met", "undetermined"} - verdicts)} == {}


@each_pack
def test_every_criterion_says_what_to_do_and_on_what_it_rests(name: str) -> None:
    def lacking(criterion: Criterion) -> list[str]:
        texts = {"clause": criterion.clause, "name": criterion.name, "number": criterion.document.number, "title": criterion.document.title}
        return [key for key, text in texts.items() if not text]

    assert {criterion.id: lack for criterion in loaded(name)[1].criteria if (lack := lacking(criterion))} == {}


def test_the_documents_of_the_whole_library_lead_to_each_other() -> None:
    assert open_library().load()[1] == []


@each_pack
def test_an_edition_ends_before_the_one_that_replaces_it_begins_unless_a_transition_is_stated(name: str) -> None:
    documents = {criterion.document.id: criterion.document for criterion in loaded(name)[1].criteria}
    for document in documents.values():
        for earlier in [documents[one] for one in document.replaces if one in documents]:
            assert earlier.end is not None, f"{earlier.id} has no end, though {document.id} replaces it"
            stated = "并行" in earlier.note + document.note
            assert earlier.end < document.start or stated, f"{earlier.id} is in force beside {document.id}, which replaces it"
