"""The rule of the house: imports point down, and each library is known where it belongs."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

SERVICE = Path(__file__).parents[1] / "service"

# What each room may know of the others, beside itself. A room that is not here is not in the house.
MAY_IMPORT: dict[str, set[str]] = {
    "dates": set(),
    "errors": set(),
    "wording": set(),
    "settings": {"wording"},
    "logs": set(),
    "listeners": set(),
    "figures_folder": set(),
    "tasks": set(),
    "signals": set(),
    "embedded": set(),
    "tables": {"dates", "errors"},
    "wire": {"dates", "errors", "wording"},
    "store": {"tables", "wire", "dates", "errors", "tasks", "wording"},
    "formats": {"wire", "dates", "errors", "wording"},
    "import_report": {"importing", "intake", "unarchiving", "store", "wording"},
    "intake": {"importing", "formats", "store", "wire"},
    "archiving": {"formats", "store", "wire"},
    "unarchiving": {"importing", "formats", "store", "wire", "dates", "errors"},
    "importing": {"formats", "store", "wire", "errors", "wording"},
    "delivery": {"wire", "errors"},
    "worker": {"delivery", "store", "wire", "errors", "settings", "tasks"},
    "api": {
        "importing", "store", "identity", "delivery", "formats", "wire", "dates", "errors",
        "settings", "logs", "wording", "figures_folder", "tasks",
    },
    "page": {"api", "formats", "store", "wire", "dates", "errors", "settings"},
    "purging": {"store"},
    "identity": {"errors"},
    "keyring": {"store", "wire", "errors"},
    "announcing": {"keyring", "settings"},
    "recounting": {"store", "errors"},
    "whole_file": {"embedded"},
    "backup": {"embedded", "formats", "signals", "store", "settings", "whole_file"},
    "rerendering": {"store", "errors"},
    "seeding": {"store", "wire", "dates", "errors"},
    "app": {"api", "identity", "page", "worker", "store", "settings"},
    "serving": {
        "announcing", "app", "worker", "embedded", "keyring", "listeners", "seeding", "store", "settings", "logs",
        "figures_folder",
    },
    "cli": {
        "serving", "announcing", "app", "archiving", "backup", "embedded", "formats", "import_report", "importing",
        "intake", "keyring", "purging", "recounting", "rerendering", "seeding", "store", "settings", "unarchiving",
        "signals", "whole_file", "wire", "errors", "wording",
    },
    "__main__": {"cli"},
}  # fmt: skip
MOST_LINES = 450
WEB = {"fastapi", "starlette"}
DATABASE = {"psycopg", "psycopg_pool", "sqlalchemy", "alembic"}
# Those that know a library of these, and what for where it is not plain.
KNOW_THE_WEB = {"api", "app", "page", "serving"}  # serving: the type of what it serves
KNOW_THE_DATABASE = {
    "store", "tables",
    "settings",  # libpq's own reading of a database URL
    "serving", "cli",  # whether the database answers at all; the errors of both libraries
}  # fmt: skip


class Import(NamedTuple):
    """One import: the module that has it, the room of that module, and what it names."""

    module: str
    room: str
    name: str


def read_imports(folder: Path) -> Iterator[Import]:
    """Yield every import of a package, wherever in a module it stands."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        room = parts[1] if len(parts) > 1 else ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(module, room, alias.name)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module}: an import says where it goes from the root"
                assert node.module is not None
                for alias in node.names:
                    yield Import(module, room, f"{node.module}.{alias.name}")


IMPORTS = list(read_imports(SERVICE))


def room_of(name: str) -> str | None:
    """Name the room that an import of ours leads to; None for another's, and for the house itself."""
    parts = name.split(".")
    if parts[0] != "service" or len(parts) == 1:
        return None
    return parts[1] if (SERVICE / parts[1]).is_dir() or (SERVICE / f"{parts[1]}.py").exists() else None


def test_imports_point_down() -> None:
    wrong = [
        f"{found.module} imports {found.name}"
        for found in IMPORTS
        if (room := room_of(found.name)) is not None
        and found.room not in ("__init__", room)
        and room not in MAY_IMPORT[found.room]
    ]
    assert wrong == []


def test_the_rule_itself_points_down() -> None:
    order = list(TopologicalSorter(MAY_IMPORT).static_order())
    assert order.index("dates") < order.index("store") < order.index("api") < order.index("cli")


def test_every_room_has_its_rule() -> None:
    rooms = {found.room for found in IMPORTS} - {"__init__"}
    assert rooms <= MAY_IMPORT.keys()


def test_no_module_needs_itself() -> None:
    modules = {found.module for found in IMPORTS}
    graph: dict[str, set[str]] = {module: set() for module in modules}
    for found in IMPORTS:
        # `from package import name` names a module of the package, or something in it.
        for target in (found.name, found.name.rpartition(".")[0]):
            if target in modules and target != found.module:
                graph[found.module].add(target)
                break
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize(
    ("libraries", "rooms"), [(WEB, KNOW_THE_WEB), (DATABASE, KNOW_THE_DATABASE)], ids=["web", "database"]
)
def test_a_library_is_known_where_it_belongs(libraries: set[str], rooms: set[str]) -> None:
    wrong = [
        f"{found.module} imports {found.name}"
        for found in IMPORTS
        if found.name.split(".")[0] in libraries and found.room not in rooms
    ]
    assert wrong == []


def test_dates_and_the_embedded_database_need_nothing_but_python() -> None:
    foreign = [
        f"{found.module} imports {found.name}"
        for found in IMPORTS
        if found.room in ("dates", "embedded")
        and found.name.split(".")[0] not in sys.stdlib_module_names
        and room_of(found.name) != found.room
    ]
    assert foreign == []


def test_wire_and_tables_never_meet() -> None:
    """Nor by way of a third: neither leads to the other, whatever the rule above comes to allow."""

    def reached_from(room: str) -> set[str]:
        named = {room_of(one.name) for one in IMPORTS if one.room == room}
        beyond = {found for found in named if found is not None and found != room}
        return beyond.union(*map(reached_from, beyond))

    assert "tables" not in reached_from("wire")
    assert "wire" not in reached_from("tables")


def test_a_module_is_read_at_one_sitting() -> None:
    root = SERVICE.parent
    folders = ("service", "migrations", "seeds", "tests", "bench")
    lengths = {
        str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines())
        for folder in folders
        for path in (root / folder).rglob("*.py")
    }
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def test_nothing_is_imported_under_another_name() -> None:
    aliased = [
        f"{path.relative_to(SERVICE)}:{node.lineno}"
        for path in sorted(SERVICE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(alias.asname not in (None, alias.name) for alias in node.names)
    ]
    assert aliased == []


def test_a_wrong_import_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "service" / "dates").mkdir(parents=True)
    (tmp_path / "service" / "dates" / "edtf.py").write_text("def f():\n    from service.store import database\n")
    assert list(read_imports(tmp_path / "service")) == [Import("service.dates.edtf", "dates", "service.store.database")]
