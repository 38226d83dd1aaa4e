"""Rule folders -> a checked `Pack`: sectors with their fields, derived facts and criteria, the ladders, and where all came from.

Loading returns `(pack, problems)`; the caller decides whether to stop (`load_pack` does). Packs stack: a later folder adds documents
and fields, extends fields, and suspends or replaces criteria by id. Nothing here reads tables or judges.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Iterable, Mapping as Map
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from engine import cache
from engine.authorities import Authorities, read_responsibilities
from engine.cache import uncollected
from engine.changes import apply_changes, check_targets
from engine.checking import Derived, check_criterion, check_derivations, order_of, reached
from engine.children import Child, read_children
from engine.contradictions import Contradiction, read_contradictions
from engine.documents import Criterion, Document, RawCriterion, RawDocument, read_document
from engine.editions import check_links
from engine.fields import DATE_FIELD, Field, read_fields
from engine.ladder import Ladders, read_ladders
from engine.places import read_places
from engine.problems import InputError, Problem, RuleFileError, nearest
from engine.rulefile import MAX_BYTES, Mapping, Shape, Source, read_rule_file
from engine.sense import with_senses

SHARED = "shared"
ESCALATION = "escalation"
PLACES = "places"
RESPONSIBILITIES = "responsibilities.yaml"
MAX_FILES = 5_000


@dataclass(frozen=True)
class Sector:
    """One sector (行业): `fields` by name (shared ones included), `criteria` in file order (suspended ones included), `derived` by
    field name, `order` the names of derived fields and the ids of criteria referred to with MET, each after all that it needs,
    `intervals` the names of fields known only as intervals, `aliases` how else a column 行业 may name it,
    `children` the child tables by name, `contradictions` what no honest row can say."""

    id: str
    title: str
    fields: Map[str, Field]
    criteria: tuple[Criterion, ...]
    derived: Map[str, Derived]
    order: tuple[str, ...]
    intervals: frozenset[str]
    aliases: tuple[str, ...] = ()
    children: Map[str, Child] = field(default_factory=dict)
    contradictions: tuple[Contradiction, ...] = ()


@dataclass(frozen=True)
class Pack:
    """All rules of a run. `files` are (name, SHA-256) of every rule file read, in a fixed order; `titles` name the stacked packs."""

    sectors: Map[str, Sector]
    ladders: Ladders
    files: tuple[tuple[str, str], ...] = ()
    titles: tuple[str, ...] = ()
    authorities: Authorities = field(default_factory=Authorities)

    def sector(self, name: str | None) -> Sector:
        """The sector with this id or title; with None, the only one. Raises InputError otherwise."""
        if name is None and len(self.sectors) == 1:
            return next(iter(self.sectors.values()))
        for sector in self.sectors.values():
            if name in (sector.id, sector.title):
                return sector
        known = [f"{s.id}（{s.title}）" for s in self.sectors.values()]
        if name is None:
            raise InputError(f"规则包里有 {len(known)} 个行业，请用 --sector 指明：{'、'.join(known)}。")
        hint = nearest(name, [s.id for s in self.sectors.values()] + [s.title for s in self.sectors.values()])
        raise InputError(f"没有“{name}”这个行业。{hint}已装入的行业：{'、'.join(known)}。")

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with this id. Raises InputError when there is none."""
        found = {c.id: c for s in self.sectors.values() for c in s.criteria}
        if criterion_id not in found:
            raise InputError(f"没有条款“{criterion_id}”。{nearest(criterion_id, found)}用 hazard rules list 查看全部条款。")
        return found[criterion_id]


def shipped_rules() -> Path:
    """The folder of the shipped rule library: beside the code in a checkout, inside the package in an installed wheel."""
    here = Path(__file__).resolve().parent
    inside = here / "shipped_rules"
    return inside if inside.is_dir() else here.parent / "rules"


@dataclass
class _Folder:
    """One sector folder of one pack."""

    path: Path
    sector: str
    title: str
    top: Mapping | None
    source: Source
    documents: tuple[str, ...] = ()
    """Documents of other sectors that are judged here too, as sector/document."""
    aliases: tuple[str, ...] = ()


