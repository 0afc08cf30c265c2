# SPDX-License-Identifier: MIT
# test_doctor.py: `tern doctor` and `tern top` on live, stopped, dead and damaged regions. Neither writes, whatever
# it finds, but doctor --repair.
import fcntl
import json
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import termios
import time

import harness
from harness import (EXIT_FAILED, EXIT_USAGE, contains, equal, finish, joined, main, new_name, path_of, run, show,
                     start, until)

VICTIM = sys.argv[2]
EXIT_REPAIRABLE = 8
HEADER_BYTES, ENTRY_BYTES, PEER_BYTES, OBJECTS, PEERS = 256, 128, 512, 16, 4
TABLES_END = HEADER_BYTES + OBJECTS * ENTRY_BYTES + PEERS * PEER_BYTES
SEED = random.SystemRandom().randrange(1 << 32)


def victim(name, *work):
    process = subprocess.Popen([VICTIM, name, *work], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    harness.started.append(process)
    equal(process.stdout.readline(), b"ready\n", f"victim {work}")
    return process


def kill(process):
    process.kill()
    process.wait()


def bytes_of(name):
    with open(path_of(name), "rb") as file:
        return file.read()


def put(name, content):
    with open(path_of(name), "wb") as file:
        file.write(content)


def diagnose(name, quiet=True, options=()):
    """(exit code, JSON) of a look that must not write: nobody else does meanwhile if quiet."""
    before = bytes_of(name) if quiet else None
    code, out, err = run("doctor", "--json", *options, name)
    if code not in (0, EXIT_FAILED, EXIT_REPAIRABLE):
        raise AssertionError(f"doctor ends with {code}: {err}")
    if quiet:
        equal(bytes_of(name) == before, True, "bytes are as before")
    report = json.loads(out)
    equal(report["exit_code"], code)
    return code, report


def object_in(report, name):
    return next(o for o in report["objects"] if o["name"] == name)


def dead_image():
    """A region of which everybody died, with something of everything in it."""
    name = new_name()
    kill(victim(name, "make", "fill", "pins", "claim"))
    content = bytes_of(name)
    run("rm", name)
    return content


def place_of(content, name):
    for entry in range(HEADER_BYTES, HEADER_BYTES + OBJECTS * ENTRY_BYTES, ENTRY_BYTES):
        if content[entry + 32:entry + 64].rstrip(b"\0") == name.encode():
            return struct.unpack_from("<Q", content, entry + 16)[0]
    raise AssertionError(f"no object {name}")


# ---- doctor ---------------------------------------------------------------------------------

def live_region_is_sound():
    name = new_name()
    process = victim(name, "make", "fill", "pins")
    code, report = diagnose(name)
    equal((code, report["verdict"], report["wrong"]), (0, "sound", []))
    peer, = report["peers"]
    equal((peer["peer"], peer["alive"], peer["process"], peer["program"]), (1, True, process.pid, "doctor_victim"))
    equal(abs(peer["attached_ns"] / 1e9 - time.time()) < 3600, True, "since when")
    equal(peer["holding"], [{"pool": "pool", "pins": 6, "slots": 0}])
    for ring in ("ring", "sequenced", "stream"):
        equal((object_in(report, ring)["producer"], object_in(report, ring)["consumer"]),
              ({"peer": 1, "dead": False}, {"peer": 0, "dead": False}), ring)
    equal(object_in(report, "triple")["writer"]["peer"], 1)
    equal(object_in(report, "bell")["collector"]["peer"], 1)
    out = run("doctor", name)[1]
    for text in ("1 alive, 0 dead, of 4", f"process {process.pid} doctor_victim", "of 'pool': 6 pinned, 0 on their way",
                 "ring: ring, producer 1, consumer none", "verdict   sound"):
        contains(out, text)
    process.send_signal(signal.SIGSTOP)
    equal(diagnose(name)[0], 0, "stopped is not dead")
    equal(run("doctor", "--repair", name)[0], 0)
    contains(run("doctor", name)[1], "1 alive, 0 dead")
    kill(process)
    run("rm", name)


def paged_objects_are_looked_at_where_they_lie():
    name = new_name()
    process = victim(name, "make", "paged")
    code, report = diagnose(name)
    equal((code, report["verdict"], report["wrong"]), (0, "sound", []))
    objects = json.loads(run("show", "--json", name)[1])["objects"]
    shown = {o["name"]: o for o in objects}
    for ring in ("paged", "paged-sequenced"):
        what = shown[ring]["ring"]
        equal((what["paged"], what["pushed"], what["popped"], what["count"]), (True, 20, 15, 5), ring)
    what = shown["paged-stream"]["stream"]
    equal((what["paged"], what["written_bytes"], what["read_bytes"]), (True, 20 * 16, 15 * 16))
    contains(run("show", name)[1], "16 of 8 bytes, sequenced, paged")
    content = bytearray(bytes_of(name))
    kill(process)
    run("rm", name)
    # the consumer's word is on page 1 and the producer's ends page 0: either is told when it makes no sense
    for word in (4096, 4096 - 128):
        damaged = bytearray(content)
        struct.pack_into("<I", damaged, place_of(content, "paged") + word, 1000 << 1)
        put(name, damaged)
        contains(diagnose(name)[1]["wrong"][0], "ring 'paged' cannot be opened")
    run("rm", name)


def dead_peer_is_told_and_repaired():
    for others in (True, False):   # somebody lives in the region, or nobody
        name = new_name()
        keeper = victim(name, "make")
        dead = victim(name, "open", "fill", "pins", "claim")
        if not others:
            kill(keeper)
        kill(dead)
        code, report = diagnose(name)
        equal((code, report["verdict"]), (EXIT_REPAIRABLE, "repairable"))
        equal([p["alive"] for p in report["peers"]], [others, False])
        equal(object_in(report, "half")["status"], "TERN_ERR_PEER_DEAD")
        equal(object_in(report, "ring")["producer"], {"peer": 2, "dead": True})
        expected = {"why": "TERN_OK", "peers": 1 if others else 2, "roles": 5, "pins": 6, "slots": 0, "names": 1}
        equal(report["repair"], expected)
        out = run("doctor", name)[1]
        contains(out, "6 pins, 5 ends, 1 unfinished name")
        contains(out, f"'tern doctor --repair {name}'")
        contains(out, "half: ring, producer none, consumer none; unfinished: its maker died")
        equal(show(name) is None, True, "an unfinished object is no sound one for show")
        code, report = diagnose(name, False, ["--repair"])
        equal((code, report["verdict"], report["repaired"]), (0, "sound", expected))
        equal(len(report["peers"]), 1 if others else 0)
        equal(object_in(report, "ring")["producer"], {"peer": 0, "dead": True})   # for its successor to learn
        equal(diagnose(name)[0], 0)
        pool = next(o for o in json.loads(run("show", "--json", name)[1])["objects"] if o["name"] == "pool")
        equal(pool["pool"]["live"], 3)
        contains(run("doctor", "--repair", name)[1], "0 dead buried, given back: nothing more")
        run("rm", name)
        if others:
            kill(keeper)


def counted_pins_of_the_dead_are_told():
    name = new_name()
    kill(victim(name, "make", "many"))
    code, report = diagnose(name)
    equal(code, EXIT_FAILED)
    equal(report["wrong"], ["pool 'pool': slot 0 is kept by 11 pins of nobody (a peer had more than 48 pins in hand)"])
    code, report = diagnose(name, False, ["--repair"])
    equal((code, report["repaired"]["pins"], len(report["wrong"])), (EXIT_FAILED, 48, 1))
    contains(run("doctor", name)[1], "no repair mends that")
    run("rm", name)


def regions_at_work_give_no_false_alarm():
    name, other = new_name(), new_name()
    with open("/dev/zero", "rb") as zeros:
        sender = start("send", other, stdin=zeros)
    receiver = start("recv", other, stdout=subprocess.DEVNULL)
    worker = victim(name, "make", "churn")
    joined(other, "recv")
    for _ in range(15):
        for region in (name, other):
            code, report = diagnose(region, False)
            equal((code, report["wrong"]), (0, []))
    kill(worker)
    run("rm", name)
    sender.kill()
    receiver.wait()


def each_word_of_the_tables_changed():
    sound, name, generator = dead_image(), new_name(), random.Random(SEED)
    print(f"# seed {SEED}")
    seen = {}
    pool = place_of(sound, "pool")
    # 7 entries are in use. Of a peer its slot's word, what stands before its holds, and some of them
    peers = HEADER_BYTES + OBJECTS * ENTRY_BYTES
    words = [*range(0, 152, 4), *range(HEADER_BYTES, HEADER_BYTES + 8 * ENTRY_BYTES, 4), *range(peers, peers + 96, 4),
             *range(peers + 96, TABLES_END, 60), *range(pool, pool + 40, 4), pool + 128, pool + 256, pool + 384]
    for offset in words:
        content = bytearray(sound)
        flip = generator.choice([b"\xff\xff\xff\xff", b"\x01\0\0\0", b"\0\0\0\x80", generator.randbytes(4)])
        for i in range(4):
            content[offset + i] ^= flip[i]
        put(name, content)
        code, _ = diagnose(name)
        seen[code] = seen.get(code, 0) + 1
        if offset % 5 == 0:   # and repaired, which may write
            code, _, err = run("doctor", "--repair", name)
            equal(code in (0, EXIT_FAILED, EXIT_REPAIRABLE), True, f"repair, word at {offset}: {code} {err}")
    equal(all(seen.get(code, 0) > 10 for code in (EXIT_FAILED, EXIT_REPAIRABLE)), True, str(seen))
    run("rm", name)


def damage_is_named():
    name = new_name()
    sound = bytearray(dead_image())
    place = {o: place_of(sound, o) for o in ("pool", "ring", "sequenced", "stream", "triple")}
    put(name, sound)
    equal(diagnose(name)[0], EXIT_REPAIRABLE, "the image itself")

    def damaged(offset, form, *values):
        content = bytearray(sound)
        struct.pack_into(form, content, offset, *values)
        put(name, content)
        code, report = diagnose(name)
        equal(code, EXIT_FAILED, f"{values} at {offset}: {report}")
        code, out, _ = run("doctor", name)
        equal(code, EXIT_FAILED)
        contains(out, "no repair mends that")
        return report["wrong"]

    # the pool: five of nine slots were taken, 5 is the first in the list
    head, = struct.unpack_from("<Q", sound, place["pool"] + 128)
    equal((head & 0xffffff, head >> 24), (5, 5), "the head of the free list")
    slot = lambda i: place["pool"] + 512 + i * 64
    link, = struct.unpack_from("<Q", sound, slot(5) + 8)
    equal(damaged(place["pool"] + 128, "<Q", (6 << 24) | (link & 0xffffff)),
          ["pool 'pool': slot 5 is lost: neither listed nor live nor in a hand"])
    equal(damaged(slot(6) + 8, "<Q", 99 << 24 | 7), ["pool 'pool': its free list breaks off after 1 slots"])
    equal(damaged(slot(7), "<Q", 1 << 32 | 1 << 30),
          ["pool 'pool': slot 7 is listed as free and is not (generation 1)"])
    equal(damaged(place["ring"] + 128, "<I", 100 << 1)[0].startswith("ring 'ring' cannot be opened"), True)
    equal(damaged(place["sequenced"] + 384 + 2 * 16 + 12, "<I", 77)[0],
          "ring 'sequenced': its items end in one that makes no sense, after 2")
    equal(damaged(place["stream"] + 384 + 2 * 16, "<I", 0x7fffffff)[0],
          "stream 'stream': its records end in one that makes no sense, after 2")
    equal(damaged(place["triple"] + 128, "<I", 0)[0].startswith("triple buffer 'triple' cannot be opened"), True)
    # the directory: an object laid over another, a link back to the first
    entries = {sound[e + 32:e + 64].rstrip(b"\0").decode(): e
               for e in range(HEADER_BYTES, HEADER_BYTES + OBJECTS * ENTRY_BYTES, ENTRY_BYTES)}
    wrong = damaged(entries["stream"] + 16, "<Q", place["ring"])
    equal(any("overlap" in text for text in wrong), True, str(wrong))
    wrong = damaged(entries["bell"], "<I", 1)
    equal(any("the directory does not end" in text for text in wrong), True, str(wrong))
    wrong = damaged(136, "<Q", 1 << 60)
    equal(any("more than it has" in text for text in wrong), True, str(wrong))
    run("rm", name)


def what_is_no_region_is_not_written_to():
    name = new_name()
    code, _, err = run("doctor", name)
    equal(code, EXIT_FAILED)
    for content in (b"", b"x" * 5000, dead_image()[:3000], bytes(8192)):
        put(name, content)
        for options in ([], ["--repair"]):
            code, out, err = run("doctor", *options, name)
            equal((code, out), (EXIT_FAILED, ""), err)
            contains(err, "'tern rm' removes it")
            equal(bytes_of(name), content)
        equal(diagnose(name)[1]["verdict"], "damaged")
    run("rm", name)
    equal(run("doctor")[0], EXIT_USAGE)
    equal(run("doctor", "a", "b")[0], EXIT_USAGE)


# ---- top ----------------------------------------------------------------------------------------

def top_shows_rates_fill_and_waits():
    name = new_name()
    worker = victim(name, "make", "fill", "churn")
    code, out, err = run("top", "--count", "2", "--interval", "0.2", name)
    equal((code, err), (0, ""))
    blocks = out.strip().split("\n\n")
    equal(len(blocks), 2, "one block a refresh")
    lines = {line.split()[0]: line for line in blocks[1].splitlines()[1:]}
    contains(lines[name + ":"], "1 peers")
    contains(lines["ring"], "31 %")      # 5 of 16
    contains(lines["ring"], " 0 items/s, 0 B/s")
    contains(lines["triple"], "fresh")
    contains(lines["pool"], "allocs/s")
    equal(" 0 allocs/s" in lines["pool"], False, lines["pool"])
    kill(worker)
    before = bytes_of(name)
    contains(run("top", "--count", "1", "--interval", "0.05", name)[1], "some dead: see tern doctor")
    equal(bytes_of(name) == before, True, "bytes are as before")
    run("rm", name)
    code, out, _ = run("top", "--count", "1", "--interval", "0.05", name)
    equal(code, EXIT_FAILED)
    contains(out, name)


def top_counts_a_stream_of_bytes_and_sleepers():
    name = new_name()
    sender = start("send", name, stdin=subprocess.PIPE)
    receiver = start("recv", name, stdout=subprocess.DEVNULL)
    joined(name, "recv")
    joined(name, "send")
    process = start("top", "--count", "1", "--interval", "2", name)
    for _ in range(20):
        sender.stdin.write(b"x" * 50000)
        sender.stdin.flush()
        time.sleep(0.02)
    code, out, _ = finish(process)
    equal(code, 0)
    line = next(text for text in out.splitlines() if text.strip().startswith("bytes "))
    rate, unit = line.split()[2:4]
    # 1 MB in 2 s or, on a slow machine, what came in time of it
    equal((0 < float(rate) < 1000, unit), (True, "kB/s"), line)
    contains(line, "consumer asleep")
    sender.stdin.close()
    sender.stdin = None
    equal((finish(sender)[0], finish(receiver)[0]), (0, 0))


def fits_its_terminal(name, master, slave):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
    before = termios.tcgetattr(slave)
    process = start("top", "--interval", "0.05", name, stdin=slave, stdout=slave)
    shown = b""
    while shown.count(b"\033[H\033[J") < 3:
        shown += os.read(master, 4096)
    os.write(master, b"q")
    equal(process.wait(timeout=harness.PATIENCE_S), 0)
    equal(termios.tcgetattr(slave), before, "the terminal's mode")
    frame = shown.split(b"\033[H\033[J")[1].decode().replace("\r", "").split("\n")
    equal(len(frame), 5, str(frame))
    equal(all(len(text) <= 40 for text in frame[:4]), True, str(frame))
    contains(frame[4], "... 4 lines more")   # a title, the region and 6 objects in 4 lines
    os.close(slave)
    os.close(master)


def top_fits_its_terminal_and_ends_by_q():
    name = new_name()
    worker = victim(name, "make", "fill")
    try:
        terminal = pty.openpty()
    except OSError as error:   # a container without them
        print(f"# only without a terminal: {error}")
    else:
        fits_its_terminal(name, *terminal)
    process = start("top", name)
    until(lambda: process.poll() is None, "top")
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    equal(finish(process)[0], 130)
    kill(worker)
    run("rm", name)
    equal(run("top", "--count", "0")[0], EXIT_USAGE)
    equal(run("top", "--interval", "x")[0], EXIT_USAGE)


main([live_region_is_sound, paged_objects_are_looked_at_where_they_lie, dead_peer_is_told_and_repaired,
      counted_pins_of_the_dead_are_told,
      regions_at_work_give_no_false_alarm, each_word_of_the_tables_changed, damage_is_named,
      what_is_no_region_is_not_written_to, top_shows_rates_fill_and_waits, top_counts_a_stream_of_bytes_and_sleepers,
      top_fits_its_terminal_and_ends_by_q])
