"""Plays an instrument from its weights alone, with numpy and compiled loops: what a render needs, without torch."""
