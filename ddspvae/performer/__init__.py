"""Scores to performances: note controls, what the recordings taught, what a person gives."""
