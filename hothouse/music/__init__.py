"""Tunes: ABC notation read, as far as folk tunes use it, and written as MIDI."""
