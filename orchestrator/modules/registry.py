"""All modules that this installation has: the built-in ones and those of other packages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import entry_points

import structlog

from orchestrator.errors import UnknownModuleError, UnknownOperationError
from orchestrator.mcp_settings import McpServerSettings
from orchestrator.modules.base import Module, Operation

ENTRY_POINT_GROUP = "dan_g.modules"
log = structlog.get_logger(__name__)


class Registry:
    """Modules by name.

    Raises:
        ValueError: two modules have one name.
    """

    def __init__(self, modules: Iterable[Module]) -> None:
        self._modules: dict[str, Module] = {}
        for module in modules:
            if module.name in self._modules:
                raise ValueError(f"two modules are called {module.name!r}")
            self._modules[module.name] = module
        self._operations = {op.full_name: op for module in self for op in module.operations}

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __contains__(self, full_name: object) -> bool:
        return full_name in self._operations

    @property
    def operations(self) -> dict[str, Operation]:
        """Every operation by ``module.operation``."""
        return dict(self._operations)

    def module(self, name: str) -> Module:
        """The module called ``name``.

        Raises:
            UnknownModuleError: there is none.
        """
        try:
            return self._modules[name]
        except KeyError:
            raise UnknownModuleError(
                f"no module {name!r}", remedy=f"there are: {', '.join(sorted(self._modules))}"
            ) from None

    def operation(self, module: str, name: str) -> Operation:
        """The operation ``module.name``.

        Raises:
            UnknownModuleError: no such module.
            UnknownOperationError: the module has no such operation.
        """
        found = self.module(module)
        for operation in found.operations:
            if operation.name == name:
                return operation
        names = ", ".join(operation.name for operation in found.operations)
        raise UnknownOperationError(
            f"module {module!r} has no operation {name!r}", remedy=f"it has: {names}"
        )


def load_registry(servers: Sequence[McpServerSettings] = ()) -> Registry:
    """The built-in modules, those of the entry-point group ``dan_g.modules``, and one for each server.

    A third-party module that cannot be loaded is logged and left out; it never stops the service.

    Args:
        servers: Servers of the Model Context Protocol whose tools are operations (``mcp.servers``).

    Raises:
        ConfigurationError: a server has the name of another module.
    """
    from orchestrator.modules import analysis, etl, forecasting, optimization

    modules = [etl.MODULE, forecasting.MODULE, analysis.MODULE, optimization.MODULE]
    names = {module.name for module in modules}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            module = entry.load()
        except Exception as error:  # noqa: BLE001  a foreign package may raise anything
            log.error("module not loaded", entry_point=entry.name, error=str(error))
            continue
        if not isinstance(module, Module) or module.name in names:
            log.error(
                "module not loaded", entry_point=entry.name, error="not a Module of a new name"
            )
            continue
        names.add(module.name)
        modules.append(module)
    if servers:
        from orchestrator.modules.mounted.modules import mounted_modules

        modules += mounted_modules(servers, names)
    return Registry(modules)