@dataclass
class Library:
    """The folders of the stacked packs, discovered but not loaded: the fields are cheap to read, the criteria are not."""

    roots: tuple[Path, ...]
    problems: list[Problem] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, list[_Folder]] = field(default_factory=dict)
    changes: list[tuple[Mapping, Source]] = field(default_factory=list)
    escalation: list[Path] = field(default_factory=list)
    places: list[Path] = field(default_factory=list)
    responsibilities: list[Path] = field(default_factory=list)
    documents: dict[str, RawDocument] = field(default_factory=dict)
    """The documents read so far, by file."""
    key: str = ""
    """The key of the cache, empty where there is none."""
    kept: tuple[Any, ...] | None = None
    """What the cache keeps of the dictionaries: titles, aliases, fields, children, ladders, titles of packs, documents of other
    sectors, authorities. Then nothing was discovered."""
    _fields: dict[str, dict[str, Field]] = field(default_factory=dict)
    _children: dict[str, dict[str, Child]] = field(default_factory=dict)

    def discovered(self) -> Library:
        """The library with its folders, as read from the files."""
        if self.kept is None:
            return self
        library = Library(self.roots, files=dict(self.files), key=self.key)
        for root in library.roots:
            _discover(library, root)
        return library

    def titles_by_sector(self) -> dict[str, str]:
        """Sector id -> Chinese title."""
        if self.kept is not None:
            return dict(self.kept[0])
        return {sector: folders[0].title for sector, folders in self.folders.items() if sector != SHARED}

    def aliases_by_sector(self) -> dict[str, tuple[str, ...]]:
        """Sector id -> the other names that a column 行业 may use for it."""
        if self.kept is not None:
            return dict(self.kept[1])
        return {
            sector: tuple(dict.fromkeys(alias for folder in folders for alias in folder.aliases))
            for sector, folders in self.folders.items()
            if sector != SHARED
        }

    def documents_by_sector(self) -> dict[str, tuple[str, ...]]:
        """Sector id -> the documents of other sectors that are judged there too, as sector/document."""
        if self.kept is not None:
            return dict(self.kept[6])
        return {sector: tuple(name for folder in folders for name in folder.documents) for sector, folders in self.folders.items()}

    def sectors_of(self, document: Document) -> tuple[str, ...]:
        """The ids of the sectors whose rows are judged by a document: its own, then those that name it under `documents`."""
        reference = f"{document.sector}/{document.id}"
        return tuple(dict.fromkeys((document.sector, *(s for s, names in self.documents_by_sector().items() if reference in names))))

    @cached_property
    def ladders(self) -> Ladders:
        """The ladders of all packs; problems are noted once."""
        if self.kept is not None:
            kept: Ladders = self.kept[4]
            return kept
        read = read_ladders([self._read(path) for path in sorted(self.escalation)])
        for source in read.sources:
            self._take(source)
        return read.ladders

    @cached_property
    def authorities(self) -> Authorities:
        """The places and who answers there, of all packs; problems are noted once."""
        if self.kept is not None:
            kept: Authorities = self.kept[7]
            return kept
        places, sources = read_places([self._read(path) for path in self.places])
        by_sector, others = read_responsibilities([self._read(path) for path in self.responsibilities], self.titles_by_sector())
        for source in sources + others:
            self._take(source)
        return Authorities(places, by_sector)

    def fields(self, sector: str) -> dict[str, Field]:
        """All fields of a sector, shared ones first, then the facts that the ladders ask for; problems are noted once."""
        if self.kept is not None:
            return dict(self.kept[2][sector])
        if sector in self._fields:
            return dict(self._fields[sector])
        fields: dict[str, Field] = {}
        for folder in self.folders.get(SHARED, []) + (self.folders.get(sector, []) if sector != SHARED else []):
            if folder.top is not None:
                fields.update(read_fields(folder.source, folder.top.get("fields"), fields))
                self._take(folder.source)
        for name, fact in self.ladders.facts.items():
            fields.setdefault(name, fact)
        fields.setdefault(DATE_FIELD, Field(DATE_FIELD, "date", "这一行的检查日期", role="date"))
        self._fields[sector] = fields
        return dict(fields)

    def children(self, sector: str) -> dict[str, Child]:
        """The child tables of a sector; problems are noted once. A later pack may declare one anew."""
        if self.kept is not None:
            return dict(self.kept[3][sector])
        if sector in self._children:
            return dict(self._children[sector])
        shared: dict[str, Field] = {}
        for folder in self.folders.get(SHARED, []):
            if folder.top is not None:
                shared.update(read_fields(Source(folder.source.name, folder.source.text), folder.top.get("fields"), shared))
        made: dict[str, Child] = {}
        for folder in self.folders.get(sector, []):
            made.update(read_children(folder.source, folder.top, shared, folder.path))
            self._take(folder.source)
        self._children[sector] = made
        return dict(made)

    def load(self, sectors: Iterable[str] | None = None) -> tuple[Pack, list[Problem]]:
        """Read and check the given sectors (default: all). Returns the pack and every problem found, warnings included. What is right is kept
        for the next run, and taken from there where the files have not changed."""
        with uncollected():
            return self._loaded(None if sectors is None else set(sectors))

    def _loaded(self, asked: set[str] | None) -> tuple[Pack, list[Problem]]:
        wanted = [s for s in self.titles_by_sector() if asked is None or s in asked]
        if self.kept is not None:
            made = {sector: one for sector in wanted if (one := self._kept_sector(sector)) is not None}
            if len(made) < len(wanted) or (asked is None and cache.load(f"{self.key}-whole") is not True):
                return self.discovered()._loaded(asked)
            return Pack(made, self.ladders, self._digests(wanted), self.kept[5], self.authorities), []
        seen: dict[str, str] = {}
        made = {sector: self._load_sector(sector, seen) for sector in wanted}
        for top, source in self.changes:
            check_targets(top, source, seen, loaded_all=asked is None)
            self._take(source)
        if asked is None:
            check_links(self.documents.values())
            for document in self.documents.values():
                self._take(document.source)
        pack = Pack(made, self.ladders, self._digests(wanted), tuple(self.titles), self.authorities)
        problems = sorted(set(self.problems))
        if self.key and not problems:
            self._keep(made)
            if asked is None:
                cache.keep(f"{self.key}-whole", True)  # the documents lead to each other, which single sectors cannot tell
        return pack, problems

    def _digests(self, sectors: Collection[str]) -> tuple[tuple[str, str], ...]:
        """The files that say what these sectors are judged by: all but the documents and look-ups of the others."""
        others = {f"{root.name}/{sector}/" for root in self.roots for sector in self.titles_by_sector() if sector not in sectors}
        return tuple(
            (name, digest) for name, digest in sorted(self.files.items())
            if name.endswith("/fields.yaml") or not name.startswith(tuple(others))
        )  # fmt: skip

    def _kept_sector(self, sector: str) -> Sector | None:
        found = cache.load(f"{self.key}-{sector}")
        if not isinstance(found, tuple) or len(found) != len(dataclasses.fields(Sector)):
            return None
        return Sector(*found)

    def _keep(self, made: Map[str, Sector]) -> None:
        for name, sector in made.items():
            cache.keep(f"{self.key}-{name}", tuple(getattr(sector, one.name) for one in dataclasses.fields(sector)))
        titles = self.titles_by_sector()
        fields, children = {name: self.fields(name) for name in titles}, {name: self.children(name) for name in titles}
        if not self.problems:
            named = (
                titles,
                self.aliases_by_sector(),
                fields,
                children,
                self.ladders,
                tuple(self.titles),
                self.documents_by_sector(),
                self.authorities,
            )
            cache.keep(self.key, named)

    def _read(self, path: Path) -> tuple[Mapping | None, Source]:
        name = self.name_of(path)
        return read_rule_file(path, name)

    def name_of(self, path: Path) -> str:
        """How messages name a rule file: by its pack's folder and the path in it."""
        for root in self.roots:
            if path.is_relative_to(root):
                return (Path(root.name) / path.relative_to(root)).as_posix()
        return path.as_posix()

    def _take(self, source: Source) -> None:
        self.problems += source.problems
        source.problems = []

    def _load_sector(self, sector: str, seen: dict[str, str]) -> Sector:
        fields = self.fields(sector)
        documents: list[RawDocument] = []
        sources: list[Source] = []
        homes: list[str] = []
        for folder in self.folders[sector]:
            own = [(path, sector) for path in sorted(folder.path.glob("*.yaml")) if _states_rules(path)]
            for path, home in own + self._lent(folder):
                top, source = self._read(path)
                sources.append(source)
                document = read_document(source, top, home, fields, path.stem) if top is not None else None
                if document is not None:
                    self.documents.setdefault(source.name, document)
                    documents.append(document)
                    fields.update(document.fields)
                    homes += [home] if home != sector and home not in homes else []
        borrowed = {name: f for home in homes for name, f in self.fields(home).items() if name not in fields}
        fields.update(borrowed)
        raws = self._unique(documents, seen)
        apply_changes(self.changes, {raw.id: raw for raw in raws})
        folders = [folder for name in (SHARED, sector, *homes) for folder in self.folders.get(name, [])]
        owners = {folder.source.name: folder.source for folder in folders}
        owners.update({source.name: source for source in sources})
        children = self.children(sector)
        derived, intervals = check_derivations(fields, owners, {name: child.checked for name, child in children.items()})
        criteria = [made for raw in raws if (made := check_criterion(raw, fields, intervals)) is not None]
        if borrowed:
            used = reached(criteria, derived)
            for name in set(borrowed) - used:
                fields.pop(name)
                derived.pop(name, None)
            intervals = frozenset(intervals & fields.keys())
        fields = with_senses(fields, criteria, derived)
        order = order_of(sector, derived, {c.id: c for c in criteria}, owners)
        declared = [(folder.top, folder.source) for folder in self.folders.get(SHARED, []) + self.folders[sector]]
        contradictions = read_contradictions(declared, fields, intervals)
        for source in owners.values():
            self._take(source)
        return Sector(
            sector, self.titles_by_sector()[sector], fields, tuple(criteria), derived, order, intervals, self.aliases_by_sector()[sector], children, contradictions,
        )  # fmt: skip

    def _lent(self, folder: _Folder) -> list[tuple[Path, str]]:
        """The files of the documents of other sectors that are judged in this one, with their home sectors."""
        found: list[tuple[Path, str]] = []
        for reference in folder.documents:
            home, _, name = reference.partition("/")
            paths = [path for other in self.folders.get(home, []) if _states_rules(path := other.path / f"{name}.yaml") and path.is_file()]
            if not paths or home == folder.sector:
                assert folder.top is not None
                folder.source.problem(folder.top.get("documents"), f"documents 里的“{reference}”不存在。", "请写成 行业/文件，如 general/general。")
                self._take(folder.source)
            found += [(path, home) for path in paths]
        return found

    def _unique(self, documents: list[RawDocument], seen: dict[str, str]) -> list[RawCriterion]:
        raws: list[RawCriterion] = []
        for document in documents:
            for raw in document.criteria:
                where = f"{raw.source.name} 第{raw.node.line}行"
                if raw.id and seen.get(raw.id, where) != where:
                    raw.source.problem(
                        raw.node.get("id"), f"条款 id“{raw.id}”重复，已在 {seen[raw.id]}。", "要替换别的规则包的条款，请用 changes.yaml。"
                    )
                    continue
                seen.setdefault(raw.id, where)
                raws.append(raw)
        return raws


