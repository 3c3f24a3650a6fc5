"""Pages people look at: self-contained HTML files that open offline."""
