"""python -m mt5.junit REPORT: what pytest wrote about a run: "good bad" first, then a line for each test that is not good."""

import sys
import xml.etree.ElementTree as xml


def read_report(path):
    """(how many went well, the names of those that did not as pytest takes them)"""
    good, bad = 0, []
    for case in xml.parse(path).iter("testcase"):
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            bad.append(f"tests/{case.get('classname').replace('.', '/')}.py::{case.get('name')}")
        elif "skipped" not in kinds:
            good += 1
    return good, bad


if __name__ == "__main__":
    went_well, failed = read_report(sys.argv[1])
    print(went_well, len(failed), *failed, sep="\n")
