// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "policy/engine.h"
#include "policy/parse.h"

// Crossings to judge, and policies that are written down where they are tested.
namespace isoscope::policy::samples {

inline NamespaceMove move(event::NamespaceType type, Direction direction) {
  return {.type = type, .from = 1, .to = 2, .to_owner = {}, .to_is_new = false, .direction = direction};
}

// mnt and net lead to the host, uts back to the container's own.
inline Crossing escape() {
  using event::NamespaceType;
  Crossing crossing;
  crossing.ts_mono_ns = 1'000'000'000;
  crossing.from = {identity::UnitKind::container, "c0ffee", "shop/web"};
  crossing.direction = Direction::escape;
  crossing.mechanism = event::Mechanism::setns;
  crossing.process.pid = 41;
  crossing.process.tid = 42;
  crossing.process.uid = 1000;
  crossing.process.comm = "nsenter";
  crossing.process.exe = "/usr/bin/nsenter";
  crossing.process.start_boot_ns = 1000;
  crossing.process.cap_effective = std::uint64_t{1} << 21;  // cap_sys_admin
  crossing.moves = {move(NamespaceType::mnt, Direction::escape), move(NamespaceType::uts, Direction::own),
                    move(NamespaceType::net, Direction::escape)};
  return crossing;
}

inline Crossing moved_away() {
  Crossing crossing = escape();
  crossing.direction = Direction::leave_cgroup;
  crossing.mechanism = event::Mechanism::cgroup_attach;
  crossing.moves.clear();
  crossing.to = {identity::UnitKind::cgroup, "/user.slice", "/user.slice"};
  crossing.to_cgroup = "/user.slice";
  return crossing;
}

// An event of another family: it has no crossing.
inline Facts ptrace() {
  Facts facts;
  facts.event = EventKind::access;
  facts.direction = Direction::lateral;
  facts.unit = {identity::UnitKind::container, "c0ffee", "web"};
  facts.to = identity::UnitRef{identity::UnitKind::container, "beef", "db"};
  facts.process = escape().process;
  facts.resources = {"process"};
  facts.action = "ptrace";
  return facts;
}

inline std::vector<Policy> policies(const std::string& yaml) {
  Parsed parsed = parse("t.yaml", yaml);
  for (const base::Error& error : parsed.errors) {
    ADD_FAILURE() << error.message;
  }
  return parsed.policies;
}

// A policy with one rule that has this `on`, and more.
inline Policy policy(const std::string& on, const std::string& effect = "deny",
                     const std::string& more = "") {
  const auto all = policies("name: p\nseverity: high\nrules:\n  - {name: r, on: {" + on +
                            "}, effect: " + effect + (more.empty() ? "" : ", ") + more + "}\n");
  return all.empty() ? Policy{} : all.front();
}

}  // namespace isoscope::policy::samples
