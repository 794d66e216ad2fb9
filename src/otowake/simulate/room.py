"""Rooms that do not exist: dry sounds in, a microphone array's recording and the truth behind it out.

    mixture[m] = sum_n image[n, m] + noise[m]        image[n, m] = gain_n (source_n * response[n, m])

The responses of a shoebox room come from the image method, its walls from Sabine's formula.

Source: Allen and Berkley 1979 (image method), through pyroomacoustics (Scheibler et al. 2018).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from otowake.core.errors import OtowakeError
from otowake.simulate.places import Points, azimuths, check_apart, check_inside, check_size, sides

Signal = Float[np.ndarray, "samples"]
Signals = Float[np.ndarray, "m samples"]
Response = Float[np.ndarray, "_"]

PEAK = 0.9  # of the loudest sample of a scene, so that files of integers hold it
MOST_REFLECTIONS = 80  # order of the image method: 700 000 image sources, about half a second of work a source
FARTHEST_ORDER = 200  # beyond, a response cut at MOST_REFLECTIONS no longer decays as asked


@dataclass(frozen=True, eq=False)
class Room:
    """A shoebox room with its microphones and its sources.

    Args:
        microphones: (3, m) positions in metres, one column a microphone; see `linear` and `circular`.
        sources: (3, n) positions in metres, one column a source; see `around`.
        size: the three sides in metres.
        rt60: reverberation time in seconds; 0 is a room without walls.
        snr_db: white sensor noise, relative to the power of all images together; None is no noise.
        balance: decibels of each image's power at microphone 1; () is equal power, None leaves the sources'
            own levels as they are.
        seed: of the sensor noise, the only random part.
    """

    microphones: Points
    sources: Points
    size: tuple[float, float, float] = (6.0, 5.0, 3.0)
    rt60: float = 0.2
    snr_db: float | None = None
    balance: tuple[float, ...] | None = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Scene:
    """What the microphones hear, and why.  `mixture == images.sum(0) + noise`, exactly.

    Args:
        mixture: (m, samples).
        images: (n, m, samples), each source alone, reverberant, as every microphone hears it.
        noise: (m, samples), the sensors' own.
        rate: Hz.
        geometry: where everything stood, ready for JSON.
    """

    mixture: Signals
    images: Float[np.ndarray, "n m samples"]
    noise: Signals
    rate: int
    geometry: dict[str, Any]


@dataclass(frozen=True)
class _Walls:
    """The share of the power that a wall swallows, and how many reflections in a row are followed."""

    absorption: float
    order: int
    order_needed: int


def simulate(sources: Sequence[np.ndarray], rate: int | Sequence[int], room: Room) -> Scene:
    """Plays the sources in the room and records them.

    The scene is as long as the longest source: shorter ones are followed by silence, and the reverberation
    after the end is cut.  One common gain puts its loudest sample at 0.9.  The same arguments give the same
    scene, bit for bit.

    Args:
        sources: n dry sounds, each (samples,).
        rate: Hz, one for all (or one a source, which must agree).
        room: the places, the walls, the noise.

    Raises:
        OtowakeError: no source, a silent or non-finite one, rates that differ, a place outside the room, a
            microphone on top of a source, a reverberation time that these walls cannot have, or
            pyroomacoustics missing.
    """
    hz = _one_rate(rate, len(sources))
    dry = _stack(sources)
    room = _checked(room, len(dry))
    walls = _walls(room)
    _check_arrival(dry, room, hz)
    responses = _responses(room, walls, hz)
    images = np.stack([_play(source, heard) for source, heard in zip(dry, responses, strict=True)])
    images *= _gains(images[:, 0], room.balance)[:, None, None]
    noise = _sensor_noise(images.sum(0), room)
    gain = PEAK / max(np.abs(images.sum(0) + noise).max(), np.abs(images).max())
    images, noise = gain * images, gain * noise
    return Scene(images.sum(0) + noise, images, noise, hz, _describe(room, walls, hz, responses[0][0]))


def _library() -> Any:
    try:
        import pyroomacoustics
    except ImportError as why:
        text = "Simulated rooms need pyroomacoustics, which is not installed: pip install 'otowake[simulate]'"
        raise OtowakeError(text) from why
    return pyroomacoustics


def _one_rate(rate: int | Sequence[int], n: int) -> int:
    if n == 0:
        raise OtowakeError("There is no source to play: give at least one sound.")
    rates = list(rate) if isinstance(rate, Sequence) else [rate] * n
    if len(rates) != n or len(set(rates)) > 1:
        text = ", ".join(f"{r}" for r in rates)
        raise OtowakeError(f"The {n} sources have rates of {text} Hz: resample them to one rate first.")
    if rates[0] < 1:
        raise OtowakeError(f"The rate is {rates[0]} Hz: give the sampling rate, for example 16000.")
    return int(rates[0])


def _stack(sources: Sequence[np.ndarray]) -> Float[np.ndarray, "n samples"]:
    dry = np.zeros((len(sources), max(np.size(source) for source in sources)))
    for n, source in enumerate(sources):
        if np.ndim(source) != 1:
            raise OtowakeError(f"Source {n + 1} has the shape {np.shape(source)}: give one channel, (samples,).")
        dry[n, : len(source)] = source
        if not np.isfinite(dry[n]).all():
            raise OtowakeError(f"Source {n + 1} has NaN or infinite samples: give finite ones.")
        if not dry[n].any():
            raise OtowakeError(f"Source {n + 1} is silent: give a sound, or leave it out.")
    return dry / np.abs(dry).max()  # any unit may come in: the powers below neither overflow nor vanish


def _checked(room: Room, n: int) -> Room:
    """The same room, its positions float64, after all that may be wrong with the places."""
    microphones = np.asarray(room.microphones, dtype=np.float64)
    sources = np.asarray(room.sources, dtype=np.float64)
    check_size(room.size)
    check_inside("Microphone", microphones, room.size)
    check_inside("Source", sources, room.size)
    if sources.shape[1] != n:
        raise OtowakeError(f"There are {n} sounds and {sources.shape[1]} places: give one place a sound.")
    check_apart(sources, microphones)
    return replace(room, microphones=microphones, sources=sources)


def _walls(room: Room) -> _Walls:
    """Sabine's formula turned round: the walls that give this reverberation time."""
    if not (math.isfinite(room.rt60) and room.rt60 >= 0):
        raise OtowakeError(f"The reverberation time is {room.rt60} s: give 0 or more, for example 0.2.")
    if room.rt60 == 0:
        return _Walls(1.0, 0, 0)
    asked = f"An RT60 of {room.rt60:g} s in a room of {sides(room.size)}"
    try:
        absorption, needed = _library().inverse_sabine(room.rt60, list(room.size))
    except ValueError as why:
        raise OtowakeError(f"{asked} is too short for any walls: ask for more or shrink the room.") from why
    if needed > FARTHEST_ORDER:
        raise OtowakeError(f"{asked} takes {needed} reflections in a row: ask for less or enlarge the room.")
    return _Walls(float(absorption), min(needed, MOST_REFLECTIONS), needed)


