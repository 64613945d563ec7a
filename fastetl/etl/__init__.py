"""What knows the files of the ETL Character Database: layouts, recognition, groups, selection, reading, building."""
