"""Market data at rest: exchange calendars, files of bars and corporate actions, and their catalogue."""
