"""What hypothesis draws in more than one file."""

from __future__ import annotations

from hypothesis import strategies as st

from xiaoe.mysql.load_data import NULL

awkward = st.text(alphabet=st.sampled_from("\\\t\n\r\0\x1a'\"`%;NZn0rt é中😀\ufeff\U0010ffff"), max_size=12)
texts = st.none() | st.sampled_from(["", NULL, "\\\\N", "NULL"]) | awkward | st.text(max_size=12)
"""Texts with everything that a line of LOAD DATA treats apart, and NULL."""