def open_library(rules: Iterable[Path] = (), shipped: bool = True) -> Library:
    """Discover the packs: the shipped library (unless `shipped` is false), then each folder of `rules` on top.

    Raises InputError when a folder does not exist or holds no rules."""
    roots = ([shipped_rules()] if shipped else []) + [Path(path).resolve() for path in rules]
    library = Library(tuple(dict.fromkeys(roots)))
    for root in library.roots:
        _check_root(root)
        library.files.update(_digests_of(library, root))
    if cache.folder() is not None:
        library.key = cache.key_of([("root", root.name) for root in library.roots] + list(library.files.items()))
        with uncollected():
            kept = cache.load(library.key)
        if isinstance(kept, tuple) and len(kept) == 8:
            library.kept = kept
            return library
    for root in library.roots:
        _discover(library, root)
    return library


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise InputError(f"规则目录“{root}”不存在或不是目录。请检查 --rules 的路径；目录的样子见 docs/rules.md。")
    if sum(1 for _ in zip(root.rglob("*.yaml"), range(MAX_FILES + 1), strict=False)) > MAX_FILES:
        raise InputError(f"规则目录“{root}”里的 yaml 文件超过 {MAX_FILES} 个。请指明规则包所在的目录。")


def _digests_of(library: Library, root: Path) -> dict[str, str]:
    """Every file of a pack that can change what is judged, with the SHA-256 of its content."""
    made: dict[str, str] = {}
    for folder in [root] + sorted(path for path in root.iterdir() if path.is_dir()):
        lookups = sorted((folder / "lookup").glob("*.csv")) if (folder / "lookup").is_dir() else []
        for path in sorted(folder.glob("*.yaml")) + lookups:
            if path.name.endswith((".tests.yaml", ".expected.yaml")) or not path.is_file():
                continue
            try:
                large = path.stat().st_size > MAX_BYTES
                made[library.name_of(path)] = "too large" if large else hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError as error:
                made[library.name_of(path)] = f"not readable: {error.strerror}"
    return made


