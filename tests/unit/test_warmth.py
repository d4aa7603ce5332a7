"""What keeps notes at hand: it is not heard, and takes no time that a block needs."""

from __future__ import annotations

import gc
import sys
import time

import mido
import numpy as np

from ddspvae import load
from ddspvae.devices.undisturbed import undisturbed
from ddspvae.devices.warmth import EVERY_S, N_PIECES, Warmth

BLOCK = 256


def open_warmth():
    flute = load("flute")  # in its room
    stream, spare = flute.stream(2), flute.stream(1)
    return stream, spare, Warmth(spare, BLOCK, 2)


def test_nothing_is_heard_of_it():
    stream, _, warmth = open_warmth()
    warmth.begin(stream)
    assert stream.sample > 0 and not stream.n_sounding
    assert np.abs(stream.read(stream.sample_rate)).max() < 1e-5
    fresh, *_ = open_warmth()
    for one in (stream, fresh):
        one.send(mido.Message("note_on", note=72, velocity=90))
    first, second = stream.read(9600), fresh.read(9600)
    assert abs(20 * np.log10(np.linalg.norm(first) / np.linalg.norm(second))) < 0.5, "a note sounds as without it"


def test_a_round_has_its_pieces_and_then_rests(monkeypatch):
    stream, spare, warmth = open_warmth()
    warmth.begin(stream)
    begun, calm = spare.sample, time.perf_counter() + 1e3
    now_s = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now_s[0])
    warmth._longest_s = 0.0
    for _ in range(N_PIECES + 3):
        now_s[0] += 0.001
        warmth.step(calm)
    assert spare.sample - begun == N_PIECES * spare.hop_size // 4
    now_s[0] += EVERY_S
    warmth.step(calm)
    assert spare.sample - begun == (N_PIECES + 1) * spare.hop_size // 4


def test_what_a_block_needs_is_not_taken(monkeypatch):
    stream, spare, warmth = open_warmth()
    warmth.begin(stream)
    begun = spare.sample
    monkeypatch.setattr("time.perf_counter", lambda: 10.0)
    warmth._longest_s = 0.001
    warmth.step(10.001)
    assert spare.sample == begun
    warmth.step(10.003)
    assert spare.sample > begun


def test_no_garbage_is_searched_for_while_it_plays():
    was, interval = gc.isenabled(), sys.getswitchinterval()
    with undisturbed():
        assert not gc.isenabled() and sys.getswitchinterval() < interval
    assert gc.isenabled() == was and sys.getswitchinterval() == interval


def test_playing_leaves_no_garbage():
    """Or memory would grow, since nobody searches for it."""
    stream = load("flute").stream(2)
    stream.read(BLOCK)
    gc.collect()
    gc.disable()
    try:
        for number in range(60):
            stream.send(mido.Message("note_on", note=60 + number % 12, velocity=64))
            stream.send(mido.Message("control_change", control=1, value=number))
            stream.read(BLOCK)
            stream.send(mido.Message("note_off", note=60 + number % 12))
            stream.read(BLOCK)
        assert gc.collect() == 0
    finally:
        gc.enable()
