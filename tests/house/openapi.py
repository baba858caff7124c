"""Writes the OpenAPI document: `python -m tests.house.openapi FILE`."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from penstock.api.application import ApiOptions, create_api
from penstock.app import open_app
from penstock.settings import load_settings


async def document(folder: Path) -> str:
    """The document of an application in the folder."""
    settings = load_settings(database_url=f"sqlite:///{folder / 'none.db'}")
    async with open_app(settings) as app:
        return json.dumps(create_api(app, app.ledger, ApiOptions()).openapi())


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made:
        file.write_text(asyncio.run(document(Path(made))), encoding="utf-8")
