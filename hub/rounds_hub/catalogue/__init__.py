"""The database of the house: sessions, migrations, the outbox of events."""
