"""A program with the command line of ArduCopter's SITL and the embedded simulator behind it.

It stands in for the binary that ``ARDUCOPTER`` names, so that starting and asking one is tried
where none is installed.  It proves nothing about ArduCopter.
"""

import argparse
import json
import os
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("-w", action="store_true")
parser.add_argument("--model", required=True)
parser.add_argument("--home", required=True)
parser.add_argument("-I", type=int, default=0, dest="instance")
parser.add_argument("--speedup", type=float, default=1.0)
parser.add_argument("--defaults", type=Path, required=True)
given = parser.parse_args()
if given.model != "quad" or len(given.home.split(",")) != 4 or not given.defaults.is_file():
    parser.error("not what ArduCopter would understand")
Path("options.json").write_text(json.dumps(vars(given), default=str))
root = Path(__file__).parents[2]
port = 5760 + 10 * given.instance
command = [sys.executable, "-m", "sitl", "--drones", "1", "--base-port", str(port)]
command += ["--speedup", str(given.speedup)]
os.chdir(root)
os.execv(sys.executable, command)
