"""Makes two-talkers.flac and its references from two utterances of LibriSpeech.

    python examples/make_two_talkers.py FOLDER

FOLDER holds the two utterances as FLAC files of 16 kHz; their names end in UTTERANCES below.  The same folder
gives the same files, bit for bit.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from otowake.core.errors import OtowakeError
from otowake.core.files import write_bytes
from otowake.signal.audio import read, write
from otowake.simulate import Room, Scene, around, linear, middle, simulate

RATE, SECONDS = 16000, 10.0
UTTERANCES = {"4297-13006-0000": 3.60, "5678-43301-0000": 2.75}  # from where on, in seconds: hardly any pause
AZIMUTHS = (45.0, 130.0)
SIZE = (6.0, 5.0, 3.0)


def talker(folder: Path, utterance: str, start: float) -> np.ndarray:
    """(samples,) ten seconds of one utterance."""
    found = sorted(folder.rglob(f"*{utterance}.flac"))
    if not found:
        raise OtowakeError(f"There is no {utterance}.flac in {folder}: give the folder of the utterances.")
    recording = read(found[0])
    if recording.rate != RATE:
        raise OtowakeError(f"{found[0]} has {recording.rate} Hz: give the corpus' own files, of {RATE} Hz.")
    first = round(start * RATE)
    return recording.samples[0, first : first + round(SECONDS * RATE)]


def scene(folder: Path) -> Scene:
    centre = middle(SIZE)
    room = Room(linear(2, 0.05, centre), around(centre, AZIMUTHS, 1.5, 0.1), SIZE, rt60=0.2, seed=0)
    return simulate([talker(folder, name, start) for name, start in UTTERANCES.items()], RATE, room)


def save(made: Scene, out: Path) -> None:
    write(out / "two-talkers.flac", made.mixture, RATE, subtype="PCM_16")
    for n, image in enumerate(made.images[:, 0]):
        write(out / f"two-talkers-ref{n + 1}.flac", image, RATE, subtype="PCM_16")
    talkers = [
        {"corpus": "LibriSpeech", "speaker": name.split("-")[0], "utterance": name, "start_s": start}
        for name, start in UTTERANCES.items()
    ]
    report = {"talkers": talkers, "seconds": SECONDS, "geometry": made.geometry}
    write_bytes(out / "two-talkers.json", (json.dumps(report, indent=2) + "\n").encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the example mixture of two talkers.")
    parser.add_argument("folder", type=Path, help="where the LibriSpeech utterances are")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, help="where the files go")
    given = parser.parse_args()
    save(scene(given.folder), given.out)


if __name__ == "__main__":
    main()
