# SPDX-License-Identifier: MIT
# test_regions.py: ls, show, rm: sound regions and all kinds of damaged ones. A damaged region gives a
# status and an exit code; it never ends the tool by a signal.
import json
import os
import signal
import struct

from harness import (EXIT_FAILED, contains, equal, file_of, finish, joined, left_in_shm, main, new_name, path_of, run, start)

HEADER_BYTES, ENTRY_BYTES, PEER_BYTES, RING_BYTES = 256, 128, 512, 384
FIRST_OBJECT = HEADER_BYTES + 4 * ENTRY_BYTES + 16 * PEER_BYTES   # of a transfer's region


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
    equal((ring["layout"], ring["producer_mode"], ring["consumer_mode"]), ("indexed", "exchange", "exchange"))
    equal(region["heap_used_bytes"] <= region["heap_size_bytes"], True)
    equal((listed["state"], listed["objects"], listed["creator_pid"]), ("ok", 3, process.pid))
    equal(listed["size_bytes"], os.stat(path_of(name)).st_size)
    contains(run("ls")[1], name)
    contains(run("show", name)[1], "65536 of 1 bytes, indexed, waitable")
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


def hash_of(content):
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 % 2**32
    return value


def sequenced_ring_is_shown():
    sound, name, at = bytearray(image()), new_name(), FIRST_OBJECT
    equal(sound[at:at + 4], b"TRNG", "place of the first ring")
    version = struct.unpack_from("<I", sound, at + 8)[0]
    geometry = struct.pack("<IIIIQI", version, 12, 8, 3, 384 + 8 * 16, 16)
    sound[at:at + 512] = bytes(512)
    sound[at:at + 40] = b"TRNG\0\0\0\0" + geometry + struct.pack("<I", hash_of(geometry))
    # 10 were pushed and popped, the consumer sleeps; the producer stores plainly, its index is one behind
    struct.pack_into("<III", sound, at + 128, 9 << 1, 0, 1)
    struct.pack_into("<III", sound, at + 256, 10 << 1, 0, 0)
    struct.pack_into("<I", sound, at + 384 + 2 * 16 + 12, (10 + 1 - 8) << 1 | 1)
    put(name, sound)
    code, region, _ = looked_at(name)
    equal(code, 0)
    equal(region["objects"][0]["ring"], {
        "item_size_bytes": 12, "capacity_items": 8, "layout": "sequenced", "waitable": True, "paged": False,
        "pushed": 9, "popped": 10, "count": 0, "producer_closed": False, "consumer_closed": False, "producer_asleep": False,
        "consumer_asleep": True, "producer_mode": "asymmetric", "consumer_mode": "exchange"})
    out = run("show", name)[1]
    for text in "8 of 12 bytes, sequenced, waitable", "pushed 9, asymmetric", "popped 10, asleep":
        contains(out, text)
    equal(run("rm", name)[0], 0)


def pool_is_shown_whatever_is_in_it():
    sound, name, at = bytearray(image()), new_name(), FIRST_OBJECT
    equal(sound[at:at + 4], b"TRNG", "place of the first ring")
    version = struct.unpack_from("<I", sound, at + 8)[0]
    geometry = struct.pack("<IIIIQI", version, 40, 100, 64, 512 + 101 * 64, 0)
    struct.pack_into("<I", sound, HEADER_BYTES + 8, 4)          # the first entry's type: pool
    sound[at:at + 512] = bytes(512)
    sound[at:at + 40] = b"TPOL\0\0\0\0" + geometry + struct.pack("<I", hash_of(geometry))
    head, tail, retired = 1000 << 24 | 7, 1060 << 24 | 8, 3     # 60 free beside the one that is kept
    struct.pack_into("<Q", sound, at + 128, head)
    struct.pack_into("<Q", sound, at + 256, tail)
    struct.pack_into("<I", sound, at + 384, retired)
    put(name, sound)
    code, region, _ = looked_at(name)
    equal(code, 0)
    equal(region["objects"][0]["type"], "pool")
    equal(region["objects"][0]["pool"], {"item_size_bytes": 40, "capacity_items": 100, "stride_bytes": 64, "live": 37,
                                         "retired": 3, "allocated": 1000})
    out = run("show", name)[1]
    for text in "100 of 40 bytes, 64 from one to the next", "37 (37.0 %)", "retired   3", "allocated 1000":
        contains(out, text)
    for offset in range(at, at + 512, 4):
        content = bytearray(sound)
        for i in range(4):
            content[offset + i] ^= 0xff
        put(name, content)
        code, region, _ = looked_at(name)
        if at <= offset < at + 4 or at + 8 <= offset < at + 40:
            equal(code, EXIT_FAILED, f"pool word at {offset - at}")
        else:
            equal((code, region["objects"][0]["pool"]["live"] <= 100), (0, True), f"pool word at {offset - at}")
    equal(run("rm", name)[0], 0)


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
    first_ring = FIRST_OBJECT
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


