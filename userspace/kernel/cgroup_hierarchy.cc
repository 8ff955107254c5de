// SPDX-License-Identifier: Apache-2.0
#include "kernel/cgroup_hierarchy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace isoscope::kernel {

namespace {

// mountinfo writes blanks and backslashes in paths as three octal digits.
std::string unescape_octal(std::string_view text) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string result;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool lists(std::string_view controllers, std::string_view wanted, char separator = ',') {
  const auto names = split(controllers, separator);
  return std::find(names.begin(), names.end(), wanted) != names.end();
}

// `36 25 0:31 /root /point options... [tags...] - type source options`; of v1, the options name the
// controllers.
std::optional<CgroupMount> cgroup_mount(std::string_view line, CgroupController controller) {
  const auto fields = split(line, ' ');
  const auto dash = std::find(fields.begin(), fields.end(), "-");
  if (dash - fields.begin() < 6 || fields.end() - dash < 2) {
    return std::nullopt;
  }
  const bool wanted = controller == CgroupController::unified
                          ? *(dash + 1) == "cgroup2"
                          : *(dash + 1) == "cgroup" && lists(fields.back(), to_string(controller));
  if (!wanted) {
    return std::nullopt;
  }
  std::string root = unescape_octal(fields[3]);
  if (root == "/") {
    root.clear();
  }
  return CgroupMount{.point = unescape_octal(fields[4]), .root = std::move(root)};
}

}  // namespace

const char* to_string(CgroupController controller) {
  switch (controller) {
    case CgroupController::unified:
      return "v2";
    case CgroupController::pids:
      return "pids";
    case CgroupController::memory:
      return "memory";
  }
  return "?";
}

std::optional<CgroupMount> find_cgroup_mount(std::string_view mountinfo, CgroupController controller) {
  std::optional<CgroupMount> found;
  for (const std::string_view line : split(mountinfo, '\n')) {
    auto mount = cgroup_mount(line, controller);
    if (mount && (!found || (mount->root.empty() && !found->root.empty()))) {
      found = std::move(mount);
    }
  }
  return found;
}

// `8:pids:/docker/4f2a`, and `0::/` for v2. A path may have colons, and ends with a mark if it was removed.
std::optional<CgroupMembership> find_membership(std::string_view cgroup_file, CgroupController controller) {
  constexpr std::string_view deleted = " (deleted)";
  for (std::string_view line : split(cgroup_file, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    CgroupMembership found;
    const auto [end, error] = std::from_chars(line.data(), line.data() + first, found.hierarchy_id);
    if (error != std::errc() || end != line.data() + first) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool wanted = controller == CgroupController::unified
                            ? found.hierarchy_id == 0 && controllers.empty()
                            : lists(controllers, to_string(controller));
    if (!wanted) {
      continue;
    }
    line.remove_prefix(second + 1);
    if (line.ends_with(deleted)) {
      line.remove_suffix(deleted.size());
    }
    found.path = line;
    return found;
  }
  return std::nullopt;
}

std::optional<CgroupHierarchy> choose_hierarchy(std::string_view mountinfo,
                                                std::string_view unified_controllers,
                                                std::string_view cgroup_file) {
  auto unified = find_cgroup_mount(mountinfo, CgroupController::unified);
  // Those that v1 does not have are in v2 on every host, hybrid ones too: rdma, misc, perf_event.
  const std::string_view in_v2 = unified_controllers.substr(0, unified_controllers.find('\n'));
  const bool is_used = lists(in_v2, "pids", ' ') || lists(in_v2, "memory", ' ');
  if (!unified || !is_used) {
    for (const CgroupController controller : {CgroupController::pids, CgroupController::memory}) {
      auto mount = find_cgroup_mount(mountinfo, controller);
      const auto own = find_membership(cgroup_file, controller);
      if (mount && own) {
        return CgroupHierarchy{controller, own->hierarchy_id, *std::move(mount)};
      }
    }
  }
  if (!unified) {
    return std::nullopt;
  }
  return CgroupHierarchy{CgroupController::unified, 0, *std::move(unified)};
}

}  // namespace isoscope::kernel
