"""Files like the genuine ones, for tests and benchmarks: no ETL data enters the repository."""
