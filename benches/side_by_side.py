#!/usr/bin/env python3
"""Flowstone beside another program, in one run on one machine: alternating repetitions, medians and ratios.

    python3 benches/side_by_side.py --flowstone target/release/flowstone \
        --peer "python3 PEER.py bench --size {size} --levels {levels} --depth {depth} --width {width} --batch {batch}"

The peer prints, as the last line, JSON with `images_per_second`: `{"train": .., "score": .., "sample": ..}` and `peak_mib`.
"""
import argparse
import json
import shlex
import statistics
import subprocess

CONFIGURATIONS = {
    "s": dict(size=16, levels=2, depth=4, width=64, batch=32),
    "m": dict(size=32, levels=3, depth=8, width=128, batch=16),
    "p": dict(size=32, levels=3, depth=32, width=512, batch=8),
}


def run(command):
    output = subprocess.run(shlex.split(command), check=True, capture_output=True, text=True).stdout
    return output


def ours(program, name, seconds):
    report = json.loads(run(f"{program} bench benches/flows/{name}.ron --seconds {seconds} --json"))
    figures = {key: report[key]["images_per_second"] for key in ("train_invert", "train_store", "score", "sample")}
    shares = {key: report[key]["gflops"] / report["product_peak_gflops"] for key in ("train_invert", "train_store")}
    return figures, shares, report["peak_mib"]


def theirs(command, configuration):
    report = json.loads(run(command.format(**configuration)).strip().splitlines()[-1])
    return report["images_per_second"], report["peak_mib"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flowstone", default="target/release/flowstone")
    parser.add_argument("--peer", required=True, help="a command; {size}, {levels}, {depth}, {width}, {batch} are filled in")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of our figures")
    parser.add_argument("configurations", nargs="*", default=list(CONFIGURATIONS))
    arguments = parser.parse_args()
    for name in arguments.configurations:
        a, b, shares, memory = [], [], [], []
        for _ in range(arguments.repetitions):
            figures, share, our_peak = ours(arguments.flowstone, name, arguments.seconds)
            peer, their_peak = theirs(arguments.peer, CONFIGURATIONS[name])
            a.append(figures)
            b.append(peer)
            shares.append(share)
            memory.append((our_peak, their_peak))
        median = lambda runs, key: statistics.median(run[key] for run in runs)
        print(f"{name.upper()}: {CONFIGURATIONS[name]}")
        for key, other in (("train_invert", "train"), ("train_store", "train"), ("score", "score"), ("sample", "sample")):
            mine, peers = median(a, key), median(b, other)
            share = f", {100 * median(shares, key):.0f} % of product peak" if key in shares[0] else ""
            print(f"  {key:<14}{mine:>10.1f} images/s, peer {peers:>8.1f}: {mine / peers:.2f} times{share}")
        print(f"  peak memory {memory[-1][0]:.0f} MiB, peer {memory[-1][1]:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
