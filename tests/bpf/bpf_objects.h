// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace isoscope::live {

// What this process holds of the kernel's BPF objects, by id. An id is not given again until 2^31 others
// were.
struct BpfObjects {
  std::set<std::uint32_t> programs;
  std::set<std::uint32_t> links;
  std::set<std::uint32_t> maps;
};
BpfObjects own_bpf_objects();

// Of those, what the kernel still has.
BpfObjects alive(const BpfObjects& objects);

// Sorted; the kernel keeps the first 15 characters.
std::vector<std::string> program_names(const BpfObjects& objects);
// Of the programs that are attached, one for each link.
std::vector<std::string> attached_names(const BpfObjects& objects);

// A map of this process by name (of the only probe there is).
base::UniqueFd own_map(const std::string& name);

}  // namespace isoscope::live
