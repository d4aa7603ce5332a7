"""The learned performer: every note of a score is played as the most fitting note of the recordings was.

Few instruments are recorded for more than minutes, too few notes to train a network that draws vibrato without averaging
it away. So the notes themselves are kept, as what they do beyond the rules, and for a score the sequence of them is chosen
that fits its contexts best and joins best, as in concatenative synthesis; the rules carry what differs. Only of timbre, of
which a score says least, a mean is played: what the notes that fit have in common.

Source: Hunt & Black, "Unit selection in a concatenative speech synthesis system", 1996, for the search.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ddspvae.features.statistics import Statistics
from ddspvae.kernels.compiler import HAS_COMPILER
from ddspvae.kernels.remembered import mean_of_notes
from ddspvae.midi.closed_forms import velocity_to_level_db
from ddspvae.midi.rules import EARLIEST_S, LEGATO_GAP_S, REST_DB, Curves, Habits, find_bound, perform
from ddspvae.model.form import BITE
from ddspvae.performer.gestures import NO_NEIGHBOUR_S, RATE_HZ, UNKNOWN, Gestures
from ddspvae.signals import Note, Notes
from ddspvae.signals.checks import check_range, fail
from ddspvae.signals.curves import deepest_hole, smooth_curve
from ddspvae.signals.units import CENTS_PER_SEMITONE

N_CANDIDATES = 24  # a note
# what differs by one of these costs one
SHORTER, LONGER = 0.25, 0.7  # log of the duration: a note is more easily cut than drawn out
PITCH_SEMITONES, LEVEL_DB, INTERVAL_SEMITONES, GAP = 12.0, 10.0, 6.0, 0.7
OTHER_BEGINNING, OTHER_END = 3.0, 1.0  # bound for attacked, or the other way round
BREAK = 0.5  # between notes that did not follow each other
AGAIN = (2.0, 1.6, 1.2, 0.8)  # of one that was the last, the one before, ...
N_PATHS = 3  # that are followed to each candidate: what was used before the last note makes no two of them alike
WILDNESS = 0.7  # of the cost, what a seed draws
HEAD_S, TAIL_S, SEAM_S, JOIN_S = 0.25, 0.15, 0.05, 0.04
LEAD_S = 0.08  # at an end of a note, in which its pitch may lead over to its neighbour
LEAVE_S = 0.2  # after a note, in which what it did beyond the rules goes back to nothing while it rings
ALIKE = 1.0  # the cost by which one of the candidates counts 1 / e as much in what they have in common
DEEPEST_DB = 4.5  # that a played note falls within: a transcriber hears two from 6 on
GLIDING_SHARE = 0.25  # of the shorter of two bound notes, at most
TREMOR_S = 0.4
CALM_S = 0.35  # a shorter note has no time for all that a longer one did


def play(notes: Notes, statistics: Statistics, gestures: Gestures, frame_rate_hz: float, frames_per_z: int, *,
         expression: float = 1.0, seed: int | None = None, tail_s: float = 1.0) -> tuple[Curves, NDArray[np.float32]]:
    """Play a score of one voice as the recordings were played.

    Args:
        notes: one voice, as `rules.perform` wants it.
        statistics, gestures: of the instrument's recordings.
        frame_rate_hz: frames per second.
        frames_per_z: frames that share a row of z.
        expression: scales all that goes beyond the deadpan rules: 0 is a machine, 1 as recorded, 2 exaggerated.
        seed: None takes the notes that fit best; a number draws others that fit nearly as well, the same each time.
        tail_s: seconds after the last note, for the release.
    Returns:
        Curves of ceil((duration + tail_s) * frame_rate_hz) frames; z [M, Z], fading to 0 (what is typical) in rests.
    Raises:
        InputError: no gestures, or what `rules.perform` refuses.
    """
    check_range("perform", "expression", expression, 0, 2)
    if not len(gestures):
        raise fail("perform", "gestures", "hold at least one note", 0, "this instrument has none; let the rules perform")
    if not notes.notes:
        raise fail("perform", "notes", "hold at least one note", 0)
    level_db = velocity_to_level_db(np.array([note.velocity for note in notes.notes], dtype=float), statistics)
    cost = _fit(notes.notes, level_db, gestures, seed)
    chosen = _choose(cost, gestures)
    length_s = np.array([note.offset_s - note.onset_s for note in notes.notes])
    attack_s, glide_s = (np.where(gestures[name][chosen] == UNKNOWN, usual, gestures[name][chosen])
                         for name, usual in (("attack_s", statistics.attack_s), ("glide_s", statistics.glide_s)))
    shorter_s = np.minimum(length_s, np.concatenate([length_s[:1], length_s[:-1]]))
    habits = Habits(level_db, attack_s, np.minimum(glide_s, GLIDING_SHARE * shorter_s))
    still = replace(statistics, vibrato_extent_cents=0.0)  # the gestures hold the vibrato
    deadpan = perform(notes, still, frame_rate_hz, expression=expression, tail_s=tail_s, habits=habits)
    n_frames = len(deadpan.f0_hz)
    cents, swell_db = np.zeros(n_frames), np.zeros(n_frames)
    z = np.zeros((-(-n_frames // frames_per_z), gestures.z.shape[1]))
    spans = [(round(note.onset_s * frame_rate_hz), round(note.offset_s * frame_rate_hz)) for note in notes.notes]
    bound = find_bound(notes.notes)
    was_bound = gestures["gap_before_s"][chosen] < LEGATO_GAP_S
    loose = np.stack([was_bound & ~bound, ~np.concatenate([bound[1:], [False]])], axis=1)
    for at, ((start, end), number) in enumerate(zip(spans, chosen)):
        stop = min(max(end, start + 1), n_frames)
        own_cents, own_level_db, _ = gestures.note(int(number))
        position = stretch(len(own_cents) / RATE_HZ, (np.arange(start, stop) - start) / frame_rate_hz)
        read_cents, read_db = _at(np.stack([own_cents, own_level_db], axis=1), position, RATE_HZ).T
        cents[start:stop] = _centred(read_cents) * min((stop - start) / frame_rate_hz / CALM_S, 1.0)
        for curve, is_loose in zip((cents[start:stop], cents[start:stop][::-1]), loose[at]):
            if is_loose:  # no way from a note that is not there, and no slip of the tracker as the sound dies
                reach = min(round(LEAD_S * frame_rate_hz), len(curve))
                curve[:reach] *= np.linspace(0, 1, reach + 1)[:-1]
        swell_db[start:stop] = _without_holes(read_db * min(len(own_level_db) / RATE_HZ / length_s[at], 1.0))
        if notes.has_dynamics:  # slower than a tremor is what is written
            swell_db[start:stop] -= smooth_curve(swell_db[start:stop], round(TREMOR_S * frame_rate_hz))
        rows = slice(start // frames_per_z, -(-stop // frames_per_z))
        since = (np.arange(rows.stop - rows.start) * frames_per_z).clip(0, stop - start - 1)
        z[rows] = _timbre(gestures, cost[at], since / frame_rate_hz, (stop - start - 1) / frame_rate_hz)
    for curve in (cents, swell_db):
        _join(curve, spans, round(JOIN_S * frame_rate_hz))
        _carry(curve, spans, round(LEAVE_S * frame_rate_hz), int(np.ceil(EARLIEST_S * frame_rate_hz)))
    row_rate_hz = frame_rate_hz / frames_per_z
    row_spans = [(start // frames_per_z, -(-end // frames_per_z)) for start, end in spans]
    row_spans = [(start, min(end, following)) for (start, end), (following, _) in pairwise([*row_spans, (len(z), 0)])]
    bite = z[:, BITE : BITE + 1].copy()  # which a note begins with, whatever was before
    _join(z, row_spans, max(round(JOIN_S * row_rate_hz), 1))
    z[:, BITE : BITE + 1] = bite
    _carry(z, row_spans, round(LEAVE_S * row_rate_hz), 0)
    sounding = deadpan.loudness_db > REST_DB
    f0_hz = deadpan.f0_hz * 2 ** (expression * cents / (12 * CENTS_PER_SEMITONE))
    loudness_db = np.where(sounding, deadpan.loudness_db + expression * swell_db, deadpan.loudness_db)
    return (replace(deadpan, f0_hz=f0_hz.astype(np.float32),
                    loudness_db=np.maximum(loudness_db, REST_DB).astype(np.float32)),
            (expression * z).astype(np.float32))


def choose(notes: tuple[Note, ...], level_db: NDArray, gestures: Gestures, seed: int | None = None) -> NDArray[np.int64]:
    """The gestures [N] that fit a score's notes and each other best, by dynamic programming.

    Args:
        notes: of one voice.
        level_db: [N], what their velocities stand for.
        gestures: to choose from.
        seed: None for the best; a number adds a random cost to each.
    """
    return _choose(_fit(notes, level_db, gestures, seed), gestures)


def _choose(cost: NDArray, gestures: Gestures) -> NDArray[np.int64]:
    """The cheapest gestures [N] by what each costs for itself [N, G] and what their joins do."""
    nearest = np.argsort(cost, axis=1)[:, :N_CANDIDATES]
    return _cheapest_path(np.take_along_axis(cost, nearest, axis=1), nearest, gestures)


def _fit(notes: tuple[Note, ...], level_db: NDArray, gestures: Gestures, seed: int | None) -> NDArray:
    """How badly each gesture fits each note, [N, G]; arguments as of `choose`."""
    onset_s, offset_s, pitch = np.array([(note.onset_s, note.offset_s, note.pitch) for note in notes]).T
    gap_s = np.maximum(np.concatenate([[NO_NEIGHBOUR_S], onset_s[1:] - offset_s[:-1], [NO_NEIGHBOUR_S]]), 0.0)
    bound = find_bound(notes)
    interval = np.concatenate([[0.0], np.diff(pitch), [0.0]])
    ratio = np.log((offset_s - onset_s)[:, None] * RATE_HZ / gestures["n_frames"])
    was_bound, was_left = gestures["gap_before_s"] < LEGATO_GAP_S, gestures["gap_after_s"] < LEGATO_GAP_S
    binds = np.concatenate([bound[1:], [False]])
    cost = np.where(ratio > 0, ratio / SHORTER, -ratio / LONGER)
    cost += np.abs(pitch[:, None] - gestures["pitch"]) / PITCH_SEMITONES
    cost += np.abs(level_db[:, None] - gestures["level_db"]) / LEVEL_DB
    cost += OTHER_BEGINNING * (bound[:, None] != was_bound) + OTHER_END * (binds[:, None] != was_left)
    for ours, theirs, counts in ((interval[:-1], gestures["interval_before"], bound[:, None] & was_bound),
                                 (interval[1:], gestures["interval_after"], binds[:, None] & was_left)):
        cost += np.minimum(np.abs(ours[:, None] - theirs) / INTERVAL_SEMITONES, 2.0) * counts
    for ours, theirs in ((gap_s[:-1], gestures["gap_before_s"]), (gap_s[1:], gestures["gap_after_s"])):
        cost += np.minimum(np.abs(np.log((ours[:, None] + 0.1) / (theirs + 0.1))) * GAP, 1.5)
    if seed is not None:
        cost += WILDNESS * np.random.default_rng(seed).gumbel(size=cost.shape)
    return np.asarray(cost)


def _cheapest_path(cost: NDArray, candidates: NDArray, gestures: Gestures) -> NDArray[np.int64]:
    """Of candidates [N, K] that cost so much, those whose sum with the price of their joins is least, or nearly so.

    Dynamic programming, but that to each candidate not one path is followed: the best N_PATHS, since what a path has used
    before counts as well.
    """
    take, place = gestures["take"], gestures["place"]
    total, used = cost[0], np.full((len(candidates[0]), len(AGAIN)), -1)
    used[:, 0] = candidates[0]
    at, came_from = [np.arange(len(candidates[0]))], []
    for now, own in zip(candidates[1:], cost[1:]):
        before = used[:, 0]
        follows = (place[now] == place[before][:, None] + 1) & (take[now] == take[before][:, None])
        price = total[:, None] + np.where(follows, 0.0, BREAK)
        for ago, much in enumerate(AGAIN):
            price += much * (used[:, ago, None] == now)
        best = np.argsort(price, axis=0, kind="stable")[:N_PATHS]  # [P, K]
        chosen = np.broadcast_to(np.arange(len(now)), best.shape).ravel()
        back = best.ravel()
        total = price[back, chosen] + own[chosen]
        used = np.concatenate([now[chosen][:, None], used[back, :-1]], axis=1)
        came_from.append(back)
        at.append(chosen)
    path = int(total.argmin())
    found = [int(candidates[-1][at[-1][path]])]
    for row, chosen, back in zip(candidates[-2::-1], at[-2::-1], came_from[::-1]):
        path = int(back[path])
        found.append(int(row[chosen[path]]))
    return np.array(found[::-1])


def stretch(heard_s: float | NDArray, time_s: NDArray) -> NDArray:
    """Where in a note of heard_s seconds to read, for one that lasts as long as time_s says: vibrato keeps its rate.

    Beginnings and ends stay whole. A shorter note leaves out of the middle; a longer one goes to and fro in it.

    Args:
        heard_s: > 0; a number, or [K, 1] of several notes.
        time_s: [F], seconds since its onset, evenly spaced from 0.
    Returns:
        [3, F] or [3, K, F]: two positions in seconds, and how much of the second is heard, 0 to 1.
    """
    length_s = float(time_s[-1]) if len(time_s) > 1 else heard_s
    tail_s = np.minimum(np.minimum(TAIL_S, 0.4 * heard_s), 0.4 * length_s)
    from_end = heard_s - (length_s - time_s)
    begin = np.minimum(HEAD_S, 0.4 * heard_s)
    span = np.maximum(heard_s - tail_s - begin, 1e-3)
    beyond = np.maximum(time_s - begin, 0.0) % (2 * span)
    to_and_fro = np.where(time_s < begin, time_s, begin + np.minimum(beyond, 2 * span - beyond))
    head = np.where(length_s <= heard_s, time_s, to_and_fro)
    fade = ((time_s - (length_s - tail_s - SEAM_S)) / SEAM_S).clip(0, 1)
    return np.stack([head.clip(0, heard_s), from_end.clip(0, heard_s), fade])


def _timbre(gestures: Gestures, cost: NDArray, time_s: NDArray, length_s: float) -> NDArray:
    """z of a note at instants [R] since its onset: what the gestures that fit it best have in common.

    Of details no score tells. To a held-out phrase even the remembered notes nearest to its own were hardly nearer than the
    chosen ones, by a judge of hearing; the means of many were.

    Args:
        gestures: all; cost: [G], how badly each fits.
        time_s: [R]; length_s: of the note.
    Returns: [R, Z].
    """
    near = np.argpartition(cost, min(N_CANDIDATES, len(cost)) - 1)[:N_CANDIDATES]
    fits = np.exp((cost[near].min() - cost[near]) / ALIKE)
    weight, heard_s = fits / fits.sum(), gestures["n_frames"][near].astype(float) / RATE_HZ
    first, n_rows = gestures.rows(near)
    z = np.zeros((len(time_s), gestures.z.shape[1]))
    if HAS_COMPILER:
        mean_of_notes(gestures.z, first, n_rows, heard_s, weight, time_s, float(length_s), RATE_HZ / gestures.rows_every,
                      HEAD_S, TAIL_S, SEAM_S, z)
        return z
    position = stretch(heard_s[:, None], np.append(time_s, length_s))[..., :-1]  # then as `_at` reads one of them
    place = (position[:2] * RATE_HZ / gestures.rows_every).clip(0, n_rows[:, None] - 1)
    left = np.minimum(place.astype(int), np.maximum(n_rows - 2, 0)[:, None])
    right = np.minimum(left + 1, n_rows[:, None] - 1)
    share = np.stack([1 - position[2], position[2]]) * weight[:, None]  # [2, K, R]
    for rows, much in ((left, share * (1 - place + left)), (right, share * (place - left))):
        z += np.einsum("pkr,pkrz->rz", much, gestures.z[first[:, None] + rows])
    return z


def _centred(cents: NDArray) -> NDArray:
    """Around the note's middle, so that what was left out of a note does not put the rest out of tune."""
    return cents - np.average(cents, weights=np.hanning(len(cents) + 2)[1:-1])


