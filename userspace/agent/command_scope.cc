// SPDX-License-Identifier: Apache-2.0
#include "agent/command_scope.h"

#include <variant>

namespace isoscope::agent {

bool CommandScope::is_own(std::uint64_t cgroup_id, const identity::CgroupTree& cgroups) const {
  if (made_.contains(cgroup_id)) {
    return true;
  }
  const std::string* const path = cgroup_path_.empty() ? nullptr : cgroups.path_of(cgroup_id);
  return path != nullptr && (*path == cgroup_path_ || path->starts_with(cgroup_path_ + "/"));
}

void CommandScope::observe(const event::Record& record, const identity::CgroupTree& cgroups) {
  if (const auto* const made = std::get_if<event::CgroupMade>(&record.payload)) {
    // By its maker alone: what others make below a cgroup of the command's making, such as /docker, is
    // theirs.
    (is_own(record.meta.cgroup_id, cgroups) ? made_ : strange_).insert(made->id);
  } else if (const auto* const attached = std::get_if<event::CgroupAttached>(&record.payload)) {
    if (strange_.erase(attached->to_cgroup_id) > 0 && is_own(attached->home_cgroup_id, cgroups)) {
      made_.insert(attached->to_cgroup_id);
    }
  } else if (const auto* const gone = std::get_if<event::CgroupRemoved>(&record.payload)) {
    strange_.erase(gone->id);
    if (made_.contains(gone->id)) {
      removed_.push_back(gone->id);
    }
    if (removed_.size() > removed_kept) {
      made_.erase(removed_.front());
      removed_.pop_front();
    }
  }
}

bool CommandScope::includes(std::uint64_t home_cgroup_id, const identity::Ancestry& ancestry,
                            const identity::CgroupTree& cgroups) const {
  if (is_own(home_cgroup_id, cgroups) || identity::passes(ancestry, agent_pid_)) {
    return true;
  }
  const bool knows_cgroups = !cgroup_path_.empty() && home_cgroup_id != 0;
  return !knows_cgroups && !ancestry.complete;
}

}  // namespace isoscope::agent
