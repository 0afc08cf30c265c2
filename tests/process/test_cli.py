# SPDX-License-Identifier: MIT
# test_cli.py: help, versions, wrong use, layout and bench.
import json

from harness import EXIT_FAILED, EXIT_USAGE, contains, equal, file_of, main, new_name, run

COMMANDS = ["send", "recv", "ls", "show", "rm", "layout", "bench", "doctor", "top"]


def help_is_there_for_the_tool_and_each_command():
    code, out, err = run("--help")
    equal((code, err), (0, ""))
    for command in COMMANDS:
        contains(out, f"  {command} ")
        help_code, help_out, help_err = run(command, "--help")
        equal((help_code, help_err), (0, ""))
        contains(help_out, f"Usage: tern {command} ")
        equal(run("help", command)[:2], (0, help_out))
        equal(run(command, "-h")[:2], (0, help_out))
    equal(run("help")[1], out)
    contains(out, "Exit codes:")


def version_names_version_and_layout():
    code, out, _ = run("--version")
    equal(code, 0)
    contains(out, "tern 0.")
    contains(out, json.loads(run("layout", "--json")[1])["layout_hash"])


def wrong_use_is_told_with_a_hint():
    name = new_name()
    cases = [([], "no command"), (["frobnicate"], "unknown command 'frobnicate'"), (["--frob"], "unknown option '--frob'"),
             (["help", "frobnicate"], "unknown command")]
    for command in COMMANDS:
        cases.append(([command, "--frob"], "unknown option '--frob'"))
        cases.append(([command, "-Z"], "unknown option '-Z'"))
        cases.append(([command, "--help=yes" if command == "top" else "--json=yes"], "takes no value"))
    for command in ["send", "recv"]:
        cases += [([command], "no name"), ([command, name, "a", "b"], "too many"), ([command, "--timeout"], "needs a value"),
                  ([command, "a/b"], "is no name"), ([command, ".hidden"], "is no name"), ([command, ""], "is no name")]
    cases += [(["show"], "no name"), (["rm"], "no name"), (["ls", "x"], "takes no name"), (["layout", "x"], "no arguments"),
              (["bench", "x"], "no argument")]
    for arguments, message in cases:
        code, out, err = run(*arguments)
        equal((code, out), (EXIT_USAGE, ""), f"{arguments} {err}")
        contains(err, message)
        contains(err, "Try 'tern")


def numbers_out_of_range_are_refused():
    cases = [("--capacity", ["0", "-1", "1x", "2G", "1GG", "", "99999999999999999999999"]),
             ("--timeout", ["-1", "soon", "", "nan", "inf", "1e99"])]
    for option, values in cases:
        for value in values:
            code, _, err = run("send", option, value, new_name())
            equal(code, EXIT_USAGE, f"{option} {value!r}")
            contains(err, option)


def layout_is_a_table_that_covers_each_structure():
    layout = json.loads(run("layout", "--json")[1])
    text = run("layout")[1]
    contains(text, layout["layout_hash"])
    for name in ("tern_region_shared", "tern_ring_shared", "tern_triple_shared"):
        structure = layout["structures"][name]
        contains(text, f"{name}: {structure['size_bytes']} bytes")
        for field in structure["fields"].values():
            equal(field["offset_bytes"] + field["size_bytes"] <= structure["size_bytes"], True)
    equal(layout["structures"]["tern_ring_shared"]["fields"]["producer"]["offset_bytes"], 128)


def bench_compares_and_verifies():
    code, out, err = run("bench", "--compare", "--json", "--messages", "200", "--repetitions", "2",
                         "--file", file_of(b"0123456789abcde" * 100001), "--passes", "3")
    equal(code, 0, err)
    report = json.loads(out)
    equal((report["verified"], report["bytes"]), (True, 3 * 15 * 100001))
    equal(sorted(report["results"]), ["pipe", "ring", "ring_sleep", "socket"])
    for result in report["results"].values():
        times = result["round_trip_ns"]
        equal(times["samples"], 400)
        equal(0 < times["p50"] <= times["p99"] <= times["p99_9"] <= times["max"], True, str(times))
    for key in ("ring", "pipe", "socket"):
        speed = report["results"][key]["stream_mb_per_s"]
        equal(0 < speed["min"] <= speed["median"] <= speed["max"], True, str(speed))
    equal(sorted(report["ratios"]), ["pipe", "socket"])


def bench_takes_odd_sizes():
    for options in (["--chunk", "1", "--capacity", "1"], ["--chunk", "7", "--capacity", "16"], ["--chunk", "1M", "--capacity", "3"]):
        code, out, err = run("bench", "--json", "--messages", "100", "--repetitions", "1", *options,
                             "--file", file_of(b"abc" * 777), "--passes", "1")
        equal(code, 0, err)
        equal(json.loads(out)["bytes"], 2331)


def bench_prints_a_table():
    code, out, err = run("bench", "--messages", "100", "--repetitions", "1", "--passes", "1", "--file", file_of(b"x" * 100000))
    equal(code, 0, err)
    contains(out, "Round trip of a 64-byte message")
    contains(out, "Byte stream")


def bench_refuses_what_it_cannot_use():
    equal(run("bench", "--file", "/nonexistent")[0], EXIT_FAILED)
    equal(run("bench", "--file", file_of(b""))[0], EXIT_FAILED)
    equal(run("bench", "--file", "/dev/null")[0], EXIT_FAILED)


def full_output_is_a_failure():
    with open("/dev/full", "wb") as full:
        for arguments in (["--help"], ["--version"], ["layout"], ["ls", "--json"], ["send", "--help"]):
            code, _, err = run(*arguments, stdout=full)
            equal(code, EXIT_FAILED, str(arguments))
            contains(err, "cannot write")


main([help_is_there_for_the_tool_and_each_command, version_names_version_and_layout, wrong_use_is_told_with_a_hint,
      numbers_out_of_range_are_refused, layout_is_a_table_that_covers_each_structure, bench_compares_and_verifies,
      bench_takes_odd_sizes, bench_prints_a_table, bench_refuses_what_it_cannot_use, full_output_is_a_failure])
