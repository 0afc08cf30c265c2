# SPDX-License-Identifier: MIT
# test_transfer.py: what goes into `tern send` comes out of `tern recv`: sizes, orders, files, pipes.
import json
import os
import random
import subprocess

from harness import (EXIT_BUSY, EXIT_FAILED, EXIT_TIMEOUT, contains, equal, file_of, finish, folder, joined, left_in_shm,
                     main, new_name, run, sha256_of, sha256_of_file,
                     start)

SIZES = [0, 1, 2, 255, 4095, 4097, 65536, 1000003, 4194304, 4194305, 67108864]


def content_of(size):
    return random.Random(size).randbytes(size)


def send_pipe(name, source, *options):
    """cat source | tern send name"""
    cat = subprocess.Popen(["cat", source], stdout=subprocess.PIPE)
    process = start("send", *options, name, stdin=cat.stdout)
    cat.stdout.close()
    return cat, process


def transfer(content, receiver_first, by_pipe):
    name, source, target = new_name(), file_of(content), os.path.join(folder, "target")
    receiver = None
    receive = (["recv", "--sum", name], {"stdout": open(target, "wb")}) if by_pipe else (["recv", "--sum", name, target], {})
    if receiver_first:
        receiver = start(*receive[0], **receive[1])
        joined(name, "recv")
    cat, sender = send_pipe(name, source, "--sum") if by_pipe else (None, start("send", "--sum", name, source))
    if not receiver_first:
        joined(name, "send")
        receiver = start(*receive[0], **receive[1])
    sent_code, sent_out, sent_err = finish(sender)
    received_code, received_out, received_err = finish(receiver)
    what = f"{len(content)} bytes, receiver first {receiver_first}, pipe {by_pipe}"
    equal((sent_code, received_code), (0, 0), what + sent_err + received_err)
    equal(left_in_shm(name), [], what)
    if cat:
        cat.wait()
    equal(sha256_of_file(target), sha256_of(content), what)
    equal(sent_out, f"{sha256_of(content)}  {'-' if by_pipe else source}\n", what)
    equal(received_err if by_pipe else received_out, f"{sha256_of(content)}  {'-' if by_pipe else target}\n", what)
    os.unlink(source)
    os.unlink(target)


def sizes_by_file_sender_first():
    for size in SIZES:
        transfer(content_of(size), False, False)


def sizes_by_file_receiver_first():
    for size in SIZES:
        transfer(content_of(size), True, False)


def sizes_by_pipe_sender_first():
    for size in SIZES:
        transfer(content_of(size), False, True)


def sizes_by_pipe_receiver_first():
    for size in SIZES:
        transfer(content_of(size), True, True)


