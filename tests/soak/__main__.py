"""scripts/soak faults: one run, its record and its verdict on standard output."""

import argparse
import pathlib
import shutil
import sys
import tempfile
import traceback

from soak.faults import FAULTS
from soak.run import Soak
from soak.world import Plan


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/soak faults")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--signals-per-sec", type=float, default=2000)
    parser.add_argument("--interval-s", type=float, default=10)
    parser.add_argument("--only", help="faults whose name contains this")
    parser.add_argument("--logs", type=pathlib.Path, required=True, help="where the logs of a run that fails are kept")
    return parser.parse_args()


def keep_logs(folder, where):
    where.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("**/*.log"):
        shutil.copy(log, where / f"{log.parent.name}-{log.name}")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    arguments = read_arguments()
    plan = Plan(seed=arguments.seed, seconds=arguments.minutes * 60, instances=arguments.instances,
                signals_per_sec=arguments.signals_per_sec, interval_s=arguments.interval_s)
    faults = [fault for fault in FAULTS if (arguments.only or "") in fault.name]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="mt5-soak-"))
    is_good = False
    try:
        verdict = Soak(plan, folder, faults=faults).run()
        for ok, line in verdict.lines:
            print(f"{ {True: 'ok', False: 'WRONG', None: ''}[ok]:6} {line}")
        is_good = verdict.is_good
    except Exception:
        traceback.print_exc(file=sys.stdout)
    finally:
        if not is_good:
            keep_logs(folder, arguments.logs)
            print(f"the logs are in {arguments.logs}")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"faults: {'passed' if is_good else 'FAILED'}, seed {arguments.seed}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
