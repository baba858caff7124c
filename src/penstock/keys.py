"""The keys of stored secrets, from where the settings say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from penstock.access.vault import Vault
from penstock.opening import database_file, is_fresh, open_reader, owned_database
from penstock.store.keys import GivenKeys, KeyFile
from penstock.store.migrate import migrate
from penstock.store.write.rotation import rotate_key, secrets_opened

if TYPE_CHECKING:
    from penstock.access.vault import Keys
    from penstock.settings import Settings


def vault_keys(settings: Settings) -> Keys:
    """The keys from the settings, else from a file beside an SQLite database."""
    if settings.secret_key is not None:
        return GivenKeys(settings.secret_key.get_secret_value())
    if settings.secret_key_file is not None:
        return KeyFile(settings.secret_key_file, ours=False)
    if (file := database_file(settings)) is None:
        return GivenKeys(None)
    # A link to a database means the same database.
    real = file.resolve()
    return KeyFile(real.with_name(real.name + ".key"), ours=True)


async def check_secrets(settings: Settings) -> str:
    """The state of the stored secrets in words; SecretKeyError when they cannot be decrypted."""
    keys = vault_keys(settings)
    found = await asyncio.to_thread(keys.found)
    if is_fresh(settings):
        return "none stored yet"
    async with open_reader(settings) as database:
        count = await database.read(lambda connection: secrets_opened(connection, Vault(keys)))
    return f"{count} stored, {'no key yet' if not found else 'all can be decrypted'}"


async def rotate_secret_key(settings: Settings) -> int:
    """Encrypt all stored secrets with the newest key; gives their number."""
    async with owned_database(settings, serving=None) as database:
        await migrate(database)
        return await rotate_key(database, vault_keys(settings))
