# SPDX-License-Identifier: Apache-2.0
"""The table that a suite ends with: point | tried | survived."""


class Table:
    def __init__(self, title, seed=None):
        self.title, self.seed = title, seed
        self.rows, self.wrong = {}, []

    def add(self, point, wrong=None):
        """One try; wrong: why it was not survived."""
        row = self.rows.setdefault(point, [0, 0])
        row[0] += 1
        row[1] += not wrong
        if wrong:
            self.wrong.append('%s: %s' % (point, wrong))
            if len(self.wrong) <= 40:
                print('FAILED: ' + self.wrong[-1], flush=True)

    def end(self):
        width = max([len(p) for p in self.rows] + [len('point')])
        print('\n%s%s' % (self.title, '' if self.seed is None else ', seed %d' % self.seed))
        print('%-*s | tried | survived' % (width, 'point'))
        for point, (tried, survived) in sorted(self.rows.items()):
            print('%-*s | %5d | %8d' % (width, point, tried, survived))
        tried = sum(r[0] for r in self.rows.values())
        print('%d passed, %d failed' % (tried - len(self.wrong), len(self.wrong)), flush=True)
        return 1 if self.wrong or not tried else 0
