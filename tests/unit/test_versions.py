"""The known schema versions, read without slow alembic, agree with alembic's own."""

from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from penstock.store.migrate import known_versions, newest_version


def test_migration_files_are_named_by_their_versions_in_order() -> None:
    config = Config()
    config.set_main_option("script_location", "penstock.store:migrations")
    scripts = ScriptDirectory.from_config(config)
    assert known_versions() == [script.revision for script in scripts.walk_revisions()][::-1]
    assert newest_version() == scripts.get_current_head()
