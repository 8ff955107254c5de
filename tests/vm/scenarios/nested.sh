#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A guest with a guest of its own: the exits of the inner one are counted, and counted apart.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
rounds=2000

start_agent -i 1s
nested_guest $rounds >guest.json
stop_agent
pid=$(jq .pid guest.json)
expect_equal "vmrun exits" $rounds "$(sum_exits "$pid" count vmrun)"
expect_equal "vmrun exits of the inner guest" 0 "$(sum_exits "$pid" nested vmrun)"
expect_equal "hlt exits" $((rounds + 1)) "$(sum_exits "$pid" count hlt)"
expect_equal "hlt exits of the inner guest" $rounds "$(sum_exits "$pid" nested hlt)"
expect_ledger_closed
