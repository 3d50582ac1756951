# SPDX-License-Identifier: Apache-2.0
"""Process 1 of the lab: makes the networks, starts and reaps the services,
answers one JSON line per connection on a unix socket."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

from osmlab import settings

procs = {}           # name -> pid, argv, request, restarts, started, rc
by_pid = {}
keep = []            # Popen objects: a dropped one would reap its child itself
lock = threading.RLock()
MAX_RESTARTS = 10


def sh(command):
    return subprocess.call(command, shell=True)


def mount_disks():
    disks, image = settings.DISKS, settings.DISKS_FILE
    if sh('mount -o loop,noatime %s %s' % (image, disks)):
        raise SystemExit('cannot mount ' + image)
    # a flush by a server need not reach the machine's disk: a lab may be lost
    device = subprocess.check_output(['findmnt', '-no', 'SOURCE', disks], text=True).strip()
    with open('/sys/block/%s/queue/write_cache' % os.path.basename(device), 'w') as f:
        f.write('write through')
    for c in settings.CLOUDS:
        for name in ('images', 'volumes', 'instances', 'image-cache'):
            os.makedirs('%s/%s/%s' % (disks, c.name, name), exist_ok=True)


def make_networks():
    for key in ('net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0',
                'net.ipv4.conf.default.rp_filter=0'):
        sh('sysctl -q -w ' + key)
    sh('ip addr add %s/32 dev lo' % settings.MESSAGES_IP)
    for c in settings.CLOUDS:
        # the external network's bridge is ours, its other end the compute host's
        sh('set -e; ip netns add {host};'
           'ip link add {br} type bridge forward_delay 0; ip addr add {net}.1/24 dev {br};'
           'ip link set {br} up;'
           'ip link add pubb-{n} type veth peer name pub-{n} netns {host};'
           'ip link set pubb-{n} master {br} up; ip -n {host} link set pub-{n} up;'
           'ip link add api-{n} type veth peer name api0 netns {host};'
           'ip addr add {ip}/24 dev api-{n}; ip link set api-{n} up;'
           'ip -n {host} link set lo up; ip -n {host} link set api0 up;'
           'ip -n {host} addr add {host_ip}/24 dev api0;'
           'ip -n {host} route add 10.99.0.0/16 via {ip}'
           .format(br=c.bridge, net=c.prefix, n=c.name, host=settings.host_netns(c), ip=c.ip,
                   host_ip=c.ip.rsplit('.', 1)[0] + '.2'))


def setup():
    sh('hostname osm-lab; ip link set lo up')
    sh('mount --make-rshared /')
    # one /run/netns for all agents and servers, gone with the lab
    sh('mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; mount --make-shared /run/netns')
    sh('mount -t sysfs sysfs /sys')
    mount_disks()
    make_networks()


def spawn(r):
    with lock:
        old = procs.get(r['name'])
        if old and old['rc'] is None:
            return {'pid': old['pid'], 'already': True}
        env = {'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
               'HOME': '/root', 'LANG': 'C.UTF-8', 'PYTHONUNBUFFERED': '1',
               'OSM_LAB_STATE': settings.STATE, 'OSM_LAB_CACHE': settings.CACHE}
        env.update(r.get('env') or {})
        with open(r['log'], 'ab', 0) as out:
            p = subprocess.Popen(r['argv'], env=env, stdin=subprocess.DEVNULL,
                                 stdout=out, stderr=out, cwd='/', start_new_session=True)
        procs[r['name']] = {'pid': p.pid, 'argv': r['argv'], 'request': r,
                            'restarts': (old or {}).get('restarts', -1) + 1,
                            'started': time.time(), 'rc': None}
        by_pid[p.pid] = r['name']
        keep.append(p)
        return {'pid': p.pid}


def respawn(name):
    with lock:
        request = procs[name]['request']
    spawn(request)


def reaper():
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            time.sleep(0.2)
            continue
        with lock:
            name = by_pid.pop(pid, None)
            if not name:
                continue
            p = procs[name]
            p['rc'] = status
            # a service that dies (its database was not there yet...) starts
            # again, as systemd's Restart=on-failure would do it
            if status != 0 and not p.get('stopping') and p['restarts'] < MAX_RESTARTS:
                timer = threading.Timer(1.0, respawn, (name,))
                timer.daemon = True
                timer.start()


def kill(r):
    with lock:
        p = procs.get(r['name'])
        if p and p['rc'] is None:
            p['stopping'] = not r.get('again')
            os.killpg(p['pid'], r['sig'])
    return {'ok': True}


def listing():
    with lock:
        return {name: {k: v for k, v in p.items() if k != 'request'}
                for name, p in procs.items()}


def answer(connection):
    with connection:
        try:
            r = json.loads(connection.makefile().readline())
            if r['op'] == 'spawn':
                a = spawn(r)
            elif r['op'] == 'list':
                a = listing()
            elif r['op'] == 'kill':
                a = kill(r)
            else:
                a = {'error': 'unknown request'}
        except Exception as e:      # the caller shall see it, process 1 must live
            a = {'error': repr(e)}
        try:
            connection.sendall((json.dumps(a) + '\n').encode())
        except OSError:
            pass


def main():
    setup()
    signal.signal(signal.SIGTERM, lambda *a: os._exit(0))
    threading.Thread(target=reaper, daemon=True).start()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(settings.SOCKET)
        os.chmod(settings.SOCKET, 0o600)
        s.listen(64)
        while True:
            c, _ = s.accept()
            threading.Thread(target=answer, args=(c,), daemon=True).start()
