# SPDX-License-Identifier: MIT
# test_resume.py: transfers with --resume whose sides are killed -9 at any time and started again: the
# receiver's file ends whole, or the tool names the bytes that are missing.
#
#     python3 tests/process/test_resume.py TOOL [--minutes N] [--seed N]     pairs are killed for N minutes
import os
import random
import signal
import subprocess
import sys
import threading
import time

from harness import (EXIT_BUSY, EXIT_DISAGREE, EXIT_FAILED, EXIT_PEER_DIED, EXIT_PEER_ENDED, EXIT_TIMEOUT, EXIT_USAGE,
                     PATIENCE_S, contains, equal, file_of, finish, folder, joined, left_in_shm, main, new_name, pushed,
                     run, sha256_of_file, start, until)

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else random.SystemRandom().randrange(1 << 32)
MINUTES = float(sys.argv[sys.argv.index("--minutes") + 1]) if "--minutes" in sys.argv else 0.1
BLOCK = 65536


def numbered(size):
    """Content in which each 8 bytes tell their place."""
    return b"".join(i.to_bytes(8, "little") for i in range(size // 8))


def new_target():
    return os.path.join(folder, new_name() + ".target")


def size_of(path):
    return os.stat(path).st_size if os.path.exists(path) else 0


def content_of(path):
    with open(path, "rb") as file:
        return file.read()


# ---- Killing pairs ---------------------------------------------------------------------------

class Pair:
    """A sender and a receiver of one file, killed again and again."""

    def __init__(self, seed, by_pipe):
        self.random = random.Random(seed)
        self.by_pipe = by_pipe
        self.kills = self.rounds = self.resumed = self.alone = 0
        self.error = None

    def begin(self, side):
        """Its pipeline from the start, if it reads a pipe: that is how such a sender is started again."""
        capacity = self.random.choice(["4K", "64K", "300000", "4M"])
        arguments = [side, "--resume", "--capacity", capacity, self.name]
        if side == "recv":
            self.running[side] = start(*arguments, self.target)
            self.resumed += size_of(self.target) > 0
        elif self.by_pipe:
            cat = subprocess.Popen(["cat", self.source], stdout=subprocess.PIPE)
            self.cats.append(cat)
            self.running[side] = start(*arguments, stdin=cat.stdout)
            cat.stdout.close()
        else:
            self.running[side] = start(*arguments, self.source)

    def kill(self, side):
        process = self.running[side]
        if process.poll() is None:
            process.kill()
            self.kills += 1

    def collect(self, side):
        """Take leave of a process that ended: by our kill, or with success. Whether it was success."""
        code, _, err = finish(self.running[side])
        if code not in (0, -signal.SIGKILL):
            raise AssertionError(f"{side} ended with {code}: {err}")
        return code == 0

    def round(self, size, most_kills):
        self.name, self.target, self.cats = new_name(), new_target(), []
        self.source = file_of(self.random.randbytes(size))
        self.running, done = {}, set()
        for side in ("send", "recv"):
            self.begin(side)
        before, end, lonely_s = self.kills, time.monotonic() + PATIENCE_S, None
        while done != {"send", "recv"}:
            if time.monotonic() > end:
                raise AssertionError(f"no end of {self.name}: {size_of(self.target)} of {size} bytes, ended: {done}, "
                                     f"{run('doctor', self.name)}")
            time.sleep(self.random.uniform(0, 0.03))
            if self.kills - before < most_kills:
                for side in self.random.choice([("send",), ("recv",), ("send", "recv"), ("recv", "send")]):
                    self.kill(side)
            # one was killed as it ended, and the other one knew already: as told in the help, it is started again
            lonely_s = (lonely_s or time.monotonic()) if len(done) == 1 else None
            if lonely_s and time.monotonic() - lonely_s > 3:
                self.alone += 1
                self.begin(done.pop())
            if self.random.random() < 0.5:
                time.sleep(self.random.uniform(0, 0.02))
            for side in ("send", "recv"):
                if side in done or self.running[side].poll() is None:
                    continue
                if self.collect(side):
                    done.add(side)
                    # whoever says so first: it is whole
                    equal(sha256_of_file(self.target), sha256_of_file(self.source), f"{self.name} after {side}")
                else:
                    # a peer that had ended well does not come again by itself: both are started again
                    self.begin(side)
                    for other in list(done):
                        done.discard(other)
                        self.begin(other)
        equal(left_in_shm(self.name), [])
        for cat in self.cats:
            cat.wait(timeout=PATIENCE_S)
        os.unlink(self.source)
        os.unlink(self.target)
        self.rounds += 1

    def work(self, until_s):
        try:
            while time.monotonic() < until_s or not self.rounds:
                self.round(self.random.choice([0, 1, 65536, 3000001, 20000000, 60000000]),
                           self.random.choice([3, 10, 20]))
        except Exception as error:   # told by the main thread
            self.error = error


def pairs_that_are_killed_end_with_whole_files():
    pairs = [Pair(SEED, False), Pair(SEED + 1, True)]
    until_s = time.monotonic() + MINUTES * 60
    threads = [threading.Thread(target=pair.work, args=(until_s,)) for pair in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pair in pairs:
        print(f"# {'pipe' if pair.by_pipe else 'file'}: {pair.rounds} transfers, {pair.kills} kills, "
              f"{pair.resumed} resumed files, {pair.alone} left alone (--seed {SEED})", flush=True)
    for pair in pairs:
        if pair.error:
            raise pair.error
        equal(pair.kills > 0 and pair.rounds > 0, True, "kills and rounds")


# ---- One death at a time -------------------------------------------------------------------------

def piped(content, target, *options):
    """A transfer out of a pipe, when all of the content has come: its name, both sides and the pipe's open end."""
    name = new_name()
    read_end, write_end = os.pipe()
    sender = start("send", "--resume", *options, name, stdin=read_end)
    os.close(read_end)
    joined(name, "send")   # whoever comes first decides on the capacity
    receiver = start("recv", "--resume", name, target)
    with open(write_end, "wb", closefd=False) as file:
        file.write(content)
    until(lambda: size_of(target) == len(content), "all that was written into the pipe")
    return name, sender, receiver, write_end


def part_of(content, target, by):
    """A transfer in which `by` is killed when some bytes have come; the other side, which lives."""
    name, sender, receiver, pipe = piped(content, target)
    victim, other = (sender, receiver) if by == "send" else (receiver, sender)
    victim.kill()
    victim.wait()
    return name, other, pipe


def pipe_of_a_living_sender_loses_nothing():
    content, target = numbered(3000000), new_target()
    name, sender, pipe = part_of(content[:40000], target, "recv")
    # what comes while nobody receives waits in the pipe; what a dead receiver had not written comes again
    for cut in (25000, 40000, 10, 0):
        os.truncate(target, cut)
        receiver = start("recv", "--resume", name, target)
        until(lambda: size_of(target) == 40000, "what the sender kept")
        receiver.kill()
        receiver.wait()
    receiver = start("recv", "--resume", "--sum", name, target)
    with open(pipe, "wb") as file:
        file.write(content[40000:])
    code, _, err = finish(sender)
    equal(code, 0, err)
    contains(err, "the receiver died after")
    contains(err, f"tern recv --resume {name}")
    code, out, err = finish(receiver)
    equal(code, 0, err)
    equal(content_of(target), content)
    contains(out, sha256_of_file(target))


def bytes_that_no_one_has_are_named():
    # a sender that lives keeps what may be in the ring and a block; an older copy of the file lacks more
    target, content = new_target(), numbered(400000)
    name, sender, receiver, pipe = piped(content, target, "--capacity", "4K")
    receiver.kill()
    receiver.wait()
    os.truncate(target, 1000)
    code, _, err = run("recv", "--resume", name, target)
    first_kept = len(content) - 4096 - BLOCK
    equal(code, EXIT_DISAGREE, err)
    contains(err, f"bytes 1000 to {first_kept - 1} are missing")
    code, _, err = finish(sender)
    os.close(pipe)
    equal(code, EXIT_DISAGREE, err)
    contains(err, f"bytes 1000 to {first_kept - 1} are missing")
    equal(content_of(target), content[:1000])


def dead_sender_of_a_pipe_its_source_goes_on_later():
    # who knows where the pipe stands says so: the range that the dead sender took with it is named
    content, target = numbered(200000), new_target()
    name, receiver, pipe = part_of(content[:50000], target, "send")
    os.close(pipe)
    source = file_of(content[80000:])
    with open(source, "rb") as rest:
        cat = subprocess.Popen(["cat"], stdin=rest, stdout=subprocess.PIPE)
    code, _, err = run("send", "--resume", "--offset", "80000", name, stdin=cat.stdout)
    cat.stdout.close()
    equal(code, EXIT_DISAGREE, err)
    contains(err, "bytes 50000 to 79999 are missing")
    code, _, err = finish(receiver)
    equal(code, EXIT_DISAGREE, err)
    contains(err, "bytes 50000 to 79999 are missing")
    equal(content_of(target), content[:50000])
    cat.wait()
    receiver = start("recv", "--resume", name, target)
    code, _, err = run("send", "--resume", "--offset", "80000", name, source)   # the same from a file
    equal(code, EXIT_DISAGREE, err)
    contains(err, "bytes 50000 to 79999 are missing")
    equal(finish(receiver)[0], EXIT_DISAGREE)
    # from there, and from before: the bytes that are there already are skipped
    for offset in (50000, 20000):
        os.truncate(target, 50000)
        tail = file_of(content[offset:])
        receiver = start("recv", "--resume", name, target)
        with open(tail, "rb") as file:
            cat = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        code, _, err = run("send", "--resume", "--offset", str(offset), name, stdin=cat.stdout)
        cat.stdout.close()
        cat.wait()
        equal(code, 0, err)
        equal(finish(receiver)[0], 0)
        equal(content_of(target), content)
        os.truncate(target, 60000)
        receiver = start("recv", "--resume", name, target)
        equal(run("send", "--resume", "--offset", str(offset), name, tail)[0], 0)
        equal(finish(receiver)[0], 0)
        equal(content_of(target), content)


def pipe_that_a_dead_sender_has_read_from_is_not_taken_for_its_start():
    content, target = numbered(300000), new_target()
    name, read_end_target = new_name(), target
    read_end, write_end = os.pipe()
    sender = start("send", "--resume", name, stdin=read_end)
    receiver = start("recv", "--resume", name, read_end_target)
    os.write(write_end, content[:50000])
    until(lambda: size_of(target) == 50000, "the first part")
    sender.kill()
    sender.wait()
    writer = threading.Thread(target=lambda: [os.write(write_end, content[50000:]), os.close(write_end)])
    writer.start()
    code, _, err = run("send", "--resume", name, stdin=read_end)   # the same pipe, somewhere in the middle
    os.close(read_end)
    writer.join()
    equal(code, EXIT_DISAGREE, err)
    contains(err, "the receiver has 50000 bytes")
    equal(finish(receiver)[0], EXIT_DISAGREE)
    equal(content_of(target), content[:50000])


def file_of_something_else_is_not_continued():
    source, name = file_of(numbered(100000)), new_name()
    for other in (b"x" * 5000, numbered(90000)[:-1] + b"?", numbered(200000)):
        target = file_of(other)
        sender = start("send", "--resume", name, source)
        code, _, err = run("recv", "--resume", name, target)
        equal(code, EXIT_DISAGREE, err)
        contains(err, "is not the beginning of what the sender sends")
        code, _, err = finish(sender)
        equal(code, EXIT_DISAGREE, err)
        contains(err, f"the receiver has {len(other)} bytes")
        equal(content_of(target), other)


def waits_that_end_say_what_is_missing():
    target = new_target()
    name, receiver, pipe = part_of(numbered(8000), target, "send")
    os.close(pipe)
    receiver.terminate()
    code, _, err = finish(receiver)
    equal(code, 128 + signal.SIGTERM, err)
    contains(err, "has 8000 bytes; from byte 8000 on all is missing")
    code, _, err = run("recv", "--resume", "--timeout", "0.1", name, target)
    equal(code, EXIT_TIMEOUT, err)
    contains(err, "has 8000 bytes; from byte 8000 on all is missing")


def sides_without_resume_are_told_apart():
    source, name = file_of(numbered(10000)), new_name()
    target = file_of(numbered(10000)[:4000])
    receiver = start("recv", "--resume", name, target)
    code, _, err = run("send", name, source)
    equal(code, EXIT_FAILED, err)
    contains(err, "start 'tern send --resume'")
    code, _, err = finish(receiver)
    equal(code, EXIT_PEER_ENDED, err)
    contains(err, "was started without --resume")
    equal(size_of(target), 4000)
    # a plain receiver begins anew, as ever
    sender = start("send", "--resume", name, source)
    equal(run("recv", name, target)[0], 0)
    equal(finish(sender)[0], 0)
    equal(sha256_of_file(target), sha256_of_file(source))
    # a plain side is told of a death as ever
    sender = start("send", name, stdin=subprocess.PIPE)
    receiver = start("recv", "--resume", name, new_target())
    joined(name, "recv")
    joined(name, "send")
    receiver.kill()
    sender.wait(timeout=PATIENCE_S)
    equal(finish(sender)[0], EXIT_PEER_DIED)


def complete_file_is_confirmed_again():
    source, target, name = file_of(numbered(1000000)), new_target(), new_name()
    for _ in range(2):
        receiver = start("recv", "--resume", "--json", name, target)
        code, out, err = run("send", "--resume", "--sum", name, source)
        equal(code, 0, err)
        contains(out, sha256_of_file(source))
        code, out, err = finish(receiver)
        equal(code, 0, err)
    contains(out, '"resumed_at": 1000000')


def receiver_waits_for_a_sender_that_died_before_it_knew():
    content, target = numbered(30000), new_target()
    name, sender, receiver, pipe = piped(content, target)
    receiver.send_signal(signal.SIGSTOP)
    os.close(pipe)
    until(lambda: pushed(name, "end") == 2, "the sender's last note")
    sender.kill()
    sender.wait()
    receiver.send_signal(signal.SIGCONT)
    code, _, err = run("send", "--resume", name, file_of(content))
    equal(code, 0, err)
    code, _, err = finish(receiver)
    equal(code, 0, err)
    contains(err, "is complete, and the sender died before it knew")
    equal(content_of(target), content)


def receivers_of_one_file_are_refused():
    target, name, other = new_target(), new_name(), new_name()
    receiver = start("recv", "--resume", name, target)
    joined(name, "recv")
    code, _, err = run("recv", "--resume", other, target)
    equal(code, EXIT_BUSY, err)
    contains(err, "another receiver writes it")
    code, _, err = run("recv", "--resume", name, new_target())
    equal(code, EXIT_BUSY, err)
    receiver.terminate()
    finish(receiver)


def wrong_use_of_resume():
    for arguments, message in [(["recv", "--resume", "x"], "needs a FILE"),
                               (["send", "--offset", "5", "x"], "goes with"),
                               (["recv", "--offset", "5", "x", "y"], "goes with"),
                               (["send", "--resume", "--sum", "--offset", "5", "x"], "not with --sum")]:
        code, _, err = run(*arguments)
        equal(code, EXIT_USAGE, err)
        contains(err, message)
    code, _, err = run("recv", "--resume", new_name(), "/dev/null")
    equal(code, EXIT_FAILED, err)
    contains(err, "no regular file")


main([pairs_that_are_killed_end_with_whole_files, pipe_of_a_living_sender_loses_nothing,
      bytes_that_no_one_has_are_named,
      dead_sender_of_a_pipe_its_source_goes_on_later, pipe_that_a_dead_sender_has_read_from_is_not_taken_for_its_start,
      file_of_something_else_is_not_continued, waits_that_end_say_what_is_missing, sides_without_resume_are_told_apart,
      complete_file_is_confirmed_again,
      receiver_waits_for_a_sender_that_died_before_it_knew, receivers_of_one_file_are_refused, wrong_use_of_resume])
