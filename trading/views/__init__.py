"""Pages: parse, authorise, call one service or selector, show."""
