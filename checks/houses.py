"""An import-linter contract: the table of houses in pyproject.toml, as a list of what is allowed.

What is not in the table is forbidden, so a new house starts out knowing nobody.
"""

from __future__ import annotations

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

ROOT = "treadle"


class HouseContract(Contract):
    """Direct imports go only where the table says.

    anyone:        modules that every house may import
    table:         lines "house: house, house.module, …"
    without_torch: houses that do not import torch themselves
    """

    anyone = fields.ListField(subfield=fields.StringField())
    table = fields.ListField(subfield=fields.StringField())
    without_torch = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        rules = rules_of(list(self.table))
        found = [
            describe(graph, importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if not self._is_allowed(inside(importer), inside(imported), imported, rules)
        ]
        return ContractCheck(kept=not found, metadata={"found": found})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for line in check.metadata["found"]:
            output.print_error(line)
        output.new_line()
        output.print_error("The table of houses is in pyproject.toml, the reasons are in DESIGN.")

    def _is_allowed(
        self, importer: str, imported: str, name: str, rules: dict[str, list[str]]
    ) -> bool:
        house = importer.split(".", maxsplit=1)[0]
        if name == "torch":
            return house not in set(self.without_torch)
        if not imported or house == "":
            return True
        own = [] if importer in rules and "." in importer else [house]
        allowed = [*self.anyone, *own, *rules.get(importer, rules.get(house, []))]
        return any(imported == other or imported.startswith(f"{other}.") for other in allowed)


def rules_of(lines: list[str]) -> dict[str, list[str]]:
    """Return what each house, or single module, may import."""
    pairs = (line.split(":", maxsplit=1) for line in lines)
    return {name.strip(): [other.strip() for other in rest.split(",")] for name, rest in pairs}


def inside(module: str) -> str:
    """Return a module's name within the package; nothing for one from outside."""
    if module == ROOT:
        return "__init__"
    return module.removeprefix(f"{ROOT}.") if module.startswith(f"{ROOT}.") else ""


def describe(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    lines = ", ".join(str(detail["line_number"]) for detail in details)
    return f"{importer} imports {imported} (line {lines}), which the table does not allow."
