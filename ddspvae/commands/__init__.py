"""The command line: one file a verb, and a line for it in `main.VERBS`."""
