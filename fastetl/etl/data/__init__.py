"""Tables of the ETL sets: facts, each with its source."""
