// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace isoscope::identity {

// This machine, as every record names it. Ids are empty where the files are missing.
struct Host {
  std::string name;
  std::string machine_id;  // /etc/machine-id: one per installation
  std::string boot_id;     // one per boot
};

Host read_host();

}  // namespace isoscope::identity
