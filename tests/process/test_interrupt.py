# SPDX-License-Identifier: MIT
# test_interrupt.py: one side is interrupted, killed or loses its pipe: the other one says so, ends
# with its own exit code, and nothing is left.
import os
import signal
import subprocess

from harness import (EXIT_BUSY, EXIT_PEER_DIED, EXIT_PEER_ENDED, EXIT_TIMEOUT, contains, end_all, equal, file_of, finish,
                     joined, left_in_shm, main, new_name, path_of, pushed, run, start, until)

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def flowing(name):
    """A sender of endless zeros and a receiver that swallows them, at work."""
    with open("/dev/zero", "rb") as zeros:
        sender = start("send", name, stdin=zeros)
    receiver = start("recv", name, stdout=subprocess.DEVNULL)
    joined(name, "recv")
    before = pushed(name, "bytes")
    until(lambda: pushed(name, "bytes") != before, "bytes that flow")
    return sender, receiver


def silent(name):
    """A sender whose input stays silent, and a receiver that waits for it."""
    sender = start("send", name, stdin=subprocess.PIPE)
    receiver = start("recv", name)
    joined(name, "send")
    joined(name, "recv")
    return sender, receiver


def interrupt(pair, victim_is_sender, number):
    name = new_name()
    sender, receiver = pair(name)
    victim, other = (sender, receiver) if victim_is_sender else (receiver, sender)
    victim.send_signal(number)
    what = f"{number.name} to the {'sender' if victim_is_sender else 'receiver'}, {pair.__name__}"
    # the pipe of a silent sender stays open: it has to notice by itself
    victim.wait(timeout=60)
    other.wait(timeout=60)
    code, _, err = finish(victim)
    equal(code, 128 + number, what)
    contains(err, "interrupted after")
    code, _, err = finish(other)
    equal(code, EXIT_PEER_ENDED, what + err)
    contains(err, f"the {'sender' if victim_is_sender else 'receiver'} was interrupted after")
    equal(left_in_shm(name), [], what)


def sender_is_interrupted_while_bytes_flow():
    for number in SIGNALS:
        interrupt(flowing, True, number)


def receiver_is_interrupted_while_bytes_flow():
    for number in SIGNALS:
        interrupt(flowing, False, number)


def sender_is_interrupted_while_its_input_is_silent():
    for number in SIGNALS:
        interrupt(silent, True, number)


def receiver_is_interrupted_while_the_input_is_silent():
    for number in SIGNALS:
        interrupt(silent, False, number)


def waiting_side_is_interrupted_and_leaves_nothing():
    for side in ("send", "recv"):
        for number in SIGNALS:
            name = new_name()
            process = start(side, name)
            joined(name, side)
            process.send_signal(number)
            code, _, err = finish(process)
            equal(code, 128 + number)
            contains(err, "interrupted while waiting")
            equal(left_in_shm(name), [])


