"""What the named attributes typically are at a pitch and a loudness: what their axes are measured from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ddspvae.features.f0 import VOICED
from ddspvae.features.partials import read_attributes
from ddspvae.model.axes import find_onsets, from_rest
from ddspvae.model.by_room import N_ROOM_TERMS
from ddspvae.model.encoder_inputs import EncoderInputs
from ddspvae.model.form import (
    BRIGHTNESS,
    LEAST_TOLD,
    LIMIT,
    LOWEST_PITCH,
    N_HATS,
    N_POWERS,
    NAMED_AXES,
    PITCH_STEP,
    TELLS_DB,
    row_middle,
)
from ddspvae.model.stack import rows_around, scale_curves
from ddspvae.signals.units import hz_to_pitch, pitch_to_hz

LIMIT_ROUNDS = 8
POWER_OF_LOUDNESS = 2  # among the powers: the place of q
N_TERMS = N_POWERS + 2 * N_HATS
RISES = np.isin(np.arange(N_TERMS), [2, 4, 5, 7, 8, 9]) | (np.arange(N_TERMS) >= N_POWERS + N_HATS)  # with the loudness
SMOOTHNESS = 1e-2  # of all frames: what speaks against a power
# octaves of brightness per dB of loudness: median and mean of the ten instruments are 0.32 and 0.33 per 10 dB, from 0.04
# (flute) to 0.69 (saxophone), within the semitones of a room (benchmarks/dynamics.py --usual)
USUAL_SLOPE = 0.032
SLOPE_SHARE, SLOPE_RANGE_DB = 0.02, 15.0  # of all frames: what speaks for it where levels reach so far to either side
LEAST_SLOPE = 0.25  # of the usual one, anywhere: an instrument that gets duller as it gets louder was heard wrongly
ROOM_FRAMES, SLOPE_FRAMES = 100.0, 2000.0  # what speaks against a room's constant and its slope over the pitch
LEANING_FRAMES = 50.0  # that say as much as what was learned before
N_GRID, RISING_ROUNDS, WALL = 9, 20, 10.0  # where, a side, it is seen to; at most so often; so many times all frames for it
BEND_FRAMES, HAT_FRAMES = 2000.0, 20.0  # what speaks against a bend between hats, and a hat: as so many frames for it


class Typical(nn.Module):
    """What every attribute typically is at a pitch and a loudness, and how far takes deviate from that.

    A polynomial of the third degree, and beside it hats every 1.5 semitones, constant and rising with the loudness;
    fitted once to the training set before training begins, without a seed. Brightness rises with the loudness, by a usual
    slope where little was heard.

    Args:
        n_timbre: numbers of a timbre code, each of which adds as many terms of its own.
        n_rooms: that are told apart: each adds a constant and a slope over the pitch.
    """

    middle: Tensor
    half_range: Tensor
    coefficients: Tensor
    deviation: Tensor
    loud_db: Tensor
    of_rooms: Tensor | None

    def __init__(self, n_timbre: int = 0, n_rooms: int = 0) -> None:
        super().__init__()
        self.register_buffer("middle", torch.tensor([69.0, -30.0]))  # MIDI number, dB
        self.register_buffer("half_range", torch.tensor([24.0, 20.0]))
        self.register_buffer("coefficients", torch.zeros(1 + n_timbre, N_TERMS, len(NAMED_AXES)))
        rooms = torch.zeros(n_rooms, N_ROOM_TERMS, len(NAMED_AXES)) if n_rooms else None
        self.register_buffer("of_rooms", rooms)
        self.register_buffer("deviation", torch.ones(len(NAMED_AXES)))
        self.register_buffer("loud_db", torch.tensor(-20.0))

    def forward(self, f0_hz: Tensor, loudness_db: Tensor, code: Tensor | None = None, place: Tensor | None = None) -> Tensor:
        """[B, F, 1] each, code [B, F, G], and rooms [B], to [B, F, 4]; beyond the trained range as at its edge."""
        # large terms cancel: what is left of them in float32 would depend on how many frames come at a time
        terms, coefficients = self._terms(f0_hz, loudness_db).double(), self.coefficients.double()
        typical = terms @ coefficients[0]
        if code is not None and len(coefficients) > 1:
            beside = terms @ coefficients[1:].permute(1, 0, 2).flatten(1)  # [B, F, G * 4]
            typical = typical + (beside.unflatten(-1, (-1, len(NAMED_AXES))) * code[..., None]).sum(-2)
        if place is not None:
            assert self.of_rooms is not None
            typical = typical + terms[..., :N_ROOM_TERMS] @ self.of_rooms[place].double()
        return typical.to(f0_hz)

    def _terms(self, f0_hz: Tensor, loudness_db: Tensor) -> Tensor:
        place = (torch.cat([hz_to_pitch(f0_hz), loudness_db], dim=-1) - self.middle) / self.half_range
        p, q = place.clamp(-1, 1).unbind(-1)
        powers = torch.stack([torch.ones_like(p), p, q, p * p, p * q, q * q, p**3, p * p * q, p * q * q, q**3], dim=-1)
        at = (p * self.half_range[0] + self.middle[0] - LOWEST_PITCH) / PITCH_STEP
        hats = (1 - (at[..., None] - torch.arange(N_HATS, device=at.device)).abs()).clamp(min=0)
        return torch.cat([powers, hats, hats * q[..., None]], dim=-1)

    @torch.no_grad()
    def fit(self, takes: list[EncoderInputs], frames_per_z: int, rooms: Sequence[str] = ()) -> None:
        """Fit to takes of one row each, and to their codes where they have one; needs a few seconds of sure pitch.

        Args:
            rooms: by name, where they are told apart.
        """
        loudness_db = torch.cat([take.loudness_db[0] for take in takes])
        self.loud_db.fill_(float(np.quantile(loudness_db.numpy(), 0.95)))
        weights = [self.reading_weights(take)[0] for take in takes]
        sure = torch.cat(weights)[:, BRIGHTNESS] > 0
        if not sure.any():
            return
        places = torch.cat([hz_to_pitch(torch.cat([take.f0_hz[0] for take in takes])), loudness_db], dim=-1)
        low, high = torch.from_numpy(np.quantile(places[sure].numpy(), (0.01, 0.99), axis=0).astype(np.float32))
        self.middle.copy_((low + high) / 2)
        self.half_range.copy_(((high - low) / 2).clamp(min=1.0))
        codes = [None if take.code is None else take.code[:, None] for take in takes]
        self.coefficients.copy_(self._solve(takes, weights))
        self.deviation.fill_(1.0)
        where: list[Tensor | None] = [None] * len(takes)
        if self.of_rooms is not None:
            where = [torch.tensor([rooms.index(take.room)]) for take in takes]
            self.of_rooms.copy_(self._solve_rooms(takes, weights, [rooms.index(take.room) for take in takes]))
        rows, seen = zip(*(self.read(take, frames_per_z, code, place, limit=1e9)
                           for take, code, place in zip(takes, codes, where)))
        far, tells = torch.cat([row[0] for row in rows]), torch.cat([one[0] for one in seen])
        deviation = torch.full((len(NAMED_AXES),), 1e9)
        for _ in range(LIMIT_ROUNDS):  # of what is left of rare extremes
            within = far.clamp(-LIMIT * deviation, LIMIT * deviation)
            deviation = ((within.square() * tells).sum(0) / tells.sum(0).clamp(min=1)).sqrt().clamp(min=1e-3)
        self.deviation.copy_(deviation)

    @torch.no_grad()
    def lean(self, takes: Sequence[EncoderInputs]) -> None:
        """Move all by what takes of one row each say on average; half way where a quarter of a second tells."""
        self.loud_db.fill_(float(np.quantile(torch.cat([take.loudness_db[0] for take in takes]).numpy(), 0.95)))
        told, off = torch.zeros(len(NAMED_AXES)), torch.zeros(len(NAMED_AXES))
        for take in takes:
            weight = self.reading_weights(take)[0]
            told += weight.sum(0)
            off += ((_attributes(take) - self(take.f0_hz, take.loudness_db))[0] * weight).sum(0)
        self.coefficients[0, 0] += off / (told + LEANING_FRAMES)

    @torch.no_grad()
    def steepen(self, octaves_per_db: float) -> None:
        """Let brightness rise so much more with the loudness, everywhere, or less."""
        self.coefficients[0, POWER_OF_LOUDNESS, BRIGHTNESS] += octaves_per_db * float(self.half_range[1])

    def _solve(self, takes: list[EncoderInputs], weights: list[Tensor]) -> Tensor:
        """The coefficients [1 + G, N_TERMS, 4] that fit best what takes tell, weights [F, 4] each.

        In two steps. What changes with the loudness is found beside a constant and a slope over the pitch of every room's
        own: that one was recorded softly and another one's microphone is duller are no dynamics of the instrument. Then
        the rest, from all rooms alike.
        """
        n_copies, rooms = len(self.coefficients), sorted({take.room for take in takes})
        n_terms, n_beside = n_copies * N_TERMS, 2 * len(rooms)
        squares = torch.zeros(len(NAMED_AXES), n_terms + n_beside, n_terms + n_beside, dtype=torch.float64)
        products = torch.zeros(len(NAMED_AXES), n_terms + n_beside, dtype=torch.float64)
        for take, weight in zip(takes, weights):  # one by one: all at once would fill the memory
            terms, values = self._terms(take.f0_hz, take.loudness_db)[0].double(), _attributes(take)[0].double()
            beside = torch.zeros(len(terms), len(rooms), 2, dtype=torch.float64)
            beside[:, rooms.index(take.room)] = terms[:, :2]
            row = torch.cat([(terms[:, None] * self._copies(take)[:, None]).flatten(1), beside.flatten(1)], dim=1)
            for axis, share in enumerate(weight.double().unbind(-1)):
                squares[axis] += (row * share[:, None]).T @ row
                products[axis] += row.T @ (share * values[:, axis])
        stiff = torch.block_diag(*[_stiffness()] * n_copies, torch.zeros(n_beside, n_beside)).double()
        kind = torch.arange(n_terms + n_beside)
        is_ridged = (kind % N_TERMS < N_POWERS) | (kind >= n_terms)
        is_level = nn.functional.pad(torch.from_numpy(np.tile(RISES, n_copies)), (0, n_beside))
        is_rest = ~is_level & (kind < n_terms)
        slopes = nn.functional.pad(self._slopes(takes), (0, n_beside))
        found = torch.zeros_like(self.coefficients)
        for axis, told in enumerate(torch.cat(weights).sum(0).clamp(min=1).tolist()):
            ridge = torch.where(is_ridged, SMOOTHNESS * told, 0.0).double()  # an axis of which nothing tells gets 0
            ridge[0] *= 1e-6
            square, product = squares[axis] + ridge.diag() + stiff, products[axis]
            solved = self._solve_rising(square, product, slopes, told) if axis == BRIGHTNESS else \
                torch.linalg.solve(square, product)
            left = product[is_rest] - square[is_rest][:, is_level] @ solved[is_level]
            solved[is_rest] = torch.linalg.solve(square[is_rest][:, is_rest], left)
            found[..., axis] = solved[:n_terms].float().view(-1, N_TERMS)
        return found

    def _solve_rooms(self, takes: list[EncoderInputs], weights: list[Tensor], places: list[int]) -> Tensor:
        """What each room adds on average, [R, N_ROOM_TERMS, 4]."""
        assert self.of_rooms is not None
        n_axes = len(NAMED_AXES)
        ridge = torch.tensor([ROOM_FRAMES, SLOPE_FRAMES], dtype=torch.float64).diag()
        squares = ridge.expand(len(self.of_rooms), n_axes, -1, -1).clone()
        products = torch.zeros(len(self.of_rooms), n_axes, N_ROOM_TERMS, dtype=torch.float64)
        for take, weight, place in zip(takes, weights, places):
            terms = self._terms(take.f0_hz, take.loudness_db)[0, :, :N_ROOM_TERMS].double()
            off = (_attributes(take) - self(take.f0_hz, take.loudness_db))[0].double()
            squares[place] += torch.einsum("fa,ft,fu->atu", weight.double(), terms, terms)
            products[place] += torch.einsum("fa,ft->at", weight.double() * off, terms)
        return torch.linalg.solve(squares, products[..., None])[..., 0].transpose(1, 2).float()

    def _copies(self, take: EncoderInputs) -> Tensor:
        """What the copies of the terms are multiplied by, [1 + G]: 1 and the take's code, or 0 where it has none."""
        n_codes = len(self.coefficients) - 1
        code = torch.zeros(n_codes) if take.code is None else take.code[0, :n_codes]
        return torch.cat([torch.ones(1), code.cpu()]).double()

    def _slopes(self, takes: list[EncoderInputs]) -> Tensor:
        """From coefficients to slopes with q: [K, (1 + G) * N_TERMS], over a grid of pitch and loudness, for every code."""
        p, q = (side.flatten() for side in torch.meshgrid(*[torch.linspace(-1, 1, N_GRID)] * 2, indexing="ij"))
        o, i = torch.zeros_like(p), torch.ones_like(p)
        powers = torch.stack([o, o, i, o, p, 2 * q, o, p * p, 2 * p * q, 3 * q * q], dim=-1)
        f0_hz = pitch_to_hz(p * self.half_range[0] + self.middle[0])[:, None]
        hats = self._terms(f0_hz, torch.full_like(f0_hz, float(self.middle[1])))[:, N_POWERS : N_POWERS + N_HATS]
        rows = torch.cat([powers, torch.zeros_like(hats), hats], dim=-1).double()
        codes = {tuple(self._copies(take).tolist()) for take in takes}
        return torch.cat([torch.cat([rows * number for number in code], dim=-1) for code in sorted(codes)])

    def _solve_rising(self, square: Tensor, product: Tensor, slopes: Tensor, told: float) -> Tensor:
        """Least squares with the usual slope for a prior, and a least one all over the grid."""
        usual = USUAL_SLOPE * float(self.half_range[1])
        prior = SLOPE_SHARE * told / len(slopes) * (SLOPE_RANGE_DB / float(self.half_range[1])) ** 2
        square, product = square + prior * slopes.T @ slopes, product + prior * usual * slopes.sum(0)
        is_flat = torch.zeros(len(slopes), dtype=torch.bool)
        for _ in range(RISING_ROUNDS):
            wall = slopes[is_flat]
            solved = torch.linalg.solve(square + WALL * told * wall.T @ wall,
                                        product + WALL * told * LEAST_SLOPE * usual * wall.sum(0))
            now_flat = is_flat | (slopes @ solved < LEAST_SLOPE * usual)
            if torch.equal(now_flat, is_flat):
                break
            is_flat = now_flat
        return solved

    def reading_weights(self, heard: EncoderInputs) -> Tensor:
        """How much each frame tells of each axis [B, F, 4]; known from the curves alone, so to the decoder too."""
        sure = (heard.periodicity >= VOICED) & (heard.loudness_db > self.loud_db - TELLS_DB)
        onset = find_onsets(from_rest(scale_curves(*heard.curves)))
        # a frame that is half an onset tells of neither
        return torch.cat([torch.ones_like(onset), 1 - 2 * onset, torch.ones_like(onset), 2 * onset - 1],
                         dim=-1).clamp(min=0) * sure

    def read(self, heard: EncoderInputs, frames_per_z: int, code: Tensor | None = None, place: Tensor | None = None,
             limit: float = LIMIT) -> tuple[Tensor, Tensor]:
        """The named axes of takes.

        Args:
            code: [B, 1, G], the takes' timbre codes; place: [B], their rooms.
        Returns:
            [B, M, 4], standard deviations from what is typical, at most LIMIT; and whether a row tells, 1 or 0, where
            the axes are 0.
        """
        weights = self.reading_weights(heard)
        deviations = (_attributes(heard) - self(heard.f0_hz, heard.loudness_db, code, place)) / self.deviation
        middle = row_middle(frames_per_z)
        total = rows_around(weights * deviations, frames_per_z, middle)
        count = rows_around(weights, frames_per_z, middle)
        seen = (count > LEAST_TOLD).float()
        return (total / count.clamp(min=1e-3) * seen).clamp(-limit, limit), seen

    def at(self, code: Tensor) -> Tensor:
        """The coefficients [1, N_TERMS, 4] for a timbre code [G]."""
        return self.coefficients[:1] + torch.einsum("g,gta->ta", code, self.coefficients[1:])


def _stiffness() -> Tensor:
    """What speaks against the terms of one copy [N_TERMS, N_TERMS]: hats lie on a line where little is heard, near 0."""
    bend = torch.diff(torch.eye(N_HATS), n=2, dim=0)
    hats = BEND_FRAMES * bend.T @ bend + HAT_FRAMES * torch.eye(N_HATS)
    return torch.block_diag(torch.zeros(N_POWERS, N_POWERS), hats, hats)


def _attributes(heard: EncoderInputs) -> Tensor:
    """[B, F, 4], in the order of the axes."""
    return read_attributes(heard.partials)[..., [0, 2, 1, 2]]
