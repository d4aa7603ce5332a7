"""Now: MIDI events or performance frames in, audio in blocks of any size out."""
