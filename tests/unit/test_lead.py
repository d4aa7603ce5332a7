"""How much sound lies ready: more where it is needed, and no more than that."""

from __future__ import annotations

import pytest

from ddspvae.devices.lead import FREQUENT, LONGEST_CALM_S, MOST_BLOCKS, SPAN_S, Lead

BLOCK = 128


def miss_often(lead, now_s):
    for _ in range(FREQUENT):
        now_s += 0.1
        lead.count_miss(now_s)
    return now_s


def play(lead, now_s, seconds, n_left=None):
    """Blocks in time, with so much left before each; None is all but the block that is due."""
    for at in range(round(seconds * 10)):
        lead.count_block(now_s + at / 10, lead.samples - BLOCK if n_left is None else n_left)
    return now_s + seconds


def test_frequent_misses_make_it_longer_and_rare_ones_do_not():
    lead = Lead(BLOCK)
    for now_s in (0.0, SPAN_S, 2 * SPAN_S, 3 * SPAN_S):
        lead.count_miss(now_s)
    assert lead.samples == BLOCK
    now_s = miss_often(lead, 100.0)
    assert lead.samples == 2 * BLOCK
    for _ in range(2 * MOST_BLOCKS):
        now_s = miss_often(lead, now_s)
    assert lead.samples == MOST_BLOCKS * BLOCK


def test_what_is_never_touched_is_given_up_again():
    lead = Lead(BLOCK)
    now_s = miss_often(lead, miss_often(lead, 0.0))
    assert lead.samples == 3 * BLOCK
    now_s = play(lead, now_s, SPAN_S - 1)
    assert lead.samples == 3 * BLOCK
    now_s = play(lead, now_s, SPAN_S + 2.5)
    assert lead.samples == BLOCK, "a block after ten seconds, another after ten more"
    play(lead, now_s, 100)
    assert lead.samples == BLOCK


@pytest.mark.parametrize("n_left", [0, BLOCK - 1])
def test_what_is_touched_stays(n_left):
    lead = Lead(BLOCK)
    now_s = miss_often(lead, 0.0)
    for _ in range(20):
        now_s = play(lead, play(lead, now_s, SPAN_S - 1), 0.1, n_left)
    assert lead.samples == 2 * BLOCK


def test_a_try_that_fails_is_repeated_after_twice_the_time():
    lead, now_s, waits = Lead(BLOCK), 0.0, []
    for _ in range(8):
        now_s = miss_often(lead, now_s)
        assert lead.samples == 2 * BLOCK
        began_s = now_s
        while lead.samples == 2 * BLOCK:
            now_s = play(lead, now_s, 0.1)
        waits.append(now_s - began_s)
    assert waits[:4] == pytest.approx([SPAN_S, 2 * SPAN_S, 4 * SPAN_S, 8 * SPAN_S], abs=0.3)
    assert waits[-1] == pytest.approx(LONGEST_CALM_S, abs=0.5)


def test_a_card_that_takes_more_at_a_time_gets_that():
    lead = Lead(BLOCK)
    lead.hold(300)
    assert lead.samples == 3 * BLOCK
    play(lead, 0.0, 100)
    assert lead.samples == 3 * BLOCK


def test_what_shall_lie_ready_always_does():
    lead = Lead(BLOCK, ready=3)
    lead.hold(BLOCK)
    assert lead.samples == 3 * BLOCK
    now_s = miss_often(lead, 0.0)
    assert lead.samples == 4 * BLOCK
    play(lead, now_s, 100)
    assert lead.samples == 3 * BLOCK
    lead.hold(500)
    assert lead.samples == 4 * BLOCK
    lead.hold(100)  # another card
    play(lead, now_s + 100, 100)
    assert lead.samples == 3 * BLOCK
