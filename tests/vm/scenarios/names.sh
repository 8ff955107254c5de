#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A container is called what its runtime wrote down of it, also when that is written after it has started; what another
# runtime's files say of it is not believed.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

id=$(printf '4f%.0s' {1..32})
file=/var/lib/docker/containers/$id/config.v2.json

container.sh create-bundle "$PWD/box" --cgroup "/docker/$id" -- sh -c 'while :; do sleep 1; done'
start_agent -i 2s --label app
container.sh start runc box "$PWD/box"
wait_for 20 "the container's start" grep -qF '"state":"started"' "$records"
mkdir -p "$(dirname "$file")"
echo '{"Name":"/shop-web","Config":{"Image":"nginx:1.25","Labels":{"app":"shop","tier":"front"}}}' >"$file"
wait_for 40 "its name" grep -qF '"state":"updated"' "$records"
wait_for 20 "a window with its name" bash -c "grep -F '\"type\":\"sched\"' '$records' | grep -qF shop-web"
container.sh stop runc box
wait_for 20 "the container's end" grep -qF '"state":"stopped"' "$records"
stop_agent

said() { # STATE
    records_of unit | jq -c --arg state "$1" 'select(.state == $state) | [.unit.id, .unit.name, .runtime, .image, .labels]'
}
expect_equal "the container at its start" "[\"$id\",\"${id:0:12}\",\"docker\",null,null]" "$(said started)"
for state in updated stopped; do
    expect_equal "the container when it was $state" \
        "[\"$id\",\"shop-web\",\"docker\",\"nginx:1.25\",{\"app\":\"shop\"}]" "$(said $state)"
done
expect_equal "its namespaces" "$(records_of unit | jq -c 'select(.state == "started") | .namespaces')" \
    "$(records_of unit | jq -c 'select(.state == "updated") | .namespaces')"
expect_ledger_closed
