// SPDX-License-Identifier: Apache-2.0
// The layout of every struct of bpf/abi, as g++ sees it, against the BTF that clang writes for BPF.
#include <bpf/btf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/knobs.h"

namespace isoscope::live {
namespace {

struct Place {
  std::size_t offset = 0;
  std::size_t bytes = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

std::ostream& operator<<(std::ostream& out, const Place& place) {
  return out << place.bytes << " bytes at " << place.offset;
}

struct Layout {
  std::size_t bytes = 0;
  std::map<std::string, Place> members;
};

#define MEMBER(type, member)                       \
  {                                                \
#member, Place {                               \
      offsetof(type, member), sizeof(type::member) \
    }                                              \
  }

// clang-format off
const std::map<std::string, Layout> abi{
    {"isoscope_event_header", {sizeof(isoscope_event_header), {
        MEMBER(isoscope_event_header, size), MEMBER(isoscope_event_header, kind),
        MEMBER(isoscope_event_header, event_class), MEMBER(isoscope_event_header, cpu),
        MEMBER(isoscope_event_header, tgid), MEMBER(isoscope_event_header, tid),
        MEMBER(isoscope_event_header, ts_ns), MEMBER(isoscope_event_header, cgroup_id)}}},
    {"isoscope_vm_exit", {sizeof(isoscope_vm_exit), {
        MEMBER(isoscope_vm_exit, header), MEMBER(isoscope_vm_exit, start_ns),
        MEMBER(isoscope_vm_exit, duration_ns), MEMBER(isoscope_vm_exit, vcpu_id),
        MEMBER(isoscope_vm_exit, isa), MEMBER(isoscope_vm_exit, reason), MEMBER(isoscope_vm_exit, pad),
        MEMBER(isoscope_vm_exit, split), MEMBER(isoscope_vm_exit, guest_rip)}}},
    {"isoscope_split", {sizeof(isoscope_split), {
        MEMBER(isoscope_split, halted_ns), MEMBER(isoscope_split, userspace_ns),
        MEMBER(isoscope_split, preempted_ns)}}},
    {"isoscope_switch", {sizeof(isoscope_switch), {
        MEMBER(isoscope_switch, header), MEMBER(isoscope_switch, ran_ns),
        MEMBER(isoscope_switch, next_cgroup_id), MEMBER(isoscope_switch, next_waited_ns),
        MEMBER(isoscope_switch, next_tgid), MEMBER(isoscope_switch, next_tid), MEMBER(isoscope_switch, prev_state),
        MEMBER(isoscope_switch, voluntary), MEMBER(isoscope_switch, pad)}}},
    {"isoscope_cgroup_change", {sizeof(isoscope_cgroup_change), {
        MEMBER(isoscope_cgroup_change, header), MEMBER(isoscope_cgroup_change, id),
        MEMBER(isoscope_cgroup_change, parent_id), MEMBER(isoscope_cgroup_change, level),
        MEMBER(isoscope_cgroup_change, name_bytes), MEMBER(isoscope_cgroup_change, name)}}},
    {"isoscope_cgroup_attach", {sizeof(isoscope_cgroup_attach), {
        MEMBER(isoscope_cgroup_attach, header), MEMBER(isoscope_cgroup_attach, to_cgroup_id),
        MEMBER(isoscope_cgroup_attach, home_cgroup_id), MEMBER(isoscope_cgroup_attach, moved_tgid),
        MEMBER(isoscope_cgroup_attach, moved_tid), MEMBER(isoscope_cgroup_attach, comm),
        MEMBER(isoscope_cgroup_attach, mechanism), MEMBER(isoscope_cgroup_attach, pad),
        MEMBER(isoscope_cgroup_attach, exe)}}},
    {"isoscope_exe", {sizeof(isoscope_exe), {
        MEMBER(isoscope_exe, inode), MEMBER(isoscope_exe, device), MEMBER(isoscope_exe, pad)}}},
    {"isoscope_ns_set", {sizeof(isoscope_ns_set), {
        MEMBER(isoscope_ns_set, inum)}}},
    {"isoscope_exec", {sizeof(isoscope_exec), {
        MEMBER(isoscope_exec, header), MEMBER(isoscope_exec, namespaces), MEMBER(isoscope_exec, start_ns),
        MEMBER(isoscope_exec, parent_tgid), MEMBER(isoscope_exec, pad), MEMBER(isoscope_exec, comm)}}},
    {"isoscope_namespaces", {sizeof(isoscope_namespaces), {
        MEMBER(isoscope_namespaces, header), MEMBER(isoscope_namespaces, from),
        MEMBER(isoscope_namespaces, to), MEMBER(isoscope_namespaces, home_cgroup_id),
        MEMBER(isoscope_namespaces, start_ns), MEMBER(isoscope_namespaces, cap_effective),
        MEMBER(isoscope_namespaces, parent_tgid), MEMBER(isoscope_namespaces, uid),
        MEMBER(isoscope_namespaces, mechanism), MEMBER(isoscope_namespaces, seen_at),
        MEMBER(isoscope_namespaces, initial), MEMBER(isoscope_namespaces, answer),
        MEMBER(isoscope_namespaces, pad), MEMBER(isoscope_namespaces, comm), MEMBER(isoscope_namespaces, exe)}}},
    {"isoscope_vcpu_event", {sizeof(isoscope_vcpu_event), {
        MEMBER(isoscope_vcpu_event, header), MEMBER(isoscope_vcpu_event, start_ns),
        MEMBER(isoscope_vcpu_event, vcpu_id), MEMBER(isoscope_vcpu_event, isa)}}},
    {"isoscope_breach", {sizeof(isoscope_breach), {
        MEMBER(isoscope_breach, header), MEMBER(isoscope_breach, home_cgroup_id), MEMBER(isoscope_breach, start_ns),
        MEMBER(isoscope_breach, cap_effective), MEMBER(isoscope_breach, before), MEMBER(isoscope_breach, now),
        MEMBER(isoscope_breach, parent_tgid), MEMBER(isoscope_breach, uid), MEMBER(isoscope_breach, invariant),
        MEMBER(isoscope_breach, capability_set), MEMBER(isoscope_breach, seen_at), MEMBER(isoscope_breach, answer), MEMBER(isoscope_breach, pad),
        MEMBER(isoscope_breach, comm), MEMBER(isoscope_breach, exe)}}},
    {"isoscope_exit_cell", {sizeof(isoscope_exit_cell), {
        MEMBER(isoscope_exit_cell, unfinished), MEMBER(isoscope_exit_cell, sum_ns),
        MEMBER(isoscope_exit_cell, min_ns), MEMBER(isoscope_exit_cell, max_ns),
        MEMBER(isoscope_exit_cell, window), MEMBER(isoscope_exit_cell, reason),
        MEMBER(isoscope_exit_cell, nested), MEMBER(isoscope_exit_cell, split), MEMBER(isoscope_exit_cell, buckets)}}},
    {"isoscope_vcpu", {sizeof(isoscope_vcpu), {
        MEMBER(isoscope_vcpu, state), MEMBER(isoscope_vcpu, vcpu_id), MEMBER(isoscope_vcpu, tgid),
        MEMBER(isoscope_vcpu, tid), MEMBER(isoscope_vcpu, isa), MEMBER(isoscope_vcpu, pad),
        MEMBER(isoscope_vcpu, start_ns), MEMBER(isoscope_vcpu, cgroup_id),
        MEMBER(isoscope_vcpu, unmatched_entries), MEMBER(isoscope_vcpu, unmatched_exits),
        MEMBER(isoscope_vcpu, other_unfinished), MEMBER(isoscope_vcpu, other_finished),
        MEMBER(isoscope_vcpu, other_sum_ns), MEMBER(isoscope_vcpu, other_split),
        MEMBER(isoscope_vcpu, pending), MEMBER(isoscope_vcpu, svm), MEMBER(isoscope_vcpu, cells)}}},
    {"isoscope_pending_exit", {sizeof(isoscope_pending_exit), {
        MEMBER(isoscope_pending_exit, start_ns), MEMBER(isoscope_pending_exit, nested),
        MEMBER(isoscope_pending_exit, reason), MEMBER(isoscope_pending_exit, parts),
        MEMBER(isoscope_pending_exit, pad),
        MEMBER(isoscope_pending_exit, userspace_since_ns), MEMBER(isoscope_pending_exit, phase_preempted_ns),
        MEMBER(isoscope_pending_exit, split), MEMBER(isoscope_pending_exit, guest_rip)}}},
    {"isoscope_svm_cache", {sizeof(isoscope_svm_cache), {
        MEMBER(isoscope_svm_cache, vcpu), MEMBER(isoscope_svm_cache, vmcb), MEMBER(isoscope_svm_cache, exits),
        MEMBER(isoscope_svm_cache, hflags), MEMBER(isoscope_svm_cache, pad)}}},
    {"isoscope_sched_cell", {sizeof(isoscope_sched_cell), {
        MEMBER(isoscope_sched_cell, account), MEMBER(isoscope_sched_cell, voluntary),
        MEMBER(isoscope_sched_cell, involuntary), MEMBER(isoscope_sched_cell, on_cpu_ns),
        MEMBER(isoscope_sched_cell, resumed), MEMBER(isoscope_sched_cell, migrations),
        MEMBER(isoscope_sched_cell, threads), MEMBER(isoscope_sched_cell, waits_ns),
        MEMBER(isoscope_sched_cell, preempted_ns), MEMBER(isoscope_sched_cell, own_preemptions),
        MEMBER(isoscope_sched_cell, own_preempted_ns), MEMBER(isoscope_sched_cell, wait_buckets)}}},
    {"isoscope_cpu_run", {sizeof(isoscope_cpu_run), {
        MEMBER(isoscope_cpu_run, account), MEMBER(isoscope_cpu_run, since_ns)}}},
    {"isoscope_cpu_runs", {sizeof(isoscope_cpu_runs), {
        MEMBER(isoscope_cpu_runs, last), MEMBER(isoscope_cpu_runs, runs),
        MEMBER(isoscope_cpu_runs, clock), MEMBER(isoscope_cpu_runs, pad)}}},
    {"isoscope_queue_clock", {sizeof(isoscope_queue_clock), {
        MEMBER(isoscope_queue_clock, offset_ns), MEMBER(isoscope_queue_clock, read_ns)}}},
    {"isoscope_access", {sizeof(isoscope_access), {
        MEMBER(isoscope_access, header), MEMBER(isoscope_access, home_cgroup_id),
        MEMBER(isoscope_access, start_ns), MEMBER(isoscope_access, cap_effective),
        MEMBER(isoscope_access, target_cgroup_id), MEMBER(isoscope_access, target_in_cgroup_id),
        MEMBER(isoscope_access, target_tgid),
        MEMBER(isoscope_access, parent_tgid), MEMBER(isoscope_access, uid),
        MEMBER(isoscope_access, kind), MEMBER(isoscope_access, detail),
        MEMBER(isoscope_access, result), MEMBER(isoscope_access, target_inum),
        MEMBER(isoscope_access, path_bytes),
        MEMBER(isoscope_access, exe), MEMBER(isoscope_access, comm), MEMBER(isoscope_access, path)}}},
    {"isoscope_preemption_key", {sizeof(isoscope_preemption_key), {
        MEMBER(isoscope_preemption_key, account), MEMBER(isoscope_preemption_key, by)}}},
    {"isoscope_preemption", {sizeof(isoscope_preemption), {
        MEMBER(isoscope_preemption, count), MEMBER(isoscope_preemption, waited_ns)}}},
    {"isoscope_knobs", {sizeof(isoscope_knobs), {
        MEMBER(isoscope_knobs, abi_version), MEMBER(isoscope_knobs, task_slots),
        MEMBER(isoscope_knobs, slow_exit_ns), MEMBER(isoscope_knobs, wakeup_bytes),
        MEMBER(isoscope_knobs, stream_exits), MEMBER(isoscope_knobs, stream_switches),
        MEMBER(isoscope_knobs, legal_paths_watched), MEMBER(isoscope_knobs, has_cast), MEMBER(isoscope_knobs, cgroup_controller),
        MEMBER(isoscope_knobs, pad),
        MEMBER(isoscope_knobs, classic_reason_offset), MEMBER(isoscope_knobs, classic_vcpu_offset),
        MEMBER(isoscope_knobs, classic_isa_offset), MEMBER(isoscope_knobs, classic_rip_offset),
        MEMBER(isoscope_knobs, classic_wakeup_ns_offset), MEMBER(isoscope_knobs, cgroup_hierarchy_id),
        MEMBER(isoscope_knobs, host_namespaces)}}},
    {"isoscope_control", {sizeof(isoscope_control), {
        MEMBER(isoscope_control, window), MEMBER(isoscope_control, epoch),
        MEMBER(isoscope_control, enforced), MEMBER(isoscope_control, waits_hooked)}}},
    {"isoscope_enforcement", {sizeof(isoscope_enforcement), {
        MEMBER(isoscope_enforcement, own), MEMBER(isoscope_enforcement, invariants),
        MEMBER(isoscope_enforcement, kill)}}},
    {"isoscope_recheck", {sizeof(isoscope_recheck), {
        MEMBER(isoscope_recheck, dropped_since_ns), MEMBER(isoscope_recheck, tasks),
        MEMBER(isoscope_recheck, found), MEMBER(isoscope_recheck, pending)}}},
    {"isoscope_hist_tables", {sizeof(isoscope_hist_tables), {
        MEMBER(isoscope_hist_tables, floor_ns), MEMBER(isoscope_hist_tables, guess)}}},
};
// clang-format on

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

std::string text(const btf* types, std::uint32_t offset) {
  return btf__name_by_offset(types, offset);
}

Layout layout_of(const btf* types, const btf_type* type) {
  Layout layout{.bytes = type->size, .members = {}};
  const btf_member* const members = btf_members(type);
  for (std::uint32_t i = 0; i < btf_vlen(type); ++i) {
    const std::string name = text(types, members[i].name_off);
    EXPECT_EQ(btf_member_bitfield_size(type, i), 0U) << name << ": compilers place bit fields as they like";
    const std::int64_t bytes = btf__resolve_size(types, members[i].type);
    layout.members[name] =
        Place{btf_member_bit_offset(type, i) / 8, static_cast<std::size_t>(bytes < 0 ? 0 : bytes)};
  }
  return layout;
}

// Our structs in an object, by name.
std::map<std::string, Layout> layouts_in(const char* object) {
  std::map<std::string, Layout> layouts;
  const Btf types(btf__parse_elf(object, nullptr));
  EXPECT_NE(types, nullptr) << object << " has no BTF";
  for (std::uint32_t id = 1; types && id < btf__type_cnt(types.get()); ++id) {
    const btf_type* const type = btf__type_by_id(types.get(), id);
    const std::string name = text(types.get(), type->name_off);
    if (btf_is_struct(type) && name.starts_with("isoscope_")) {
      layouts[name] = layout_of(types.get(), type);
    }
  }
  return layouts;
}

std::vector<std::string> names_of(const std::map<std::string, Layout>& layouts) {
  std::vector<std::string> names;
  for (const auto& [name, layout] : layouts) {
    names.push_back(name);
  }
  return names;
}

void expect_equal(const std::string& name, const Layout& cpp, const Layout& bpf) {
  EXPECT_EQ(cpp.bytes, bpf.bytes) << name;
  for (const auto& [member, place] : cpp.members) {
    const auto found = bpf.members.find(member);
    if (found == bpf.members.end()) {
      ADD_FAILURE() << name << "." << member << " is not in the BTF";
      continue;
    }
    EXPECT_EQ(place, found->second) << name << "." << member;
  }
  for (const auto& [member, place] : bpf.members) {
    EXPECT_TRUE(cpp.members.contains(member)) << name << "." << member << " is missing in this test's table";
  }
}

TEST(Abi, EveryStructHasTheSameLayoutOnBothSides) {
  const auto compiled = layouts_in(ISOSCOPE_ABI_TYPES);
  EXPECT_EQ(names_of(compiled), names_of(abi));
  for (const auto& [name, layout] : compiled) {
    if (const auto known = abi.find(name); known != abi.end()) {
      expect_equal(name, known->second, layout);
    }
  }
}

// What the maps and knobs of the object that we ship look like.
TEST(Abi, TheObjectHasTheseLayouts) {
  const auto shipped = layouts_in(ISOSCOPE_BPF_OBJECT);
  EXPECT_THAT(names_of(shipped),
              testing::IsSupersetOf({"isoscope_control", "isoscope_cpu_runs", "isoscope_exit_cell",
                                     "isoscope_hist_tables", "isoscope_knobs", "isoscope_preemption",
                                     "isoscope_sched_cell", "isoscope_vcpu"}));
  for (const auto& [name, layout] : shipped) {
    const auto known = abi.find(name);
    if (known == abi.end()) {
      ADD_FAILURE() << "struct " << name << " is missing in this test's table";
      continue;
    }
    expect_equal(name, known->second, layout);
  }
}

TEST(Abi, NoStructOfTheHeadersIsMissingInTheTable) {
  const std::regex definition(R"(^struct (isoscope_\w+) \{)");
  std::set<std::string> defined;
  for (const auto& header : std::filesystem::directory_iterator(ISOSCOPE_ABI_FOLDER)) {
    std::ifstream file(header.path());
    for (std::string line; std::getline(file, line);) {
      std::smatch match;
      if (std::regex_search(line, match, definition)) {
        defined.insert(match[1]);
      }
    }
  }
  EXPECT_THAT(defined, testing::ElementsAreArray(names_of(abi)));
}

}  // namespace
}  // namespace isoscope::live
