"""Pages of research: parse, authorise, call one service or selector, show."""
