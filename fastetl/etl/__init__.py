"""What knows the files of the ETL Character Database: layouts, files, groups, selection, reading, building."""
