"""Makes the gallery: what the jobs do to real recordings, with pictures, sounds and figures.

A page is a folder: README.md; make.py, whose function `make(out)` writes pictures and sounds into the folder `out` and
gives texts, such as tables; and what it made. A text goes between its marks in the page:

    <!-- figures: NAME -->
    (written here)
    <!-- end -->

    python docs/gallery/gallery.py              every page
    python docs/gallery/gallery.py parts        one
"""

import argparse
import re
import runpy
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

HERE = Path(__file__).resolve().parent
MUSIC = HERE.parents[1] / "examples" / "music"
MARK = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end -->)", re.S)


def pages() -> list[Path]:
    """The folder of each page."""
    return sorted(script.parent for script in HERE.glob("*/make.py"))


def made(page: Path, out: Path) -> dict[str, str]:
    """What the page's script says; its pictures and sounds lie in `out`."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))  # so that it can say `from gallery import sound`
    return runpy.run_path(str(page / "make.py"))["make"](out)


def filled(text: str, figures: Mapping[str, str]) -> str:
    """A page with its figures between its marks; a mark that nothing fills is an error."""
    return MARK.sub(lambda mark: f"{mark[1]}\n{figures[mark[2]].strip()}\n\n{mark[3]}", text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as Markdown, the first of them its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def sound(path: Path, samples: np.ndarray, rate: int) -> None:
    """Samples, (samples,) or (channels, samples), as Ogg Vorbis, which every browser plays."""
    soundfile.write(path, np.asarray(samples, dtype=np.float32).T, rate, format="OGG", subtype="VORBIS")


def smaller(path: Path) -> None:
    """A picture in fewer colours and at most 880 pixels wide: a third of its bytes."""
    picture = Image.open(path).convert("RGB")
    height = round(880 * picture.height / picture.width)
    small = picture.resize((880, height), Image.Resampling.LANCZOS)
    small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the pictures, sounds and figures of the gallery.")
    parser.add_argument("pages", nargs="*", help="folders of docs/gallery; by default all")
    wanted = parser.parse_args().pages
    for page in pages():
        if not wanted or page.name in wanted:
            text = page / "README.md"
            text.write_text(filled(text.read_text("utf-8"), made(page, page)), encoding="utf-8")
            print(page.name)


if __name__ == "__main__":
    main()
