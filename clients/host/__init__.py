"""What a host has: its clients' data, what they keep from round to round, its workers."""
