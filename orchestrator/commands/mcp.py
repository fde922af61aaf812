"""``dan-g mcp``: the Model Context Protocol on standard input and output."""

from __future__ import annotations

import asyncio

from orchestrator.commands.options import ConfigOption, HomeOption, Target, UrlOption


def mcp(config: ConfigOption = None, home: HomeOption = None, url: UrlOption = None) -> None:
    """Serve the Model Context Protocol on standard input and output, for a program that starts it.

    It hands requests on to the running service, where there is one; else it works on the home itself,
    and owns it until the input ends.
    """
    from orchestrator.api.logs import configure_logging
    from orchestrator.api.mcp.endpoint import require_sdk
    from orchestrator.commands.client import service_url

    target = Target(config, home, url)
    settings = target.settings()
    require_sdk()
    level = settings.logging.level if "level" in settings.logging.model_fields_set else "warning"
    configure_logging(settings.logging.model_copy(update={"level": level}))
    coordination = settings.coordination.model_copy(update={"start_workers": "on_demand"})
    settings = settings.model_copy(update={"coordination": coordination})

    async def main() -> None:
        from orchestrator.api.mcp import stdio

        address = await service_url(target, settings)
        if address is not None:
            await stdio.serve_bridge(address, settings)
        else:
            await stdio.serve_in_process(settings)

    asyncio.run(main())
