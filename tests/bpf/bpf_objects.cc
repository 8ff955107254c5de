// SPDX-License-Identifier: Apache-2.0
#include "bpf_objects.h"

#include <bpf/bpf.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace isoscope::live {

namespace {

using base::UniqueFd;

template <typename Open>
std::set<std::uint32_t> alive(const std::set<std::uint32_t>& ids, Open open) {
  std::set<std::uint32_t> found;
  for (const std::uint32_t id : ids) {
    if (UniqueFd(open(id))) {
      found.insert(id);
    }
  }
  return found;
}

std::string program_name(std::uint32_t id) {
  const UniqueFd fd(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  return bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 ? info.name : "?";
}

}  // namespace

BpfObjects own_bpf_objects() {
  BpfObjects objects;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream info(entry.path());
    std::uint32_t id = 0;
    for (std::string key; info >> key;) {
      // A link also tells the program behind it.
      if (key == "link_id:" && info >> id) {
        objects.links.insert(id);
      } else if (key == "prog_id:" && info >> id) {
        objects.programs.insert(id);
      } else if (key == "map_id:" && info >> id) {
        objects.maps.insert(id);
      }
    }
  }
  return objects;
}

BpfObjects alive(const BpfObjects& objects) {
  return {alive(objects.programs, bpf_prog_get_fd_by_id), alive(objects.links, bpf_link_get_fd_by_id),
          alive(objects.maps, bpf_map_get_fd_by_id)};
}

std::vector<std::string> program_names(const BpfObjects& objects) {
  std::vector<std::string> names;
  for (const std::uint32_t id : objects.programs) {
    names.push_back(program_name(id));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> attached_names(const BpfObjects& objects) {
  std::vector<std::string> names;
  for (const std::uint32_t id : objects.links) {
    const UniqueFd fd(bpf_link_get_fd_by_id(id));
    bpf_link_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0) {
      names.push_back(program_name(info.prog_id));
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

UniqueFd own_map(const std::string& name) {
  for (const std::uint32_t id : own_bpf_objects().maps) {
    UniqueFd fd(bpf_map_get_fd_by_id(id));
    bpf_map_info info{};
    std::uint32_t size = sizeof(info);
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 && info.name == name) {
      return fd;
    }
  }
  throw std::runtime_error("no BPF map " + name);
}

}  // namespace isoscope::live
