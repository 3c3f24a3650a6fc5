"""Tables: a function for each augmentation of theirs.

(spec, rows, their streams, the columns, the rows' positions in the data) → the rows as they are seen.
"""
