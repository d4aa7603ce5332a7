"""What the excerpts must sound like, by hand from the printed music: pitch @ onset in seconds, part by part."""

from __future__ import annotations

Answer = list[tuple[float, float]]  # (onset_s, pitch)


def notes(text: str) -> Answer:
    """From "62@0 64@0.5"."""
    pairs = (word.split("@") for word in text.split())
    return [(float(onset), float(pitch)) for pitch, onset in pairs]


def evenly(start_s: float, step_s: float, *pitches: float) -> Answer:
    """One after the other."""
    return [(start_s + index * step_s, pitch) for index, pitch in enumerate(pitches)]


# a tremolo of 16ths at 60 quarters a minute is 4 a second; a trill has 25 notes in two seconds, A and the B flat of the key
TRILL_ON_A = evenly(0, 2 / 25, *(70 if index % 2 else 69 for index in range(25)))
TRILL_ON_B_FLAT = evenly(12, 2 / 25, *(71 if index % 2 else 70 for index in range(25)))

ANSWERS: dict[str, list[Answer]] = {
    "dynamics.musicxml": [notes("62@0 64@0.5 65@1 67@1.5 69@2 71@2.5 72@3 71@4 69@4.5 67@5 76@6 74@6.5 72@7 71@7.5 69@8 "
                               "74@9")],
    # 96 quarters a minute: 0.625 s each
    "slurs.musicxml": [evenly(0, 0.625, 67, 69, 71, 72, 74, 72, 71, 69, 67, 69, 71, 74, 76, 74, 72, 67)],
    # with a slash 80 ms before the beat; without, as long as an eighth (0.5 s) on the beat; 25 % of two seconds
    "grace.musicxml": [notes("74@0 78@0.92 76@1 79@2 78@2.5 81@4 76@5.84 78@5.92 79@6 78@8 76@8.5 74@10")],
    "ornaments.musicxml": [[*TRILL_ON_A, *notes("74@2 72@2.08 74@2.16 72@4 74@4.08 72@4.16 79@6 77@6.08 75@6.16 77@6.24"),
                            *evenly(8, 0.25, *[67] * 8), *evenly(10, 0.25, *[74, 77] * 4), *TRILL_ON_B_FLAT, (14.0, 67.0)]],
    # 60; dotted quarter = 80 is 120; from 120 to 84 over four quarters (integral of 60 / tempo); 120 again, the fermata 1.75
    "tempo.musicxml": [[*evenly(0, 1, 72, 74, 76, 77), *evenly(4, 0.5, 79, 77, 76, 74),
                        *notes("72@6 74@6.5197 76@7.0833 77@7.6988 79@8.3779 76@8.8779 72@9.3779 74@10.2529")]],
    "repeats.musicxml": [[*evenly(0, 0.5, 72, 74, 76, 77, 72, 74), (3.0, 79.0), *evenly(4, 0.5, *[81, 83] * 3), (7.0, 84.0),
                          *evenly(8, 0.5, 72, 74), (9.0, 79.0)]],
    "transposing.musicxml": [[*evenly(0, 0.6, 69, 73, 76, 73), (2.4, 74.0), (3.6, 69.0)], notes("45@0 48@1.2 38@2.4")],
    "pizzicato.mxl": [notes("50@0 53@0.6667 57@1.3333 58@2.6667 57@2.8889 55@3.1111 53@3.3333 49@4 50@6")],
    "brackets.mei": [notes("67@0 69@0.5 71@1 72@1.5 74@2 67@4.5 69@5 71@5.5 66@5.92 67@6")],
    "voices.musicxml": [notes("67@0 76@0 74@1 69@2 72@2 76@3 67@4 71@4 74@4 69@6 72@6 76@7 64@8 72@8")],
}
