"""The time-series store and the ledger, through SQLAlchemy Core."""
