"""The command line: Click and Rich live here only."""
