"""Genuine-shaped files, for tests and benchmarks: no ETL data enters the repository."""