def _discover(library: Library, root: Path) -> None:
    found = False
    for folder in [root] + sorted(p for p in root.iterdir() if p.is_dir()):
        if folder.name in (ESCALATION, PLACES):
            mine = sorted(folder.glob("*.yaml"))
            (library.escalation if folder.name == ESCALATION else library.places).extend(mine)
            found = found or bool(mine)
            continue
        if (folder / "fields.yaml").is_file():
            _discover_sector(library, folder)
            found = True
        elif folder != root and any(folder.glob("*.yaml")) and folder.name in library.folders:
            library.folders[folder.name].append(_Folder(folder, folder.name, "", None, Source(library.name_of(folder))))
            found = True
    if (root / RESPONSIBILITIES).is_file():
        found = True
        library.responsibilities.append(root / RESPONSIBILITIES)
    for name in ("pack.yaml", "changes.yaml"):
        if (root / name).is_file():
            found = True
            top, source = library._read(root / name)
            if name == "changes.yaml" and top is not None:
                library.changes.append((top, source))
            elif top is not None:
                shape = Shape(source, top, "pack.yaml", ("pack",), ("pack",))
                head = Shape(source, shape.node.get("pack"), "pack", ("id", "title", "version"), ("id", "title", "version"))
                library.titles.append(f"{head.text('title')} {head.text('version')}".strip())
            library._take(source)
    if not found:
        raise InputError(f"“{root}”里没有规则：既没有 fields.yaml，也没有带 fields.yaml 的子目录。目录的样子见 docs/rules.md。")


