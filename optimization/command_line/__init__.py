"""What the commands share: arguments, values, progress, tables and files. Nothing here touches a database."""
