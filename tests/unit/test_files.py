"""Files are written whole or not at all, whoever else writes, whatever ends the process."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time

import pytest

from ddspvae.signals.files import clear_leftovers, new_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and locks of POSIX")


def test_the_file_gets_its_name_at_the_end_or_nothing_is_left(tmp_path):
    path = tmp_path / "a.txt"
    with new_file(path) as part:
        part.write_text("new")
        assert not path.exists() and part.parent == tmp_path and part.suffix == ".txt"
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]
    with pytest.raises(KeyboardInterrupt), new_file(path) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["a.txt"]


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with new_file(path) as one, new_file(path) as other:
        assert one != other
        one.write_text("one" * 1000)
        other.write_text("other" * 1000)
    assert path.read_text() == "one" * 1000  # whoever ends last
    assert os.listdir(tmp_path) == ["a.txt"]


@posix
def test_a_file_of_a_like_name_is_somebody_elses(tmp_path):
    (tmp_path / "a.txt.part").write_text("mine")
    os.symlink(tmp_path / "victim", tmp_path / ".a.txt.0000000000000000.part.txt")
    with new_file(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert (tmp_path / "a.txt.part").read_text() == "mine" and not (tmp_path / "victim").exists()


@posix
def test_a_link_stays_one_and_keeps_the_mode(tmp_path):
    real = tmp_path / "real.txt"
    real.write_text("old")
    real.chmod(0o640)
    (tmp_path / "link.txt").symlink_to(real)
    with new_file(tmp_path / "link.txt") as part:
        part.write_text("new")
    assert (tmp_path / "link.txt").is_symlink() and real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


@posix
def test_a_pipe_gets_the_bytes(tmp_path):
    pipe, got = tmp_path / "pipe.txt", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    with new_file(pipe) as part:
        part.write_text("new")
    reader.join(5)
    assert got == [b"new"] and stat.S_ISFIFO(pipe.stat().st_mode)


@posix
def test_what_a_kill_leaves_is_cleared_by_a_later_writer_and_what_lives_is_not(tmp_path):
    code = ("import sys, time\nfrom ddspvae.signals.files import new_file\n"
            "with new_file(sys.argv[1]) as part:\n"
            "    part.write_text('half')\n    print(part, flush=True)\n    time.sleep(60)\n")
    writer = subprocess.Popen([sys.executable, "-c", code, tmp_path / "a.txt"], stdout=subprocess.PIPE, text=True)
    left = writer.stdout.readline().strip()
    clear_leftovers(tmp_path / "a.txt")
    assert os.path.exists(left)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert os.path.exists(left)
    os.utime(left, (time.time() - 5, time.time() - 5))  # a young one may be about to be locked
    clear_leftovers(tmp_path / "b.txt")
    assert os.path.exists(left)  # of another file
    with new_file(tmp_path / "a.txt") as part:
        part.write_text("new")
    assert os.listdir(tmp_path) == ["a.txt"]


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_command_that_is_asked_to_end_leaves_nothing(tmp_path, root, number):
    melody = root / "examples" / "melody.mid"
    command = subprocess.Popen([sys.executable, "-m", "ddspvae", "render", melody, "--preset", "violin", "--out",
                                tmp_path / "a.wav"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(3.5)
    command.send_signal(number)
    assert command.wait(60) in (128 + number, -number, 0)  # before it listened, in time, or done already
    assert os.listdir(tmp_path) in ([], ["a.wav"])


def test_a_full_disk_is_one_sentence(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    (tmp_path / "a.wav").symlink_to("/dev/full")
    from ddspvae import InputError, write_audio

    with pytest.raises(InputError, match="cannot write .*No space left"):
        write_audio(tmp_path / "a.wav", __import__("numpy").zeros(100_000, "float32"), 48_000)
