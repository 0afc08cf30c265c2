# SPDX-License-Identifier: MIT
# test_regions.py: ls, show, rm: sound regions and all kinds of damaged ones. A damaged region gives a
# status and an exit code; it never ends the tool by a signal.
import json
import os
import signal
import struct

from harness import (EXIT_FAILED, contains, equal, file_of, finish, joined, left_in_shm, main, new_name, path_of, run, start)

HEADER_BYTES, ENTRY_BYTES, RING_BYTES = 256, 64, 384


def waiting_sender(capacity="64K"):
    """A live region: (name, process)"""
    name = new_name()
    process = start("send", "--capacity", capacity, name, file_of(b"x" * 1000))
    joined(name, "send")
    return name, process


def image():
    """The bytes of a sound region."""
    name, process = waiting_sender()
    with open(path_of(name), "rb") as file:
        content = file.read()
    process.terminate()
    finish(process)
    return content


def put(name, content):
    with open(path_of(name), "wb") as file:
        file.write(content)


def looked_at(name):
    """What show and ls say; the tool answers, whatever it finds. (exit code, show, line of ls)"""
    code, out, err = run("show", "--json", name)
    if code not in (0, EXIT_FAILED):
        raise AssertionError(f"show ends with {code}: {err}")
    plain_code, plain_out, plain_err = run("show", name)
    equal(plain_code, code, plain_out + plain_err)
    list_code, list_out, list_err = run("ls", "--json")
    equal(list_code, 0, list_err)
    listed = [entry for entry in json.loads(list_out) if entry["name"] == name]
    return code, json.loads(out), listed[0] if listed else None


def live_region_is_shown_and_listed():
    name, process = waiting_sender()
    code, region, listed = looked_at(name)
    equal(code, 0)
    equal(region["status"], "TERN_OK")
    equal(region["creator_pid"], process.pid)
    equal([o["name"] for o in region["objects"]], ["bytes", "end", "ack"])
    ring = region["objects"][0]["ring"]
    equal((ring["item_size_bytes"], ring["capacity_items"], ring["waitable"]), (1, 65536, True))
    equal((ring["producer_closed"], ring["consumer_closed"], ring["count"]), (False, False, 0))
    equal(region["heap_used_bytes"] <= region["heap_size_bytes"], True)
    equal((listed["state"], listed["objects"], listed["creator_pid"]), ("ok", 3, process.pid))
    equal(listed["size_bytes"], os.stat(path_of(name)).st_size)
    contains(run("ls")[1], name)
    contains(run("show", name)[1], "65536 of 1 bytes, waitable")
    equal(run("recv", name)[0], 0)
    equal(finish(process)[0], 0)
    equal(run("show", name)[0], EXIT_FAILED)


def bytes_in_a_ring_are_counted():
    name = new_name()
    receiver = start("recv", name)
    joined(name, "recv")
    receiver.send_signal(signal.SIGSTOP)
    sender = start("send", name, file_of(b"y" * 12345))
    joined(name, "send")
    while (region := looked_at(name)[1])["objects"][0]["ring"]["pushed"] < 12345:
        pass
    ring = region["objects"][0]["ring"]
    equal((ring["count"], ring["popped"]), (12345, 0))
    equal(ring["producer_closed"] in (True, False), True)
    receiver.send_signal(signal.SIGCONT)
    equal((finish(sender)[0], finish(receiver)[:2]), (0, (0, "y" * 12345)))


def each_header_word_changed():
    sound, name = image(), new_name()
    harmless = 0
    for offset in range(0, HEADER_BYTES, 4):
        for flip in (b"\x01\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80"):
            content = bytearray(sound)
            for i in range(4):
                content[offset + i] ^= flip[i]
            put(name, content)
            code, region, listed = looked_at(name)
            equal(listed["state"], "ok" if region["status"] == "TERN_OK" else "damaged", f"word at {offset}")
            # every word of magic and geometry is checked; counters and unused bytes behind them are not the header
            is_geometry = offset < 4 or 8 <= offset < 64
            if is_geometry:
                equal(code, EXIT_FAILED, f"word at {offset}")
                equal(region["status"] in ("TERN_ERR_CORRUPT", "TERN_ERR_VERSION", "TERN_ERR_NOT_READY", "TERN_ERR_MEMORY"), True,
                      f"word at {offset}: {region['status']}")
            harmless += code == 0
    equal(harmless > 0, True, "some words are unused")
    equal(run("rm", name)[0], 0)


def each_word_of_directory_and_rings_changed():
    sound, name = image(), new_name()
    end = HEADER_BYTES + 3 * ENTRY_BYTES
    first_ring = 768
    equal(sound[first_ring:first_ring + 4], b"TRNG", "place of the first ring")
    damaged = 0
    for offset in [*range(HEADER_BYTES, end, 4), *range(first_ring, first_ring + RING_BYTES, 4)]:
        content = bytearray(sound)
        for i in range(4):
            content[offset + i] ^= 0xff
        put(name, content)
        code, _, _ = looked_at(name)
        damaged += code != 0
        if first_ring <= offset < first_ring + 4 or first_ring + 8 <= offset < first_ring + 40:
            equal(code, EXIT_FAILED, f"ring word at {offset - first_ring}")
    equal(damaged > 16, True, "damaged")
    equal(run("rm", name)[0], 0)


