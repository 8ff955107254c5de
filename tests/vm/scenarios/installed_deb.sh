#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The Debian package on a system with systemd: it installs and the service is ready, its records arrive where the group may
# read them, the watchdog is fed, a reload reopens the file and reads policies, an upgrade restarts what runs and nothing
# else, the next boot starts it, a removal stops it, a new installation starts it again, and a purge takes its data.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../installed/machine.sh
. "$here/installed/machine.sh"

package=$(ls "$root"/build/packages/isoscope_*.deb) || fail "no package: scripts/package.sh makes it"
prepare_machine "$package" deb
boot 1
boot 2
expect_equal "programs left in the kernel" 0 "$(attached_programs)"
