"""Rows of CSV and Parquet files that somebody uploaded: hostile until proven otherwise, read in a limited process."""
