"""What a part found: cases that held, cases that did not, and cases left out with why. Written to the file that $REPORT names."""

import json
import os
import sys
import traceback
from collections import Counter


class LeftOut(Exception):
    """A case that cannot be tried, with why."""


class Report:
    def __init__(self):
        self.passed = Counter()
        self.failed = []
        self.left_out = Counter()

    def held(self, group, count=1):
        self.passed[group] += count

    def differs(self, group, case, why):
        self.failed.append({"group": group, "case": case, "why": str(why)[:600]})
        print(f"FAILED {group}: {case}: {why}", file=sys.stderr)

    def leave_out(self, why, count=1):
        self.left_out[why] += count

    def attempt(self, group, case, what):
        """Calls `what`; that it returns is that the case held."""
        try:
            what()
        except LeftOut as why:
            self.leave_out(str(why))
        except Exception as thrown:  # each failure is a finding of its own
            if not isinstance(thrown, AssertionError):
                traceback.print_exc()
            self.differs(group, case, f"{type(thrown).__name__}: {thrown}")
        else:
            self.held(group)

    def write(self):
        told = {"passed": dict(self.passed), "failed": self.failed, "leftOut": dict(self.left_out)}
        path = os.environ.get("REPORT")
        if path:
            with open(path, "w") as file:
                json.dump(told, file)
        else:
            print(json.dumps(told, indent=2))
        sys.exit(1 if self.failed else 0)