def fnv(content):
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def with_stream(capacity, written, read):
    """A region whose ring of bytes has become a stream, by docs/layout.md; and where that is."""
    content = bytearray(image())
    at = 768
    geometry = struct.pack("<IIIIQI", 1, 8, capacity // 8, 1, RING_BYTES + capacity, 0)
    content[at:at + 4] = b"TSTR"
    content[at + 8:at + 40] = geometry + struct.pack("<I", fnv(geometry))
    content[at + 128:at + 136] = struct.pack("<II", written // 8 << 1 | 1, 1)
    content[at + 256:at + 260] = struct.pack("<I", read // 8 << 1)
    content[HEADER_BYTES + 8:HEADER_BYTES + 12] = struct.pack("<I", 2)
    return content, at


def stream_is_shown():
    name = new_name()
    content, at = with_stream(65536, 70000, 8000)
    put(name, content)
    code, region, _ = looked_at(name)
    equal(code, 0)
    shown = region["objects"][0]
    equal((shown["type"], shown["status"]), ("stream", "TERN_OK"))
    equal(shown["stream"], {
        "capacity_bytes": 65536, "max_record_bytes": 32768, "waitable": True, "written_bytes": 70000,
        "read_bytes": 8000, "used_bytes": 62000, "producer_closed": True, "consumer_closed": False, "producer_asleep": False,
        "consumer_asleep": True})
    contains(run("show", name)[1], "65536 bytes, records up to 32768, waitable")
    for offset in [0, *range(8, 40, 4)]:
        damaged = bytearray(content)
        damaged[at + offset] ^= 0xff
        put(name, damaged)
        equal(looked_at(name)[0], EXIT_FAILED, f"word at {offset}")
    equal(run("rm", name)[0], 0)


def transfers_meet_a_damaged_region():
    sound, name = image(), new_name()
    for offset in range(0, HEADER_BYTES + 3 * ENTRY_BYTES, 4):
        content = bytearray(sound)
        for i in range(4):
            content[offset + i] ^= 0xff
        put(name, content)
        # both: refuse with a message, or take it for stale, replace it and wait
        code, _, err = run("recv" if offset % 8 else "send", "--timeout", "0", name)
        equal(code in (EXIT_FAILED, 5), True, f"word at {offset}: {code} {err}")
        contains(err, name)
        run("rm", "-f", name)


def files_that_are_no_regions():
    sound, name = image(), new_name()
    cases = [(b"", "TERN_ERR_NOT_READY"), (b"x", "TERN_ERR_MEMORY"), (b"hello, I am a text file\n" * 100, "TERN_ERR_CORRUPT"),
             (sound[:100], "TERN_ERR_MEMORY"), (sound[:256], "TERN_ERR_MEMORY"), (sound[:4096], "TERN_ERR_MEMORY"),
             (sound[:-1], "TERN_ERR_MEMORY"), (bytes(4096), "TERN_ERR_NOT_READY"), (b"\xff" * 4096, "TERN_ERR_CORRUPT")]
    for content, status in cases:
        put(name, content)
        code, region, listed = looked_at(name)
        equal((code, region["status"]), (EXIT_FAILED, status), f"{len(content)} bytes")
        equal((listed["state"], listed["status"]), ("damaged", status))
        equal(listed["size_bytes"], len(content))
        contains(run("show", name)[2], status)
        contains(run("ls")[1], "damaged: ")
    equal(run("rm", name)[0], 0)


def other_things_in_a_name_s_place():
    name = new_name()
    makers = [os.mkfifo, os.mkdir, lambda path: os.symlink("/etc/passwd", path)]
    for make in makers:
        make(path_of(name))
        code, region, listed = looked_at(name)
        equal((code, region["status"], listed["state"]), (EXIT_FAILED, "TERN_ERR_CORRUPT", "damaged"))
        code, _, err = run("recv", "--timeout", "0", name)
        equal(code, EXIT_FAILED, err)
        if make is os.mkdir:
            equal(run("rm", name)[0], EXIT_FAILED)
            os.rmdir(path_of(name))
        else:
            equal(run("rm", name)[0], 0)


def huge_sparse_file_is_looked_at_without_its_pages():
    name = new_name()
    put(name, image())
    os.truncate(path_of(name), 1 << 38)
    code, region, _ = looked_at(name)
    equal((code, region["file_size_bytes"]), (0, 1 << 38))
    equal(run("rm", name)[0], 0)


def rm_removes_and_tells():
    names = [new_name() for _ in range(3)]
    for name in names:
        put(name, b"anything")
    equal(run("rm", *names[:2])[0], 0)
    equal(left_in_shm(names[0]) + left_in_shm(names[1]), [])
    code, _, err = run("rm", names[0], names[2])
    equal(code, EXIT_FAILED)
    contains(err, names[0])
    equal(left_in_shm(names[2]), [])
    equal(run("rm", "-f", names[0])[0], 0)
    code, out, _ = run("rm", "--json", "-f", names[0])
    equal((code, json.loads(out)[0]["removed"]), (0, False))
    equal(run("rm", "../escape")[0], EXIT_FAILED)
    equal(run("rm", "-f", "../escape")[0], EXIT_FAILED)


main([live_region_is_shown_and_listed, bytes_in_a_ring_are_counted, each_header_word_changed,
      each_word_of_directory_and_rings_changed, stream_is_shown, transfers_meet_a_damaged_region,
      files_that_are_no_regions, other_things_in_a_name_s_place, huge_sparse_file_is_looked_at_without_its_pages, rm_removes_and_tells])
