# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What quickstart and check have in common: refusals, packages, build, lab.
# The caller has set $top to the top of the source tree.

: "${top:?}"
started=$SECONDS
say() { printf '[%4ds] %s\n' $((SECONDS - started)) "$*"; }
refuse() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Needs: root, Debian 12, memory in MiB ($1), disk in MiB where state goes ($2).
require_machine() {
  local id version memory disk

  [ "$(id -u)" = 0 ] || refuse "must be run as root (namespaces, loop devices, packages)"
  [ -r /etc/os-release ] || refuse "this is not Debian 12 (no /etc/os-release)"
  id=$(. /etc/os-release && echo "${ID:-}")
  version=$(. /etc/os-release && echo "${VERSION_ID:-}")
  [ "$id-$version" = debian-12 ] ||
    refuse "this is ${id:-unknown} ${version:-}, and the clouds of the lab need the packages of Debian 12"
  memory=$(awk '/^MemTotal:/ {print int($2 / 1024)}' /proc/meminfo)
  [ "$memory" -ge "$1" ] || refuse "this machine has $memory MiB of memory, $1 are needed"
  disk=$(df -Pm /var | awk 'NR == 2 {print $4}')
  [ "$disk" -ge "$2" ] || refuse "/var has $disk MiB free, $2 are needed"
}

# All list files in one go; services are neither started nor enabled.
install_packages() {
  if ! [ -x /usr/bin/python3 ]; then
    say "installing python3"
    apt-get -q update > /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends python3 > /dev/null
  fi
  "$top/tests/lab/lab" install "$@"
}

# Builds in _build, or in the tree itself where somebody has configured it.
build_product() {
  local log=$1
  shift
  build=$top/_build
  [ ! -e "$top/config.status" ] || build=$top
  mkdir -p "$build"
  {
    [ "$top/configure" -nt "$top/configure.ac" ] && [ "$top/Makefile.in" -nt "$top/Makefile.am" ] ||
      (cd "$top" && ./autogen.sh)
    (cd "$build" && "$top/configure" --prefix=/usr --sysconfdir=/etc --localstatedir=/var "$@")
    make -C "$build" -j"$(nproc)"
  } > "$log" 2>&1 || {
    tail -n 30 "$log" >&2
    echo "$(basename "$0"): the build failed, see $log" >&2
    exit 1
  }
}

# The conversion host's image with the agent just built: $1.
build_conversion_image() {
  local root
  root=$(mktemp -d)
  make -s -C "$build" install DESTDIR="$root" > "$root.log" 2>&1 || {
    tail -n 20 "$root.log" >&2
    exit 1
  }
  "$top/images/build-image" conversion-host --agent-root "$root" --output "$1"
  rm -rf "$root" "$root.log"
}