def interrupt_works_in_a_background_job_of_a_script():
    # a shell starts `... &` with SIGINT ignored
    name = new_name()
    process = start("send", name, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    joined(name, "send")
    process.send_signal(signal.SIGINT)
    equal(finish(process)[0], 130)


def nohup_is_respected():
    name = new_name()
    process = start("send", name, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    joined(name, "send")
    process.send_signal(signal.SIGHUP)
    equal(run("recv", name)[0], 0)
    equal(finish(process)[0], 0)


def kill(pair, victim_is_sender):
    name = new_name()
    sender, receiver = pair(name)
    victim, other = (sender, receiver) if victim_is_sender else (receiver, sender)
    victim.kill()
    other.wait(timeout=60)
    code, _, err = finish(other)
    equal(code, EXIT_PEER_DIED, err)
    contains(err, f"the {'sender' if victim_is_sender else 'receiver'} died after")
    equal(finish(victim)[0], -signal.SIGKILL)
    equal(left_in_shm(name), [])


def sender_is_killed():
    kill(flowing, True)
    kill(silent, True)


def receiver_is_killed():
    kill(flowing, False)
    kill(silent, False)


def sender_is_killed_bytes_before_are_delivered():
    name = new_name()
    sender, receiver = silent(name)
    sender.stdin.write(b"these came through")
    sender.stdin.flush()
    until(lambda: pushed(name, "bytes") == 18, "18 bytes")
    sender.kill()
    code, out, err = finish(receiver)
    equal((code, out), (EXIT_PEER_DIED, "these came through"))
    contains(err, "died after 18 bytes")


def both_are_killed_and_the_next_two_replace_the_region():
    name = new_name()
    for first in ("send", "recv"):
        sender, receiver = flowing(name)
        # stopped first, or the survivor would tidy up
        for process in (sender, receiver):
            process.send_signal(signal.SIGSTOP)
        for process in (sender, receiver):
            process.kill()
            process.wait()
        equal(left_in_shm(name), ["tern." + name])
        old = os.stat(path_of(name)).st_ino
        source = file_of(b"the next")
        process = start(*(("send", name, source) if first == "send" else ("recv", name)))
        until(lambda: left_in_shm(name) and os.stat(path_of(name)).st_ino != old, "a new region")
        code, out, err = run(*(("recv", name) if first == "send" else ("send", name, source)))
        equal(code, 0, err)
        code, other_out, err = finish(process)
        equal((code, out + other_out), (0, "the next"), err)
        equal(left_in_shm(name), [])


def lone_side_is_killed_and_replaced():
    for side in ("send", "recv"):
        name = new_name()
        process = start(side, name)
        joined(name, side)
        process.kill()
        process.wait()
        equal(left_in_shm(name), ["tern." + name])
        source = file_of(b"fresh")
        # the same side again and the other one
        again = start(*((side, name, source) if side == "send" else (side, name)))
        code, out, err = run(*(("recv", name) if side == "send" else ("send", name, source)))
        equal(code, 0, err)
        code, again_out, err = finish(again)
        equal((code, out + again_out), (0, "fresh"), err)


def many_replace_a_stale_region_at_once():
    for _ in range(3):
        name = new_name()
        process = start("send", name)
        joined(name, "send")
        process.kill()
        process.wait()
        source = file_of(b"x" * 100000)
        crowd = [start(*arguments) for arguments in [("send", "--timeout", "5", name, source),
                                                     ("recv", "--timeout", "5", name)] * 4]
        results = [finish(member) for member in crowd]
        senders, receivers = [r[0] for r in results[0::2]], [r[0] for r in results[1::2]]
        # pair after pair; who meets a live one of its own side is refused, and when the others are
        # through one side may be left over, but never both
        what = f"senders {senders}, receivers {receivers}"
        equal(set(senders + receivers) - {0, EXIT_TIMEOUT, EXIT_BUSY}, set(), what)
        equal(senders.count(0), receivers.count(0), what)
        equal(senders.count(0) > 0, True, what)
        equal(EXIT_TIMEOUT in senders and EXIT_TIMEOUT in receivers, False, what)
        for code, out, _ in results[1::2]:
            equal(len(out), 100000 if code == 0 else 0, what)


def stopped_side_is_not_taken_for_dead():
    name = new_name()
    sender, receiver = silent(name)
    sender.send_signal(signal.SIGSTOP)
    code, _, err = run("send", name)
    equal(code, EXIT_BUSY, err)
    try:
        receiver.wait(timeout=1)
        raise AssertionError("the receiver ended although the sender lives")
    except subprocess.TimeoutExpired:
        pass
    sender.send_signal(signal.SIGCONT)
    sender.stdin.write(b"awake again")
    equal(finish(sender)[0], 0)
    equal(finish(receiver)[:2], (0, "awake again"))


def closed_output_ends_both():
    name = new_name()
    with open("/dev/zero", "rb") as zeros:
        sender = start("send", name, stdin=zeros)
    receiver = start("recv", name)
    receiver.stdout.read(100000)
    receiver.stdout.close()
    receiver.stdout = None
    code, _, err = finish(receiver)
    equal(code, 128 + signal.SIGPIPE)
    contains(err, "the output was closed")
    code, _, err = finish(sender)
    equal(code, EXIT_PEER_ENDED)
    contains(err, "its output was closed")


def blocked_output_does_not_hold_the_receiver_of_a_dead_sender():
    for number in (signal.SIGINT, signal.SIGKILL):
        name = new_name()
        with open("/dev/zero", "rb") as zeros:
            sender = start("send", name, stdin=zeros)
        read_end, write_end = os.pipe()
        receiver = start("recv", name, stdout=write_end)
        os.close(write_end)
        joined(name, "recv")
        until(lambda: pushed(name, "bytes") >= 4 << 20, "a full ring")
        sender.send_signal(number)
        code, _, err = finish(receiver)   # nobody reads the pipe
        equal(code, EXIT_PEER_ENDED if number == signal.SIGINT else EXIT_PEER_DIED, err)
        finish(sender)
        os.close(read_end)
        end_all()


main([sender_is_interrupted_while_bytes_flow, receiver_is_interrupted_while_bytes_flow,
      sender_is_interrupted_while_its_input_is_silent, receiver_is_interrupted_while_the_input_is_silent,
      waiting_side_is_interrupted_and_leaves_nothing, interrupt_works_in_a_background_job_of_a_script, nohup_is_respected,
      sender_is_killed, receiver_is_killed, sender_is_killed_bytes_before_are_delivered,
      both_are_killed_and_the_next_two_replace_the_region, lone_side_is_killed_and_replaced,
      many_replace_a_stale_region_at_once, stopped_side_is_not_taken_for_dead, closed_output_ends_both,
      blocked_output_does_not_hold_the_receiver_of_a_dead_sender])
