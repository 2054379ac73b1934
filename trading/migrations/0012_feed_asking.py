from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("trading", "0011_api_broker")]

    operations = [
        migrations.RenameField(model_name="feedstatus", old_name="first_asked_at", new_name="asking_since"),
        migrations.AlterField(
            model_name="feedstatus",
            name="asking_since",
            field=models.DateTimeField(help_text="Since when it is asked without a long pause"),
        ),
    ]
