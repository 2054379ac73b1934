"""Leave room on the pages of rows that every tick writes anew, so that their new versions need no new index entries."""

from typing import Any

from django.db import migrations

# Half a page stays free: a tick writes each row of it once, and the next finds the room of the version before.
FULL_PERCENT = 45
TABLES = ("trading_quote", "trading_pricetrack", "trading_quotestatistic", "trading_dailymark")


def leave_room(apps: Any, schema_editor: Any) -> None:
    _set(schema_editor, f"SET (fillfactor = {FULL_PERCENT})")


def fill_up(apps: Any, schema_editor: Any) -> None:
    _set(schema_editor, "RESET (fillfactor)")


def _set(schema_editor: Any, what: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table in TABLES:
            schema_editor.execute(f"ALTER TABLE {table} {what}")


class Migration(migrations.Migration):
    dependencies = [("trading", "0019_order_plans")]
    operations = [migrations.RunPython(leave_room, fill_up, elidable=False)]
