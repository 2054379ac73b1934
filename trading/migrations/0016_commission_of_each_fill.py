from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0015_limits")]

    operations = [
        migrations.RenameField("heldfill", "order_commission", "commission"),
        migrations.AlterField(
            "heldfill",
            "commission",
            models.DecimalField(
                blank=True, decimal_places=2, help_text="Its own, where the broker told", max_digits=20, null=True
            ),
        ),
        migrations.RenameField("apifill", "order_commission", "commission"),
        migrations.AlterField(
            "apifill",
            "commission",
            models.DecimalField(
                blank=True, decimal_places=2, help_text="Its own, where the broker told", max_digits=20, null=True
            ),
        ),
        migrations.RemoveField("paperreport", "order_commission"),
    ]