def zeros(size, receiver_first):
    """head -c size /dev/zero | tern send x; tern recv x | sha256sum"""
    name = new_name()
    # nothing waits here: who comes first is left to the processes in one order, forced in the other
    if receiver_first:
        receiver = start("recv", "--json", name)
        joined(name, "recv")
    head = subprocess.Popen(["head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE)
    sender = start("send", "--sum", "--json", name, stdin=head.stdout)
    head.stdout.close()
    if not receiver_first:
        receiver = start("recv", "--json", name)
    summing = subprocess.Popen(["sha256sum"], stdin=receiver.stdout, stdout=subprocess.PIPE)
    receiver.stdout.close()
    receiver.stdout = None
    received = summing.communicate()[0].split()[0].decode()
    sender_code, sender_out, _ = finish(sender)
    receiver_code, _, receiver_err = finish(receiver)
    head.wait()
    equal((sender_code, receiver_code), (0, 0))
    report = json.loads(sender_out)
    equal(report["sha256"], received)
    equal((report["bytes"], report["complete"], report["exit_code"]), (size, True, 0))
    equal(json.loads(receiver_err)["bytes"], size)


def zeros_300_mb_either_order():
    zeros(300000000, False)
    zeros(300000000, True)


def zeros_1_gb():
    zeros(1000000000, True)


def zeros_beyond_the_index_of_31_bits():
    zeros(3000000001, False)


def capacities_from_one_byte_on():
    content = content_of(5001)
    for capacity in ["1", "2", "3", "100", "4K", "64K", "1M"]:
        name, source, target = new_name(), file_of(content), os.path.join(folder, "target")
        sender = start("send", "--capacity", capacity, name, source)
        equal(run("recv", "--capacity", "8M", name, target)[0], 0, capacity)
        equal(finish(sender)[0], 0, capacity)
        equal(sha256_of_file(target), sha256_of(content), capacity)


def longer_target_is_emptied():
    name, source, target = new_name(), file_of(b"short"), file_of(b"a good deal longer")
    sender = start("send", name, source)
    equal(run("recv", name, target)[0], 0)
    equal(finish(sender)[0], 0)
    with open(target, "rb") as file:
        equal(file.read(), b"short")


def many_one_after_the_other_on_one_name():
    name, source = new_name(), file_of(b"again")
    for number in range(30):
        first, second = ("send", name, source), ("recv", name)
        if number % 2:
            first, second = second, first
        process = start(*first)
        code, out, err = run(*second)
        equal(code, 0, err)
        code, other_out, err = finish(process)
        equal(code, 0, err)
        equal(out + other_out, "again")


def many_at_once_start_in_a_race():
    pairs = []
    for _ in range(12):
        name, source = new_name(), file_of(name_content := os.urandom(70000))
        pairs.append((start("send", name, source), start("recv", "--sum", name, source + ".out"), name_content))
    for sender, receiver, content in pairs:
        equal(finish(sender)[0], 0)
        code, out, err = finish(receiver)
        equal(code, 0, err)
        contains(out, sha256_of(content))


def second_sender_is_refused():
    name = new_name()
    sender = start("send", name, stdin=subprocess.PIPE)
    joined(name, "send")
    code, _, err = run("send", name)
    equal(code, EXIT_BUSY)
    contains(err, "live sender")
    receiver = start("recv", name)
    sender.stdin.write(b"the first one is unharmed")
    code, _, _ = finish(sender)
    equal(code, 0)
    equal(finish(receiver)[:2], (0, "the first one is unharmed"))


def second_receiver_is_refused_and_its_file_is_kept():
    name, kept = new_name(), file_of(b"kept")
    receiver = start("recv", name)
    joined(name, "recv")
    code, _, err = run("recv", name, kept)
    equal(code, EXIT_BUSY)
    contains(err, "live receiver")
    with open(kept, "rb") as file:
        equal(file.read(), b"kept")
    equal(run("send", name, kept)[0], 0)
    equal(finish(receiver)[:2], (0, "kept"))


def nobody_comes_gives_timeout_and_leaves_nothing():
    for side in ("send", "recv"):
        name = new_name()
        code, _, err = run(side, "--timeout", "0.3", name)
        equal(code, EXIT_TIMEOUT, err)
        contains(err, "no receiver came" if side == "send" else "no sender came")
        equal(left_in_shm(name), [])


def files_that_cannot_be_used():
    equal(run("send", new_name(), "/nonexistent/file")[0], EXIT_FAILED)
    equal(run("send", new_name(), folder)[0], EXIT_FAILED)
    equal(run("recv", new_name(), "/nonexistent/file")[0], EXIT_FAILED)
    name = new_name()
    sender = start("send", name, file_of(b"x" * 100000))
    code, _, err = run("recv", name, "/dev/full")
    equal(code, EXIT_FAILED)
    contains(err, "No space left")
    code, _, err = finish(sender)
    equal(code, 4)
    contains(err, "could not write its output")


def removed_while_waiting_ends_the_waiter():
    name = new_name()
    sender = start("send", name)
    joined(name, "send")
    equal(run("rm", name)[0], 0)
    equal(left_in_shm(name), [])
    code, _, err = finish(sender)
    equal(code, EXIT_FAILED)
    contains(err, "was removed")


def region_of_another_program_is_left_alone():
    name = new_name()
    equal(run("send", "--timeout", "0", name)[0], EXIT_TIMEOUT)
    sender = start("send", name)
    joined(name, "send")
    path = f"/dev/shm/tern.{name}"
    with open(path, "rb") as file:
        header = bytearray(file.read(16384))
    sender.terminate()
    finish(sender)
    header[24] ^= 1                                  # session
    header[16:24] = len(header).to_bytes(8, "little")
    header[60:64] = fnv1a(header[8:60]).to_bytes(4, "little")
    with open(path, "wb") as file:
        file.write(header)
    for side in ("send", "recv"):
        code, _, err = run(side, name)
        equal(code, EXIT_FAILED, err)
        contains(err, "another program")
    equal(left_in_shm(name), ["tern." + name])
    equal(run("rm", name)[0], 0)


def fnv1a(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


main([sizes_by_file_sender_first, sizes_by_file_receiver_first, sizes_by_pipe_sender_first, sizes_by_pipe_receiver_first,
      zeros_300_mb_either_order, zeros_1_gb, zeros_beyond_the_index_of_31_bits, capacities_from_one_byte_on,
      longer_target_is_emptied, many_one_after_the_other_on_one_name, many_at_once_start_in_a_race,
      second_sender_is_refused, second_receiver_is_refused_and_its_file_is_kept,
      nobody_comes_gives_timeout_and_leaves_nothing, files_that_cannot_be_used, removed_while_waiting_ends_the_waiter,
      region_of_another_program_is_left_alone])