def _discover_sector(library: Library, folder: Path) -> None:
    top, source = library._read(folder / "fields.yaml")
    sector, title = folder.name, ""
    documents: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    if top is not None:
        shape = Shape(
            source, top, "fields.yaml", ("sector", "title", "aliases", "documents", "children", "fields", "contradictions"), ("sector", "fields")
        )
        sector, title = shape.text("sector", folder.name), shape.text("title")
        documents, aliases = shape.texts("documents"), shape.texts("aliases")
        if folder not in library.roots and sector != folder.name:
            source.problem(shape.node.get("sector"), f"行业代码是“{sector}”，目录名却是“{folder.name}”。", "两者应当相同。")
    library._take(source)
    earlier = library.folders.setdefault(sector, [])
    earlier.append(_Folder(folder, sector, title or (earlier[0].title if earlier else sector), top, source, documents, aliases))


def _states_rules(path: Path) -> bool:
    """Whether a file of a sector's folder is a document: not its dictionary, its pack's papers or its tests."""
    return path.name not in ("fields.yaml", "pack.yaml", "changes.yaml", RESPONSIBILITIES) and not path.name.endswith(
        (".tests.yaml", ".expected.yaml")
    )


def load_pack(rules: Iterable[Path | str] = (), sector: str | None = None, shipped: bool = True) -> Pack:
    """Load the shipped library with the folders `rules` stacked on it; with `sector` (id or title), only that sector.

    Raises RuleFileError with all problems (warnings excepted), InputError when a folder or the sector does not exist."""
    library = open_library([Path(path) for path in rules], shipped)
    wanted = None
    if sector is not None:
        names = library.titles_by_sector()
        wanted = [s for s, title in names.items() if sector in (s, title)]
        if not wanted:
            stub = {s: Sector(s, title, {}, (), {}, (), frozenset()) for s, title in names.items()}
            Pack(stub, Ladders()).sector(sector)
    pack, problems = library.load(wanted)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        raise RuleFileError(errors)
    return pack


def with_criteria(sector: Sector, criteria: Iterable[Criterion]) -> Sector:
    """The sector with other criteria."""
    return dataclasses.replace(sector, criteria=tuple(criteria))
