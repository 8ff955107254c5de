#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The rpm's scriptlets where systemd runs: an installation leaves the start to the administrator, the service is ready and
# writes, an upgrade restarts what runs and nothing else, a removal stops it.
#
# Debian's rpm knows no packages that Debian installed: dependencies are left out here, and checked in tests/package.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../installed/machine.sh
. "$here/installed/machine.sh"

package=$(ls "$root"/build/packages/isoscope-*.rpm) || fail "no package: scripts/package.sh makes it"
prepare_machine "$package" rpm
boot 1
expect_equal "programs left in the kernel" 0 "$(attached_programs)"