def _without_holes(level_db: NDArray) -> NDArray:
    """Made flatter where it would fall so far within the note that two would be heard."""
    hole_db = deepest_hole(level_db)
    return level_db * DEEPEST_DB / hole_db if hole_db >= DEEPEST_DB else level_db


def _at(curve: NDArray, position: NDArray, rate_hz: float) -> NDArray:
    """A curve [n] or [n, C] at two positions [3, F] of `stretch`, faded into each other."""
    place = (position[:2] * rate_hz).clip(0, len(curve) - 1)
    left = np.minimum(place.astype(int), max(len(curve) - 2, 0))
    right = np.minimum(left + 1, len(curve) - 1)
    columns = curve.reshape(len(curve), -1)
    first, second = columns[left] + (columns[right] - columns[left]) * (place - left)[..., None]
    return (first + (second - first) * position[2][:, None]).reshape(position.shape[1], *curve.shape[1:])


def _join(curve: NDArray, spans: list[tuple[int, int]], reach: int) -> None:
    """Where notes touch, let both meet half-way, in place; a curve [n], or several [n, C]."""
    curves = curve.reshape(len(curve), -1)
    for (start, stop), (following, end) in pairwise(spans):
        if following - stop > reach or not 0 < following < len(curves):
            continue
        step = curves[following] - curves[min(stop, following) - 1]
        before, after = min(reach, stop - start), min(reach, min(end, len(curves)) - following)
        curves[stop - before : stop] += step / 2 * np.linspace(0, 1, before + 1)[1:, None] ** 2
        curves[following : following + after] -= step / 2 * np.linspace(1, 0, after + 1)[:-1, None] ** 2


def _carry(curve: NDArray, spans: list[tuple[int, int]], leave: int, early: int) -> None:
    """Between notes, in place: on from where a note ended, to where the next begins as its attack does, a little early.

    A curve [n], or several [n, C]. A rest of more than `leave` frames is left at 0 from there on.
    """
    curves = curve.reshape(len(curve), -1)
    borders = [(0, 0), *spans, (len(curve), len(curve))]
    for (start, end), (following, _) in pairwise(borders):
        stop = min(max(end, start + (start < following)), len(curve))
        rest = np.arange(stop, min(following, len(curve)))[:, None]
        if not len(rest):
            continue
        first = curves[stop - 1] if stop else 0.0
        last = curves[following].copy() if following < len(curve) else 0.0
        arrives = max(following - early, stop)
        if arrives - stop < leave and following < len(curve):
            way = ((rest - stop + 1) / (arrives - stop + 1)).clip(0, 1)
            curves[rest[:, 0]] = first + (last - first) * way
        else:
            curves[rest[:, 0]] = np.where(rest < arrives, first * (1 - (rest - stop + 1) / leave).clip(0, 1), last)
