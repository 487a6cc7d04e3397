"""Whole files on a disk or in a bucket; the store of raw pages."""