def fnv1a(content):
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def triple_image(word, writer_closed=0, reader_closed=0):
    """A sound region whose first object is a triple buffer of 200-byte frames, by docs/layout.md alone."""
    content = bytearray(image())
    content[HEADER_BYTES + 8:HEADER_BYTES + 12] = struct.pack("=I", 3)
    at = struct.unpack_from("=Q", content, HEADER_BYTES + 16)[0]
    geometry = struct.pack("=IIQI", 1, 200, 384 + 3 * 384, 384)
    header = b"TRLP" + bytes(4) + geometry + struct.pack("=I", fnv1a(geometry))
    header = header.ljust(128, b"\0") + struct.pack("=I", word)
    content[at:at + 384] = (header.ljust(256, b"\0") + struct.pack("=II", writer_closed, reader_closed)).ljust(384, b"\0")
    return content, at


def triple_buffer_is_shown():
    name = new_name()
    fresh, sleep, owners = 1 << 6, 1 << 7, 1 | 0 << 2 | 2 << 4
    for word, closed, text in [(owners | fresh | 7 << 8, (0, 0), "has not seen the last frame"),
                               (owners | sleep | 0xffffff << 8, (0, 0), "has seen all there is, asleep"),
                               (owners | 1 << 8, (1, 1), "published 1, closed")]:
        put(name, triple_image(word, *closed)[0])
        code, region, _ = looked_at(name)
        equal(code, 0)
        entry = region["objects"][0]
        equal((entry["type"], entry["status"]), ("triple", "TERN_OK"))
        equal(entry["triple"], {"buffer_size_bytes": 200, "frame": word >> 8, "fresh": bool(word & fresh), "back": 1,
                                "ready": 0, "front": 2, "writer_closed": closed[0] == 1, "reader_closed": closed[1] == 1,
                                "reader_asleep": bool(word & sleep)})
        contains(run("show", name)[1], text)
    equal(run("rm", name)[0], 0)


def each_word_of_a_triple_buffer_changed():
    name = new_name()
    sound, at = triple_image(1 | 0 << 2 | 2 << 4 | 5 << 8)
    for offset in range(at, at + 384, 4):
        content = bytearray(sound)
        for i in range(4):
            content[offset + i] ^= 0xff
        put(name, content)
        is_checked = offset - at in (0, *range(8, 32, 4), 128)
        equal(looked_at(name)[0], EXIT_FAILED if is_checked else 0, f"word at {offset - at}")
    equal(run("rm", name)[0], 0)


def bell_bytes(sources, leaves, root_shift, root, closed):
    """A bell as docs/layout.md tells it, made without the library."""
    geometry = struct.pack("<IIIIQI", 1, sources, leaves, root_shift, 256 + 4 * leaves, 0)
    check = 2166136261
    for byte in geometry:
        check = (check ^ byte) * 16777619 & 0xffffffff
    header = b"TBEL" + bytes(4) + geometry + struct.pack("<I", check)
    return header.ljust(128, b"\0") + struct.pack("<II", root, closed).ljust(128, b"\0") + bytes(4 * leaves)


def bell_is_shown():
    content, name = bytearray(image()), new_name()
    entry, place = HEADER_BYTES, FIRST_OBJECT
    content[entry + 8:entry + 12] = struct.pack("<I", 5)   # TERN_TYPE_BELL
    for sources, leaves, root_shift, root, closed, lines in [
            (31, 0, 0, 0x80000009, 0, ["sources   31\n", "collector asleep", "ringing   0 3\n"]),
            (1000, 32, 6, 0x8001, 1, ["sources   1000, closed", "collector awake", "ringing   0..63 960..999\n"]),
            (4, 0, 0, 0x7ffffff0, 0, ["sources   4\n", "ringing   none"])]:
        bell = bell_bytes(sources, leaves, root_shift, root, closed)
        content[place:place + len(bell)] = bell
        put(name, content)
        code, region, _ = looked_at(name)
        equal((code, region["objects"][0]["type"]), (0, "bell"))
        mask = (2 << (sources - 1 >> root_shift)) - 1
        equal(region["objects"][0]["bell"],
              {"sources": sources, "leaves": leaves, "sources_a_bit": 1 << root_shift, "ringing": root & mask,
               "closed": closed == 1, "asleep": root >> 31 == 1})
        for line in lines:
            contains(run("show", name)[1], line)
    for offset in [*range(0, 4), *range(8, 40)]:
        content[place + offset] ^= 0x55
        put(name, content)
        equal(looked_at(name)[0], EXIT_FAILED, f"bell's byte at {offset}")
        content[place + offset] ^= 0x55
    equal(run("rm", name)[0], 0)


def fnv(content):
    value = 2166136261
    for byte in content:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


def with_stream(capacity, written, read):
    """A region whose ring of bytes has become a stream, by docs/layout.md; and where that is."""
    content = bytearray(image())
    at = FIRST_OBJECT
    geometry = struct.pack("<IIIIQI", 1, 8, capacity // 8, 1, RING_BYTES + capacity, 8)
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
        "capacity_bytes": 65536, "max_record_bytes": 32768, "waitable": True, "paged": False,
        "written_bytes": 70000,
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


main([live_region_is_shown_and_listed, bytes_in_a_ring_are_counted, sequenced_ring_is_shown,
      pool_is_shown_whatever_is_in_it, each_header_word_changed, each_word_of_directory_and_rings_changed, stream_is_shown, triple_buffer_is_shown,
      each_word_of_a_triple_buffer_changed, bell_is_shown, transfers_meet_a_damaged_region,
      files_that_are_no_regions, other_things_in_a_name_s_place, huge_sparse_file_is_looked_at_without_its_pages,
      rm_removes_and_tells])
