# SPDX-License-Identifier: Apache-2.0
"""Faults on demand in the lab's drivers of Nova and Cinder: 'lab fault' writes a file for each, in the folder
'faults' of a cloud, and here it is looked at. Without a file nothing happens. Also what 'lab fault' itself uses."""
import fcntl
import json
import os
import time

#: what can be told to fail, and how
OPERATIONS = {'attach': ('error', 'slow', 'stuck', 'missing'), 'detach': ('error', 'slow', 'stuck'),
              'start': ('error', 'slow', 'stuck'), 'create': ('error', 'slow', 'stuck'),
              'clone': ('error', 'slow', 'stuck'), 'snapshot': ('error', 'slow', 'stuck'),
              'delete': ('error', 'slow', 'stuck')}
LONGEST_STUCK = 3600


class Fault(Exception):
    """What the driver fails with."""


def write(path, fault):
    with open(path + '.new', 'w') as f:
        json.dump(fault, f)
    os.rename(path + '.new', path)


def set_fault(directory, operation, kind, nth=1, count=1, seconds=0):
    os.makedirs(directory, exist_ok=True)
    write('%s/%s' % (directory, operation),
          {'kind': kind, 'nth': nth, 'count': count, 'seconds': seconds, 'seen': 0, 'hits': 0})


def clear(directory):
    """{operation: how often it was failed}; what is stuck goes on."""
    hits = listing(directory)
    for operation in hits:
        os.unlink('%s/%s' % (directory, operation))
    return {operation: fault['hits'] for operation, fault in hits.items()}


def listing(directory):
    found = {}
    for operation in sorted(OPERATIONS):
        try:
            with open('%s/%s' % (directory, operation)) as f:
                found[operation] = json.load(f)
        except FileNotFoundError:
            pass
    return found


def _take(directory, operation):
    path = '%s/%s' % (directory, operation)
    if not os.path.exists(path):
        return None
    with open(directory + '/.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            with open(path) as f:
                fault = json.load(f)
        except FileNotFoundError:
            return None
        fault['seen'] += 1
        hit = fault['seen'] >= fault['nth'] and (not fault['count'] or fault['hits'] < fault['count'])
        fault['hits'] += hit
        write(path, fault)
    return fault if hit else None


def happen(state_path, operation):
    """Called by a driver when it begins an operation: raises, waits, or returns the kind of a fault that the driver
    must see to itself ('missing'), or None. state_path: the service's own, STATE/CLOUD/SERVICE."""
    directory = os.path.join(os.path.dirname(state_path), 'faults')
    fault = _take(directory, operation)
    if fault is None:
        return None
    if fault['kind'] == 'error':
        raise Fault('%s was told to fail (lab fault)' % operation)
    end = time.time() + (fault['seconds'] if fault['kind'] == 'slow' else LONGEST_STUCK)
    while fault['kind'] in ('slow', 'stuck') and time.time() < end and \
            (fault['kind'] == 'slow' or os.path.exists('%s/%s' % (directory, operation))):
        time.sleep(0.2)  # eventlet's in the services
    return fault['kind']
