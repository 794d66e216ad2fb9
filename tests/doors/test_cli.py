"""The command as people and scripts meet it: its files add up, its endings are words, it leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from kit import (
    QUICK,
    RATE,
    command,
    integers,
    left_over,
    line,
    mixture,
    parts,
    quickly,
    recording,
    refused,
    refuses,
    started,
    stopped,
)  # fmt: skip

COMMANDS = (
    "separate", "learn", "extract", "parts", "extend", "transcribe", "notes", "evaluate", "simulate", "methods",
)  # fmt: skip
HEAVY = ("torch", "numpy", "scipy", "matplotlib", "soundfile", "numba", "rich.progress")

posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits are those of POSIX")


@pytest.fixture
def mix(tmp_path):
    return recording(tmp_path / "mix.wav")


# ---- the front door ---------------------------------------------------------------------------------------


def test_the_front_door_opens_without_heavy_libraries():
    program = f"import otowake.cli.main, sys; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(capsys, name):
    code, out, err = quickly(capsys, name, "--help")
    assert code == 0
    assert not err
    assert out.startswith(f"Usage: otowake {name}")


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_without_words_the_commands_are_listed(capsys, words):
    code, out, _ = quickly(capsys, *words)
    assert code == 0
    assert all(name in out for name in COMMANDS)


def test_the_version(capsys):
    code, out, _ = quickly(capsys, "--version")
    assert code == 0
    assert out.startswith("otowake")


@pytest.mark.parametrize(
    "words",
    [
        ("nosuch",), ("separate",), ("separate", "x.wav", "--nosuch"), ("methods", "nosuch"),
        ("separate", "x.wav", "--sources", "two"), ("separate", "x.wav", "--sources", "0"),
        ("separate", "x.wav", "--images", "some"),
    ],
)  # fmt: skip
def test_a_slip_of_the_hand_gets_one_sentence(capsys, words):
    assert refused(quickly(capsys, *words))


def test_methods_are_listed_and_described(capsys):
    from otowake.recipes import RECIPES

    code, out, _ = quickly(capsys, "methods", "--json")
    assert code == 0
    assert [one["name"] for one in json.loads(out)] == list(RECIPES)
    for name in RECIPES:
        code, out, _ = quickly(capsys, "methods", name)
        assert code == 0
        assert "Source:" in out
        assert f"--method {name}" in out
    code, out, _ = quickly(capsys, "methods", "ilrma", "--json")
    assert {"name", "summary", "good_for", "parameters", "citation", "example"} <= set(json.loads(out))


# ---- what is written --------------------------------------------------------------------------------------


def test_names_and_quiet_in_a_pipe(mix):
    done = command("separate", mix, *QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    folder = mix.with_name("mix-separated")
    names = ["source1.wav", "source2.wav", "spectrogram.png", "cost.png", "separation.json"]
    assert done.stdout.splitlines() == [str(folder / f"mix-{name}") for name in names]
    assert sorted(os.listdir(folder)) == sorted(f"mix-{name}" for name in names)


def test_masks_are_drawn_beside_the_sounds(mix, capsys):
    for options, there in (([], True), (["--no-plots"], False)):
        folder = mix.parent / f"masks{there}"
        code, out, err = quickly(
            capsys, "separate", mix, "-o", folder, "--method", "cacgmm", "--iterations", 5, *options
        )
        assert code == 0, err
        assert (folder / "mix-masks.png").exists() == there
        assert ("mix-masks.png" in out) == there


def test_json_is_the_report_and_nothing_else(mix, capsys):
    code, out, err = quickly(capsys, "separate", mix, *QUICK, "--json")
    assert code == 0
    assert not err
    report = json.loads(out)
    assert json.loads((mix.parent / "mix-separated" / "mix-separation.json").read_text()) == report
    assert {"inputs", "files", "method", "why", "settings", "costs", "converged", "notes", "versions"} <= set(report)
    assert len(report["costs"]) == 6


@pytest.mark.parametrize(
    ("name", "subtype", "bits"),
    [("mix.wav", "PCM_16", 16), ("mix.flac", "PCM_24", 24), ("mix.aiff", "PCM_16", 16)],
)
def test_the_parts_of_integers_add_up_exactly(tmp_path, capsys, name, subtype, bits):
    source = recording(tmp_path / name, subtype=subtype)
    code, _, err = quickly(capsys, "separate", source, *QUICK, "--no-plots")
    assert code == 0, err
    files = sorted((tmp_path / "mix-separated").glob(f"mix-*{source.suffix}"))
    assert len(files) >= 2
    assert {soundfile.info(file).subtype for file in files} == {subtype}
    total = sum(integers(file, bits)[0] for file in files)
    np.testing.assert_array_equal(total, integers(source, bits)[0])


def test_the_parts_of_floats_add_up(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", subtype="FLOAT")
    assert quickly(capsys, "separate", source, *QUICK, "--no-plots")[0] == 0
    x = soundfile.read(source)[0][:, 0]
    left = x - sum(part[0] for part in parts(tmp_path / "mix-separated").values())
    assert 10 * np.log10(np.sum(left**2) / np.sum(x**2)) <= -120


def test_images_at_all_microphones(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav")
    assert quickly(capsys, "separate", source, *QUICK, "--images", "all")[0] == 0
    files = sorted((tmp_path / "mix-separated").glob("mix-*.wav"))
    np.testing.assert_array_equal(sum(integers(file, 16) for file in files), integers(source, 16))


def test_stacked_files_are_one_recording(tmp_path, capsys):
    x = mixture(3)
    files = [recording(tmp_path / f"mic{i + 1}.wav", x[i]) for i in range(3)]
    code, _, err = quickly(capsys, "separate", *files, "--stack", *QUICK, "-o", tmp_path / "out", "--no-plots")
    assert code == 0, err
    written = parts(tmp_path / "out", "mic1")
    assert list(written) == [f"mic1-source{i}.wav" for i in (1, 2, 3)]
    np.testing.assert_allclose(sum(written.values())[0], soundfile.read(files[0])[0], atol=1e-12)


def test_fewer_sources_leave_a_rest(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", mixture(3, sources=2))
    words = ("--method", "overiva", "--sources", "2", "-o", tmp_path / "out")
    code, _, err = quickly(capsys, "separate", source, *QUICK, *words)
    assert code == 0, err
    files = sorted((tmp_path / "out").glob("mix-*.wav"))
    assert [file.name for file in files] == ["mix-rest.wav", "mix-source1.wav", "mix-source2.wav"]
    np.testing.assert_array_equal(sum(integers(f, 16)[0] for f in files), integers(source, 16)[0])


def test_several_files_and_one_that_fails(tmp_path, capsys):
    good = [recording(tmp_path / f"{name}.wav") for name in "ab"]
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    code, out, err = quickly(capsys, "separate", good[0], bad, good[1], *QUICK, "--no-plots")
    assert code == 2
    assert "1 of 3" in err
    assert "bad.wav" in err
    assert len(out.splitlines()) == 6
    assert parts(tmp_path / "a-separated", "a")
    assert parts(tmp_path / "b-separated", "b")


def test_a_lossy_recording_becomes_float_wav(tmp_path, capsys):
    source = recording(tmp_path / "mix.ogg", subtype="VORBIS")
    code, out, err = quickly(capsys, "separate", source, *QUICK, "--no-plots", "--json")
    assert code == 0, err
    assert json.loads(out)["sample_format"] == "FLOAT"
    assert "lossy" in " ".join(json.loads(out)["notes"])
    assert all(name.endswith(".wav") for name in parts(tmp_path / "mix-separated"))


def test_the_same_seed_gives_the_same_bytes(mix, tmp_path, capsys):
    for folder in ("one", "two"):
        assert quickly(capsys, "separate", mix, *QUICK, "-o", tmp_path / folder, "--no-plots")[0] == 0
    for name in parts(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


# ---- rounding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("shape", [(2, 70_000), (5, 3, 1000)])
def test_rounded_parts_add_up_and_are_off_by_one_step_at_most(bits, shape):
    from otowake.cli.forms import whole_steps

    rng = np.random.default_rng(bits)
    step = 2.0 ** (1 - bits)
    x = np.rint(rng.uniform(-1, 1, shape[1:]) / step) * step
    s = rng.standard_normal(shape) * 0.1
    s[0, ..., 0] = 0.0
    s[-1] = x - s[:-1].sum(axis=0)
    q = np.stack([*whole_steps(s, x, bits)])
    np.testing.assert_array_equal(q.sum(axis=0), x)
    np.testing.assert_array_equal(q, np.rint(q / step) * step)
    assert np.abs(q - s).max() <= step * (1 + 1e-6)
    assert not q[0, ..., 0].any()


def test_parts_that_would_clip_are_kept_in_floats(tmp_path):
    from otowake.cli.forms import forms, write_parts
    from otowake.signal.audio import Recording

    x = np.array([[0.5, -0.25, 0.0]])
    s = np.array([[0.5, 0.0, 0.0], [1.2, 0.0, 0.0], [-1.2, -0.25, 0.0]])
    seen = {}
    choices = forms(s.shape, Recording(x, RATE, ("mix",), "PCM_16", "FLAC"), "mix.flac")
    files, form = write_parts(tmp_path, ["a", "b", "c"], s, x[0], RATE, choices, seen.__setitem__)
    assert sorted(path.name for path in tmp_path.iterdir()) == files == ["a.wav", "b.wav", "c.wav"]
    np.testing.assert_allclose([soundfile.read(tmp_path / file)[0] for file in files], s, atol=1e-7)
    np.testing.assert_array_equal([seen[n] for n in range(3)], s)
    assert (form.suffix, form.subtype) == (".wav", "FLOAT")
    assert "PCM_16" in form.note


# ---- bad wishes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("--method", "nosuch"), ("--set", "bases=4"), ("--method", "ilrma", "--set", "nosuch=4"),
        ("--method", "ilrma", "--set", "bases=many"), ("--method", "ilrma", "--set", "bases"),
        ("--stft", "512"), ("--stft", "512/500"), ("--stft", "0/0"), ("--sources", "3", "--method", "ilrma"),
    ],
)  # fmt: skip
def test_a_wish_that_cannot_be_granted(mix, tmp_path, capsys, words):
    assert refused(quickly(capsys, "separate", mix, *words, "-o", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_one_channel_needs_a_method_for_it(tmp_path, capsys):
    source = recording(tmp_path / "mix.wav", mixture(1))
    refuses(capsys, tmp_path, ("separate", source), "--method")


def test_a_folder_that_is_a_file(mix, capsys):
    assert refused(quickly(capsys, "separate", mix, "-o", mix))
    assert refused(quickly(capsys, "separate", mix, "-o", mix / "below"))


def test_inputs_are_never_replaced(tmp_path, capsys):
    first, second = (recording(tmp_path / name) for name in ("mix.wav", "mix-source1.wav"))
    before = second.read_bytes()
    assert refused(quickly(capsys, "separate", first, second, *QUICK, "-o", tmp_path))
    assert second.read_bytes() == before


def test_two_recordings_of_one_name_need_two_folders(tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    files = [recording(tmp_path / "mix.wav"), recording(tmp_path / "deep" / "mix.wav")]
    assert refused(quickly(capsys, "separate", *files, "-o", tmp_path / "out"))


def test_old_files_are_replaced_together_or_kept_together(mix, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("mix-source1.wav", "other.txt"):
        (out / name).write_text("old")
    (out / "mix-separation.json").mkdir()
    assert refused(quickly(capsys, "separate", mix, *QUICK, "-o", out, "--no-plots"))
    assert (out / "mix-source1.wav").read_text() == "old"
    assert sorted(os.listdir(out)) == ["mix-separation.json", "mix-source1.wav", "other.txt"]
    (out / "mix-separation.json").rmdir()
    assert quickly(capsys, "separate", mix, *QUICK, "-o", out, "--no-plots")[0] == 0
    assert len(parts(out)) == 2
    assert (out / "other.txt").read_text() == "old"


# ---- bad days ---------------------------------------------------------------------------------------------


def test_a_bug_is_one_sentence_and_a_traceback_on_request(mix, capsys, monkeypatch):
    import otowake.tasks.separate

    def broken(*_, **__):
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(otowake.tasks.separate, "separate", broken)
    code, out, err = quickly(capsys, "separate", mix)
    assert (code, out) == (1, "")
    assert "bug" in err
    assert "Traceback" not in err
    code, _, err = quickly(capsys, "separate", mix, "-v")
    assert code == 1
    assert "Traceback" in err
    assert not mix.with_name("mix-separated").exists()


def test_a_disk_that_is_full_elsewhere_is_no_bug(mix, capsys, monkeypatch):
    import otowake.tasks.separate

    def full(*_, **__):
        raise OSError(28, "No space left on device", "/some/cache")

    monkeypatch.setattr(otowake.tasks.separate, "separate", full)
    refuses(capsys, mix.parent, ("separate", mix), "/some/cache")


def test_too_little_memory_is_said(mix, capsys, monkeypatch):
    import otowake.tasks.separate

    def greedy(*_, **__):
        raise MemoryError

    monkeypatch.setattr(otowake.tasks.separate, "separate", greedy)
    refuses(capsys, mix.parent, ("separate", mix), "memory")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle(mix, tmp_path, number):
    words = ("separate", mix, "--iterations", "1000000", "--stft", "512/128", "-v", "-o", tmp_path / "out")
    end = stopped(*words, once="1 of", number=number)
    assert end.seconds < 1.5
    assert end.code == 130
    assert not end.out
    assert end.err.endswith("otowake: stopped, nothing was written.\n")
    assert os.listdir(tmp_path) == ["mix.wav"]
    assert not left_over(tmp_path)


@posix
def test_stopped_before_it_began(mix, tmp_path):
    with started("separate", mix) as process:
        time.sleep(0.4)  # the libraries are still being imported
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode != 0
    assert os.listdir(tmp_path) == ["mix.wav"]


@posix
def test_a_reader_that_leaves_early():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(line("methods"), stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert done.stderr == ""
