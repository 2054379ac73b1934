from decimal import Decimal

from django.db import migrations, models
from django.db.models import F


def tell_what_is_booked(apps, schema_editor):
    apps.get_model("trading", "Order").objects.exclude(filled_quantity=0).update(told_quantity=F("filled_quantity"))


class Migration(migrations.Migration):
    dependencies = [("trading", "0023_refusals_that_go_on")]

    operations = [
        migrations.AddField(
            "apiorder",
            "cancel_declined",
            models.CharField(
                blank=True, default="", help_text="Why its broker did not cancel it when last asked to", max_length=240
            ),
            preserve_default=False,
        ),
        migrations.AlterField(
            "apiorder",
            "filled_quantity",
            models.DecimalField(decimal_places=12, default=Decimal(0), max_digits=24),
        ),
        migrations.AlterField("apifill", "quantity", models.DecimalField(decimal_places=12, max_digits=24)),
        migrations.AlterField(
            "fill",
            "quantity",
            models.DecimalField(
                decimal_places=6, help_text="Booked: what its order's sum, to 1e-6, grew by", max_digits=20
            ),
        ),
        migrations.AddField(
            "fill",
            "told_quantity",
            models.DecimalField(
                blank=True,
                decimal_places=12,
                help_text="As its broker told it, where that is finer",
                max_digits=24,
                null=True,
            ),
        ),
        migrations.AddField(
            "order",
            "told_quantity",
            models.DecimalField(
                decimal_places=12,
                default=Decimal(0),
                help_text="Sum of its fills as its broker told them; booked is this to 1e-6",
                max_digits=24,
            ),
        ),
        migrations.CreateModel(
            "PriceConnection",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("connected", "Connected"),
                            ("waiting", "Lost, will try again"),
                            ("refused", "Not let in"),
                            ("stopped", "Stopped"),
                        ],
                        default="stopped",
                        max_length=10,
                    ),
                ),
                (
                    "state_at",
                    models.DateTimeField(blank=True, help_text="Wall clock of the last change of state", null=True),
                ),
                ("last_message_at", models.DateTimeField(blank=True, null=True)),
                ("messages", models.BigIntegerField(default=0, help_text="Read since the beginning")),
                ("refused_messages", models.BigIntegerField(default=0, help_text="Could not be read")),
                (
                    "refusal",
                    models.CharField(blank=True, help_text="Why the last of those could not be read", max_length=240),
                ),
                ("losses", models.BigIntegerField(default=0, verbose_name="times lost")),
                ("error", models.CharField(blank=True, max_length=240, verbose_name="last error")),
                ("error_at", models.DateTimeField(blank=True, null=True)),
                ("owner", models.CharField(blank=True, help_text="The process that follows it", max_length=80)),
                (
                    "lease_until",
                    models.DateTimeField(blank=True, help_text="Until when it is the owner's alone", null=True),
                ),
                ("source", models.CharField(max_length=40, unique=True)),
            ],
            options={"ordering": ["source"]},
        ),
        migrations.RunPython(tell_what_is_booked, migrations.RunPython.noop),
    ]
