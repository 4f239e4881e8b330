"""Where what is made goes."""

from functools import cache
from pathlib import Path

from docs.made import (
    api_page,
    command_page,
    completions,
    config_page,
    dashboards,
    manual,
    metrics_page,
    pictures,
    reasons_page,
)

CHECKOUT = Path(__file__).parents[2]


@cache
def files() -> dict[Path, str]:
    """The text of each file."""
    docs, deploy = CHECKOUT / "docs", CHECKOUT / "deploy"
    made = {
        docs / "api-reference.md": api_page.page(),
        docs / "openapi.json": api_page.openapi(),
        docs / "commands.md": command_page.page(),
        docs / "config.md": config_page.page(),
        docs / "metrics.md": metrics_page.page(),
        docs / "reasons.md": reasons_page.page(),
    }
    made |= {docs / "pictures" / name: text for name, text in pictures.files()}
    boards = deploy / "grafana/dashboards"
    made |= {boards / name: text for name, text in dashboards.files()}
    made |= {deploy / "man" / name: text for name, text in manual.files()}
    return made | {deploy / "completions" / name: text for name, text in completions.files()}