def _check_arrival(dry: Float[np.ndarray, "n samples"], room: Room, hz: int) -> None:
    """Sound needs time: what begins too late is still on its way to microphone 1 when the scene ends."""
    path = np.linalg.norm(room.sources - room.microphones[:, :1], axis=0)
    arrival = (dry != 0).argmax(-1) + _latency() + path / _library().constants.get("c") * hz
    if (arrival >= dry.shape[1]).any():
        n = int(arrival.argmax()) + 1
        raise OtowakeError(f"Nothing of source {n} reaches microphone 1 before the end: give a longer sound.")


def _latency() -> int:
    """Samples by which the library's interpolation filter delays every response."""
    return int(_library().constants.get("frac_delay_length")) // 2


def _responses(room: Room, walls: _Walls, hz: int) -> list[list[Response]]:
    """responses[n][m]: (taps,), the library's latency in front."""
    pra = _library()
    material = pra.Material(walls.absorption)
    box = pra.ShoeBox(list(room.size), fs=hz, materials=material, max_order=walls.order, air_absorption=False)
    for place in room.sources.T:
        box.add_source(place)
    box.add_microphone_array(room.microphones)
    box.compute_rir()
    return [[np.asarray(heard[n]) for heard in box.rir] for n in range(room.sources.shape[1])]


def _play(source: Signal, responses: list[Response]) -> Signals:
    from scipy.signal import fftconvolve  # comes with pyroomacoustics

    return np.stack([fftconvolve(source, response)[: len(source)] for response in responses])


def _gains(heard: Float[np.ndarray, "n samples"], balance: tuple[float, ...] | None) -> Float[np.ndarray, "n"]:
    """From what microphone 1 hears of each source to the powers that the balance asks for."""
    power = (heard**2).mean(-1)
    if balance is None:
        return np.ones(len(heard))
    level = np.asarray(balance or [0.0] * len(heard), dtype=np.float64)
    if level.shape != power.shape or not np.isfinite(level).all():
        raise OtowakeError(f"The balance is {balance} for {len(heard)} sources: give each a level in dB.")
    return np.sqrt(10 ** (level / 10) / power)


def _sensor_noise(clean: Signals, room: Room) -> Signals:
    if room.snr_db is None:
        return np.zeros_like(clean)
    if not math.isfinite(room.snr_db):
        raise OtowakeError(f"The signal-to-noise ratio is {room.snr_db} dB: give a finite one, or none at all.")
    noise = np.random.default_rng(room.seed).standard_normal(clean.shape)
    return noise * np.sqrt((clean**2).mean() / (noise**2).mean() / 10 ** (room.snr_db / 10))


def _describe(room: Room, walls: _Walls, hz: int, response: Response) -> dict[str, Any]:
    pra = _library()
    decay = float(pra.experimental.measure_rt60(response, hz, decay_db=30)) if room.rt60 else 0.0
    centre = room.microphones.mean(1, keepdims=True)
    return {
        "room_m": [float(side) for side in room.size],
        "microphones_m": np.round(room.microphones.T, 6).tolist(),
        "sources_m": np.round(room.sources.T, 6).tolist(),
        "azimuths_deg": np.round(azimuths(room.sources, room.microphones), 3).tolist(),
        "distances_m": np.round(np.linalg.norm(room.sources - centre, axis=0), 4).tolist(),
        "rate_hz": hz,
        "rt60_s": float(room.rt60),
        "rt60_measured_s": round(decay, 4),  # of source 1 at microphone 1, from its decay of -5 to -35 dB
        "absorption": round(walls.absorption, 6),
        "reflections": walls.order,
        "reflections_needed": walls.order_needed,
        "latency_samples": _latency(),
        "sound_speed_m_s": float(pra.constants.get("c")),
        "snr_db": room.snr_db,
        "balance_db": None if room.balance is None else list(room.balance),
        "seed": room.seed,
    }
