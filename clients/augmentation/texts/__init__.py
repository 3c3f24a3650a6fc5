"""Texts: a function for each augmentation of theirs, (spec, text, `TextRandom`) → text."""
