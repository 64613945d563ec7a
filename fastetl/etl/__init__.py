"""Files of the ETL Character Database: what they are, how they are read, and how they become a dataset."""
